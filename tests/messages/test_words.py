"""What libraries say becomes one line without advice that is dangerous or of no use."""

import pytest

from octa_kedro.messages.words import LONGEST, first_words, first_words_of, nearest


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Weights only load failed. Setting `weights_only=False` runs code.\nhttps://x.y", "Weights only load failed"),
        ("cannot open\n  the file", "cannot open the file"),
        ("no module. Please upgrade to 3.0", "no module"),
        ("<_io.BytesIO object at 0x7f12> is short", "an object is short"),
        ("Set allow_pickle=True", "ValueError"),
        ("", "ValueError"),
    ],
)
def test_advice_addresses_and_line_breaks_are_left_out(said: str, told: str):
    assert first_words(ValueError(said)) == told


def test_text_of_which_nothing_is_left_is_empty():
    assert first_words_of("See https://x.y") == ""


def test_a_long_message_is_cut():
    assert len(first_words(ValueError("a" * 1000))) == LONGEST


def test_a_near_name_or_all_names():
    assert nearest("splitz", ["splits", "folds"]) == "did you mean splits?"
    assert nearest("xyz", ["b", "a"]) == "there are a, b"

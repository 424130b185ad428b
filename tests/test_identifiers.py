"""Names that YAML and --params read as numbers."""

import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.identifiers import clean_name, find_alike, find_name
from octa_kedro.preprocessing.registration_config import RegistrationConfig
from octa_kedro.training.config import AutoencoderConfig


@pytest.mark.parametrize(
    ("given", "names"), [("007", ["7", "007"]), (7, ["7", "8"]), ("nan", ["nan"]), ("1e5", ["1e5"])]
)
def test_a_name_that_is_sure_is_found(given, names: list[str]):
    assert find_name(given, names, "p") == str(given)


def test_a_name_may_be_typed_in_another_form_of_its_letters():
    assert find_name("M\u00fcller 1\u200b", ["Mu\u0308ller 1"], "p") == "Mu\u0308ller 1"


@pytest.mark.parametrize(
    ("given", "name"), [("p07", "P07"), ("P 07", "P07"), ("7", "007"), ("\uff1007", "007"), ("x", "'x")]
)
def test_a_name_that_is_spelt_otherwise_is_refused_with_the_right_spelling(given: str, name: str):
    with pytest.raises(ConfigError, match=f"cohort.exclude: there is no '{given}', it may mean '{name}'"):
        find_name(given, ["a", name], "cohort.exclude", in_a_list=True)


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (["P07", "q", "p07"], (0, 2)),
        (["Mu\u0308ller", "M\u00fcller"], (0, 1)),
        (["a b", "a\u00a0b"], (0, 1)),
        (["ab", "a\u200bb"], (0, 1)),
        (["a b", "ab"], (0, 1)),
        (["7", "007"], None),
        (["a", "a"], None),
    ],
)
def test_names_that_a_person_takes_for_one_are_alike(names: list[str], places: tuple[int, int] | None):
    assert find_alike(names) == places


def test_a_name_is_kept_without_what_cannot_be_seen():
    assert clean_name(" \ufeffMu\u0308ller\u00a0\t x\u200b\n") == "M\u00fcller x"


@pytest.mark.parametrize(
    ("given", "name"),
    [(7, "007"), (8, "010"), (100000.0, "1e5"), (1000, "1_000"), (True, "true"), (False, "no")],
)
def test_a_name_that_lost_its_spelling_is_named_with_what_to_write(given, name: str):
    with pytest.raises(
        ConfigError, match=rf"inference\.subject: {given} may mean '{name}'.*as \"{name}\".*inference\.subject={name}$"
    ):
        find_name(given, ["a", name], "inference.subject")


def test_a_number_that_two_names_are_read_as_is_refused():
    with pytest.raises(ConfigError, match="7 may mean '7' or '007'"):
        find_name(7, ["7", "007"], "p")


def test_a_name_that_is_not_there_is_none():
    assert find_name(9, ["7"], "p") is find_name("x", ["7"], "p") is None


def test_other_parameters_that_name_eyes_or_diseases_compare_them_so():
    exclude = AutoencoderConfig.model_validate({"model": {"name": "resnet10"}, "exclude": {7: "tilted", "x": "dark"}})
    assert exclude.exclude == {7: "tilted", "x": "dark"}
    assert RegistrationConfig.model_validate({"reference": {3: 7}}).reference == {3.0: 7}
    assert ExplainConfig(lesion_slabs={"dr ": "ILM_OPL"}).lesion_slabs == {"DR": "ILM_OPL"}

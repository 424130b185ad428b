"""Parameters from a YAML file."""

from pathlib import Path

import pytest

from octa_kedro.configuration.run_parameters import parameters_file
from octa_kedro.errors import ConfigError


def test_the_file_lies_under_the_other_parameters(tmp_path: Path):
    path = tmp_path / "my.yml"
    path.write_text("cohort: {classes: [A, B], negative: null}\nsplits: {folds: 2, seed: 1}\n")
    file = parameters_file({"parameters": str(path), "splits": {"seed": 5}})
    assert file is not None
    assert file.joined == {"cohort": {"classes": ["A", "B"], "negative": None}, "splits": {"folds": 2, "seed": 5}}
    assert file.beside == {"splits": {"seed": 5}}


def test_no_file_is_none():
    assert parameters_file({"splits": {"seed": 5}}) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read as a YAML file of parameters"),
        ("a: [", "cannot be read"),
        ("- a", "no mapping of parameters"),
        ("a: 1\na: 2", "found duplicate key a"),
    ],
)
def test_a_file_that_holds_no_parameters_is_named(tmp_path: Path, text: str | None, words: str):
    path = tmp_path / "my.yml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=rf"(?s)my\.yml: .*{words}"):
        parameters_file({"parameters": str(path)})
    with pytest.raises(ConfigError, match="parameters=3 is no file"):
        parameters_file({"parameters": 3})

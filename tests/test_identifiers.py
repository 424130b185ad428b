"""Names that YAML and --params read as numbers."""

import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.identifiers import find_name


@pytest.mark.parametrize(
    ("given", "names"), [("007", ["7", "007"]), (7, ["7", "8"]), ("nan", ["nan"]), ("1e5", ["1e5"])]
)
def test_a_name_that_is_sure_is_found(given, names: list[str]):
    assert find_name(given, names, "p") == str(given)


@pytest.mark.parametrize(
    ("given", "name"),
    [(7, "007"), ("7", "007"), (8, "010"), (100000.0, "1e5"), (1000, "1_000"), (True, "true"), (False, "no")],
)
def test_a_name_that_lost_its_spelling_is_named_with_what_to_write(given, name: str):
    with pytest.raises(
        ConfigError, match=rf"inference\.subject: {given} may mean '{name}'.*as \"{name}\".*='{name}'\""
    ):
        find_name(given, ["a", name], "inference.subject")


def test_a_number_that_two_names_are_read_as_is_refused():
    with pytest.raises(ConfigError, match="7 may mean '7' or '007'"):
        find_name(7, ["7", "007"], "p")


def test_a_name_that_is_not_there_is_none():
    assert find_name(9, ["7"], "p") is find_name("x", ["7"], "p") is None

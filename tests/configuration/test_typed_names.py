"""Names on the command line."""

from typing import Any

import click
import pytest
from kedro.framework.cli.utils import find_run_command

from octa_kedro.cli import run
from octa_kedro.configuration.typed_names import Kind, kinds_in


def read(text: str) -> dict[str, Any]:
    """What the command `run` makes of ``--params``."""
    option = next(one for one in run.params if one.name == "params")
    return option.callback(click.Context(run, info_name="run"), option, text)


@pytest.mark.parametrize(
    "name",
    [
        "007",
        "7",
        "00123",
        "1e5",
        "nan",
        "true",
        "1_000",
        "NO",
        "null",
        "~",
        "None",
        "2024-01-05",
        "1:30",
        "0x1F",
        "a #b",
    ],
)
def test_the_name_of_an_eye_is_what_was_typed(name: str):
    assert read(f"inference.subject={name},splits.seed=07") == {"inference": {"subject": name}, "splits": {"seed": 7}}


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("inference.subject='007'", {"inference": {"subject": "007"}}),
        ('inference.subject="a b"', {"inference": {"subject": "a b"}}),
        ("inference={subject: 007}", {"inference": {"subject": "007"}}),
        ("cohort.negative=NO", {"cohort": {"negative": "NO"}}),
        ("explainability.target_class=010", {"explainability": {"target_class": "010"}}),
        ("explainability.target_class=1", {"explainability": {"target_class": 1}}),
        ("explainability.target_class='1'", {"explainability": {"target_class": "1"}}),
        ("cohort.exclude=[007]", {"cohort": {"exclude": ["007"]}}),
        ("cohort.exclude.007=1", {"cohort": {"exclude": {"007": "1"}}}),
        ("cohort.name=2024", {"cohort": {"name": "2024"}}),
        ("cohort.name=null", {"cohort": {"name": None}}),
        ("source.path=007", {"source": {"path": "007"}}),
        ("tuning.name=007", {"tuning": {"name": "007"}}),
        ("my_model.device=0", {"my_model": {"device": "0"}}),
        ("explainability.finding_names={1: 01}", {"explainability": {"finding_names": {"1": "01"}}}),
        ("training_3d.max_epochs=007", {"training_3d": {"max_epochs": 7}}),
        ("inference.subject=1,inference.subject=007", {"inference": {"subject": "007"}}),
    ],
)
def test_texts_keep_their_spelling_and_other_parameters_are_numbers(text: str, parsed: dict[str, Any]):
    assert read(text) == parsed


def test_every_way_to_run_reads_names_so():
    assert find_run_command("octa_kedro") is run


def test_a_name_without_a_value_is_refused():
    with pytest.raises(click.BadParameter, match=r"inference\.subject= has no value"):
        read("inference.subject=")


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (
            "inference",
            {"subject": Kind.NAME, **dict.fromkeys(("name", "model", "checkpoint", "checkpoints"), Kind.TEXT)},
        ),
        ("phantom", {}),
        ("source", {"path": Kind.TEXT, "pseudonyms": Kind.TEXT}),
        ("parameters", {"": Kind.TEXT}),
    ],
)
def test_the_classes_of_the_parameters_say_which_are_texts(group: str, expected: dict[str, Kind]):
    assert kinds_in(group) == {f"{group}.{name}".removesuffix("."): kind for name, kind in expected.items()}


def test_names_lists_of_names_and_names_by_index_are_told_apart():
    cohort = kinds_in("cohort")
    assert (cohort["cohort.negative"], cohort["cohort.exclude"]) == (Kind.NAME, Kind.TEXT)
    assert kinds_in("explainability")["explainability.target_class"] is Kind.INDEXED
    assert kinds_in("processing")["processing.registration.reference"] is Kind.TEXT
    assert "my_model.model.name" in kinds_in("my_model")
    assert "my_model.loss.class_weights" not in kinds_in("my_model")


def test_all_of_several_params_count():
    context = run.make_context("run", ["--params", "a=1,inference.subject=007", "--params", "b=2"])
    assert context.params["params"] == {"a": 1, "inference": {"subject": "007"}, "b": 2}
    assert run.make_context("run", []).params["params"] == {}

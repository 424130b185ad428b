"""Names on the command line."""

from typing import Any

import click
import pytest
from kedro.framework.cli.utils import find_run_command

from octa_kedro.cli import run
from octa_kedro.cohort.config import CohortConfig
from octa_kedro.identifiers import Given
from octa_kedro.parameters import GROUPS
from octa_kedro.typed_names import NAMES, TEXTS


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


def test_every_parameter_that_holds_a_name_is_read_as_text():
    kept = {*NAMES, *TEXTS}
    for group, model in GROUPS.items():
        for field, info in model.model_fields.items():
            assert str(Given) not in str(info.annotation) or f"{group}.{field}" in kept, f"{group}.{field}"
    assert str(Given) in str(CohortConfig.model_fields["negative"].annotation)


def test_all_of_several_params_count():
    context = run.make_context("run", ["--params", "a=1,inference.subject=007", "--params", "b=2"])
    assert context.params["params"] == {"a": 1, "inference": {"subject": "007"}, "b": 2}
    assert run.make_context("run", []).params["params"] == {}

"""What a search varies is checked before it runs, and drawn with the type of its parameter."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from pydantic import ValidationError

from octa_kedro.config import first_problem
from octa_kedro.errors import ConfigError
from octa_kedro.tuning.config import TuningConfig, check_space, nest
from octa_kedro.tuning.space import decode, distributions
from tests.tuning.searching import PARAMETERS, RATE, SPACE, FakeFit, search


def problem(space: Any, **others: Any) -> str:
    """Why a search over `space` is refused."""
    try:
        check_space(TuningConfig.model_validate({"space": space} | others), "training_3d", PARAMETERS, (1, 2, 3))
    except ValidationError as error:
        return first_problem(error, TuningConfig)
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (SPACE, ""),
        ({"augmentation.shft": {"low": 0, "high": 0.1}}, "tuning.space.augmentation.shft: training_3d cannot have 0"),
        ({"augmentation.shft": {"low": 0, "high": 0.1}}, "did you mean shift?"),
        (
            {"augmentation.shift": {"low": 0, "high": 0.6}},
            "cannot have 0.6: augmentation.shift: Input should be less than",
        ),
        ({"batch_size": {"low": 0, "high": 4}}, "cannot have 0.0: batch_size"),
        (
            {"model.name": {"choices": ["resnet10", "resnt18"]}},
            "cannot have resnt18: model: name: no 3D network 'resnt18'",
        ),
        ({"model.width": {"choices": [0.5, 1]}}, "no effect beside training_3d.model.widths"),
        ({RATE: {"lo": 1, "high": 2}}, f"space.{RATE}.lo: unknown parameter, did you mean low?"),
        ({RATE: {"low": 2, "high": 1}}, "low: 2 is not below high, 1"),
        ({RATE: {"low": 0, "high": 1, "log": True}}, "log: needs a low above 0 and no step"),
        ({RATE: {"low": 0.1}}, "low: give low and high, or choices"),
        ({RATE: {"low": 0.1, "choices": [1]}}, "choices: give either these or low and high"),
        ({RATE: {"choices": [0.1, 0.1]}}, "choices: give at least one, and none twice"),
        ({RATE: {"choices": []}}, "choices: give at least one, and none twice"),
        ({RATE: None}, "space: Dictionary should have at least 1 item"),
    ],
)
def test_a_space_is_checked_before_anything_runs(space: dict, message: str):
    found = problem(space)
    assert message in found
    assert bool(message) == bool(found)


def test_folds_and_direction_are_checked():
    assert "there is no fold 4; the splits have 1, 2, 3" in problem(SPACE, folds=[1, 4])
    assert "direction: maximise or minimise?" in problem(SPACE, metric="lr")
    assert TuningConfig.model_validate({"space": SPACE, "metric": "lr", "direction": "minimise"}).goal == "minimise"


def test_the_command_line_changes_parts_of_a_space():
    """``--params tuning.space.a.b.high=..`` comes nested beside the dotted keys of the file."""
    given = {"augmentation.shift": {"low": 0, "high": 0.1}, "batch_size": {"choices": [2, 4]}, RATE: None}
    given |= {"augmentation": {"shift": {"high": 0.2}, "noise": {"low": 0, "high": 0.3}}}
    space = TuningConfig.model_validate({"space": given}).space
    assert set(space) == {"augmentation.shift", "batch_size", "augmentation.noise"}
    assert space["augmentation.shift"].ends == (0, 0.2)


def test_what_is_drawn_has_the_type_of_its_parameter():
    space = {
        "batch_size": {"low": 2, "high": 8, "step": 2},
        "augmentation.rotation": {"low": 0, "high": 10},
        "model.widths": {"choices": [None, [4, 4, 8, 8]]},
        RATE: {"low": 1e-4, "high": 1e-2, "log": True},
    }
    config = TuningConfig.model_validate({"space": space}).space
    of = distributions(config)
    assert list(of) == sorted(space)  # the order in which a file has them does not matter
    assert of["batch_size"] == optuna.distributions.IntDistribution(2, 8, step=2)
    assert of["augmentation.rotation"] == optuna.distributions.FloatDistribution(0.0, 10.0)
    drawn = {"batch_size": 4, "augmentation.rotation": 3.14159, "model.widths": "[4, 4, 8, 8]", RATE: 0.000123456}
    decoded = decode(drawn, config)
    assert decoded == {"augmentation.rotation": 3.142, "batch_size": 4, RATE: 0.0001235, "model.widths": [4, 4, 8, 8]}
    assert nest(decoded, {"model": {"name": "resnet10"}, "augmentation": None}) == {
        "model": {"name": "resnet10", "widths": [4, 4, 8, 8]},
        "augmentation": {"rotation": 3.142},
        "batch_size": 4,
        "optimiser": {"learning_rate": 0.0001235},
    }


def test_widths_follow_from_a_width_that_is_drawn(tmp_path: Path):
    fit = FakeFit()
    parameters = {"model": {"name": "resnet10", "spatial_dims": 3, "width": 0.5}}
    space = {"model.width": {"choices": [0.125, 0.25]}}
    search(tmp_path, fit, parameters=parameters, space=space, trials=4)
    assert {config.model.widths[0] for config, _ in fit.calls} <= {8, 16}
    parameters["model"]["width"] = 0.125
    search(tmp_path, fit, parameters=parameters, space=space, trials=5)  # still the same search

"""What the benchmark of single trainings says of them."""

import importlib
import math
import sys
from pathlib import Path

import pandas as pd
import pytest

from octa_kedro.training.config import TrainingConfig

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
steadiness = importlib.import_module("steadiness")

BASE = TrainingConfig.model_validate(
    {
        "model": {"name": "resnet18", "width": 0.25},
        "max_epochs": 60,
        "stop": {"keep": "last"},
        "batch_size": 8,
        "optimiser": {"learning_rate": 0.002, "weight_decay": 1.0},
        "schedule": {"warm_up": 0.4},
    }
)


def training(folder: Path, setting: str, place: str, probabilities: list[float], seconds: float) -> None:
    table = pd.DataFrame({"target": [0, 0, 1, 1], "probability": probabilities, "epoch": 3, "cpu_seconds": seconds})
    table.to_csv(folder / f"training_3d-{setting}-{place}.csv", index=False)


def test_summary_by_hand(tmp_path: Path):
    training(tmp_path, "default", "0-1", [0.1, 0.2, 0.3, 0.4], 10)
    training(tmp_path, "default", "0-2", [0.1, 0.3, 0.2, 0.4], 10)
    training(tmp_path, "default_last", "0-2", [0.1, 0.2, 0.3, 0.4], 13)
    rows = steadiness.summary(tmp_path, "training_3d", ["default", "default_last", "slow"]).set_index("setting")
    assert rows.index.tolist() == ["default", "default_last"]
    assert rows.loc["default", ["n", "worst", "mean"]].tolist() == [2, 0.75, 0.875]
    assert rows.loc["default", "sd"] == pytest.approx(0.25 / math.sqrt(2), abs=1e-3)
    assert rows.loc["default_last", "cpu"] == 1.3  # only against the same seed and fold


@pytest.mark.parametrize("name", steadiness.SETTINGS)
def test_every_setting_can_be_trained(name: str):
    assert (steadiness.parameters(BASE, steadiness.SETTINGS[name], 0) == BASE) == (name in {"default", "default_last"})


def test_a_setting_changes_the_rate_and_leaves_the_rest_of_a_group():
    config = steadiness.parameters(BASE, {"rate": 0.5, "epochs": 0.5, "stop": {"patience": 9}}, 7)
    assert (config.optimiser.learning_rate, config.max_epochs, config.seed) == (0.001, 30, 7)
    assert (config.stop.keep, config.stop.patience) == ("last", 9)


def test_results_of_other_parameters_are_not_taken(tmp_path: Path):
    steadiness.require_same(tmp_path / "project.json", {"seed": 5})
    steadiness.require_same(tmp_path / "project.json", {"seed": 5})
    with pytest.raises(SystemExit, match="another --work"):
        steadiness.require_same(tmp_path / "project.json", {"seed": 6})

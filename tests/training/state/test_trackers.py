import logging
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.training.state import trackers
from octa_kedro.training.state.config import TrackingConfig
from octa_kedro.training.state.trackers import Trackers, flatten

PARAMETERS = {"seed": 3, "model": {"name": "resnet18", "widths": [8, 16]}}


def row(epoch: int, *, loss: float = 1.0) -> dict[str, Any]:
    return {
        "fold": 1,
        "epoch": epoch,
        "train_loss": loss / epoch,
        "val_auroc": math.nan if epoch == 1 else 0.5,
        "lr": 1e-3,
        "best": False,
    }


def train(config: TrackingConfig, folder: Path, epochs: range, *, loss: float = 1.0, close: bool = True) -> None:
    """A training of these epochs; without `close` it is killed."""
    tracking = Trackers(config, folder)
    tracking.start("fold_1", PARAMETERS, done=epochs.start - 1)
    for epoch in epochs:
        tracking.log(epoch, row(epoch, loss=loss))
    if close:
        tracking.close()


def test_nested_parameters_get_names_with_dots():
    assert flatten(PARAMETERS | {"start": {}}) == {
        "seed": 3,
        "model.name": "resnet18",
        "model.widths": [8, 16],
        "start": {},
    }


def test_by_default_there_is_none(tmp_path: Path):
    train(TrackingConfig(), tmp_path, range(1, 3))
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_missing_package_is_said_with_the_remedy(name: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=f"{name} is not installed; run make install-tracking"):
        Trackers(TrackingConfig(trackers=(name,)), tmp_path)


def test_a_tracker_that_fails_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    class Broken:
        def __init__(self, folder: Path) -> None: ...
        def start(self, run_name: str, parameters: dict[str, Any], done: int) -> None: ...
        def log(self, epoch: int, metrics: dict[str, float]) -> None:
            raise OSError("no space left")

        def close(self) -> None: ...

    monkeypatch.setattr(trackers, "TensorBoard", Broken)
    with caplog.at_level(logging.WARNING):
        train(TrackingConfig(trackers=("tensorboard",)), tmp_path, range(1, 4))
    assert caplog.messages == ["Broken failed; the training continues without it"]
    assert "no space left" in caplog.text


def events(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder / "tensorboard" / "fold_1")).Reload()


def test_tensorboard_has_every_epoch_once_after_a_kill(tmp_path: Path):
    config = TrackingConfig(trackers=("tensorboard",))
    train(config, tmp_path, range(1, 5), close=False)  # epochs 3 and 4 are lost with the last checkpoint
    train(config, tmp_path, range(3, 6), loss=2.0)
    found = events(tmp_path)
    assert set(found.Tags()["scalars"]) == {"train_loss", "val_auroc", "lr"}
    points = found.Scalars("train_loss")
    assert [event.step for event in points] == [1, 2, 3, 4, 5]
    assert [event.value for event in points] == pytest.approx([1, 1 / 2, 2 / 3, 2 / 4, 2 / 5])
    assert [event.step for event in found.Scalars("val_auroc")] == [2, 3, 4, 5]  # NaN is left out
    (text,) = found.Tensors("parameters/text_summary")
    assert b'"model.name": "resnet18"' in text.tensor_proto.string_val[0]


def test_tensorboard_begins_anew_where_nothing_is_done(tmp_path: Path):
    config = TrackingConfig(trackers=("tensorboard",))
    train(config, tmp_path, range(1, 5))
    train(config, tmp_path, range(1, 3), loss=3.0)
    points = events(tmp_path).Scalars("train_loss")
    assert [(event.step, event.value) for event in points] == [(1, 3), (2, 1.5)]


def run_id(folder: Path) -> str:
    return (folder / "mlflow" / "fold_1.run_id").read_text()


@pytest.fixture
def mlflow_client(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "mlflow").mkdir()
    with trackers._quiet():
        from mlflow import MlflowClient

        yield MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}")


def test_mlflow_has_every_epoch_once_after_a_kill_and_anew_a_run_of_its_own(
    tmp_path: Path, mlflow_client: Any, capfd: pytest.CaptureFixture[str]
):
    config = TrackingConfig(trackers=("mlflow",), experiment="demo")
    train(config, tmp_path, range(1, 5), close=False)
    first = run_id(tmp_path)
    assert mlflow_client.get_run(first).info.status == "RUNNING"
    train(config, tmp_path, range(3, 6))
    assert run_id(tmp_path) == first
    run = mlflow_client.get_run(first)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "fold_1"
    assert run.data.params == {"seed": "3", "model.name": "resnet18", "model.widths": "[8, 16]"}
    points = mlflow_client.get_metric_history(first, "train_loss")
    assert sorted((point.step, point.value) for point in points) == [(n, 1 / n) for n in range(1, 6)]
    assert len(mlflow_client.get_metric_history(first, "val_auroc")) == 4

    train(config, tmp_path, range(1, 2))
    assert run_id(tmp_path) != first
    experiment = mlflow_client.get_experiment_by_name("demo")
    assert len(mlflow_client.search_runs([experiment.experiment_id])) == 2
    assert capfd.readouterr() == ("", "")
    assert {path.name for path in (tmp_path / "mlflow").iterdir()} == {"mlflow.db", "fold_1.run_id"}

    (tmp_path / "mlflow" / "fold_1.run_id").write_text("0" * 32)  # a run that somebody has removed
    train(config, tmp_path, range(2, 3))
    assert len(mlflow_client.search_runs([experiment.experiment_id])) == 3


def test_a_store_that_mlflow_does_not_take_is_named(tmp_path: Path):
    config = TrackingConfig(trackers=("mlflow",), uri=f"file://{tmp_path / 'runs'}")
    with pytest.raises(ConfigError, match=r"uri: MLflow does not take file://.*name another store"):
        train(config, tmp_path, range(1, 3))

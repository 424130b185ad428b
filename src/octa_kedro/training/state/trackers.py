"""Trackers that also receive the history of a training, if asked for: TensorBoard, MLflow."""

import importlib.util
import json
import logging
import math
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from octa_kedro.errors import ConfigError
from octa_kedro.io.files import write_text
from octa_kedro.training.state.config import TrackingConfig

logger = logging.getLogger(__name__)
NOT_METRICS = ("fold", "seed", "epoch", "best")
LONGEST_VALUE = 6000  # characters of a parameter that MLflow takes


class Tracker(Protocol):
    """One receiver of a history."""

    def start(self, run_name: str, parameters: Mapping[str, Any], done: int) -> None: ...
    def log(self, epoch: int, metrics: Mapping[str, float]) -> None: ...
    def close(self) -> None: ...


class Trackers:
    """The trackers that `config` names; of several processes of one training only the first may have them.

    What they keep lies in `folder`, which several runs may share: each needs a name of its own. ConfigError, before
    anything is trained, if a package is missing or MLflow refuses the store. One that fails later is dropped with a
    warning, and the training continues.
    """

    def __init__(self, config: TrackingConfig, folder: Path) -> None:
        self._trackers: list[Tracker] = []
        for name in dict.fromkeys(config.trackers):
            if importlib.util.find_spec(name) is None:
                raise ConfigError(f"trackers: {name} is not installed; run make install-tracking, or leave it out")
            self._trackers.append(TensorBoard(folder) if name == "tensorboard" else MLflow(folder, config))

    def start(self, run_name: str, parameters: Mapping[str, Any], *, done: int = 0) -> None:
        """Start the run, or continue the one of that name after `done` epochs: its rows of later epochs are replaced,
        or kept if they are the same. Nested parameters get names with dots."""
        flat = flatten(parameters)
        for tracker in [*self._trackers]:
            with self._forgiving(tracker):
                tracker.start(run_name, flat, done)

    def log(self, epoch: int, row: Mapping[str, Any]) -> None:
        """What is finite among the numbers of a row of history."""
        metrics = {
            name: float(value)
            for name, value in row.items()
            if name not in NOT_METRICS and isinstance(value, int | float) and math.isfinite(value)
        }
        for tracker in [*self._trackers]:
            with self._forgiving(tracker):
                tracker.log(epoch, metrics)

    def close(self) -> None:
        """Write out what is left. Without it, as after a kill, a run still counts as running."""
        for tracker in [*self._trackers]:
            with self._forgiving(tracker):
                tracker.close()
        self._trackers = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _forgiving(self, tracker: Tracker) -> Iterator[None]:
        try:
            yield
        except ConfigError:
            raise
        except Exception:
            self._trackers.remove(tracker)
            logger.warning("%s failed; the training continues without it", type(tracker).__name__, exc_info=True)


class TensorBoard:
    """Event files in ``folder/tensorboard/<run name>``: ``tensorboard --logdir folder/tensorboard`` shows all runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tensorboard"
        self._logger: Any = None

    def start(self, run_name: str, parameters: Mapping[str, Any], done: int) -> None:
        from lightning_fabric.loggers import TensorBoardLogger  # noqa: PLC0415

        # TensorBoard forgets what earlier event files of the run have from this epoch on.
        self._logger = TensorBoardLogger(self.folder, run_name, "", default_hp_metric=False, purge_step=done + 1)
        if not done:
            lines = json.dumps(parameters, indent=1, default=str).splitlines()
            self._logger.experiment.add_text("parameters", "\n".join(f"    {line}" for line in lines), 1)

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self._logger.log_metrics(metrics, epoch)
        self._logger.experiment.flush()

    def close(self) -> None:
        if self._logger is not None:
            self._logger.finalize("success")


class MLflow:
    """Runs in MLflow's store; ``folder/mlflow`` stores the identifier of each under its name, so that it can be
    continued.

    MLflow keeps no plain files any more, so the store is ``folder/mlflow/mlflow.db`` if no other is named.
    """

    def __init__(self, folder: Path, config: TrackingConfig) -> None:
        self.folder, self.config = folder / "mlflow", config
        self.uri = config.uri or f"sqlite:///{(self.folder / 'mlflow.db').absolute()}"
        self._client: Any = None
        self._run_id = ""
        self._logged = 0

    def start(self, run_name: str, parameters: Mapping[str, Any], done: int) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when it is imported
        remembered = self.folder / f"{run_name}.run_id"
        with _quiet():
            from mlflow import MlflowClient  # noqa: PLC0415
            from mlflow.exceptions import MlflowException  # noqa: PLC0415
        with _quiet():  # once more, as the import has made it loud
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                self._client = MlflowClient(tracking_uri=self.uri)
                if done and remembered.is_file() and self._go_on(remembered.read_text(encoding="utf-8").strip()):
                    return
                self._begin(run_name, parameters)
            except MlflowException as error:
                reason = str(error).split(". ")[0]
                raise ConfigError(f"uri: MLflow does not take {self.uri} ({reason}); name another store") from error
        write_text(remembered, self._run_id)

    def _go_on(self, run_id: str) -> bool:
        """Whether the run is still there; then it is this one's."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        try:
            run = self._client.get_run(run_id)
        except MlflowException:
            return False
        self._run_id = run_id
        self._client.update_run(run_id, status="RUNNING")
        # What was logged cannot be taken back: epochs that are done again are those that are there.
        points = [point for name in run.data.metrics for point in self._client.get_metric_history(run_id, name)]
        self._logged = max((point.step for point in points), default=0)
        return True

    def _begin(self, run_name: str, parameters: Mapping[str, Any]) -> None:
        from mlflow.entities import Param  # noqa: PLC0415

        name = self.config.experiment
        if (experiment := self._client.get_experiment_by_name(name)) is not None:
            identifier = experiment.experiment_id
        else:  # without a place for other files MLflow would make a folder where the run was started
            place = None if self.config.uri else (self.folder.absolute() / "artifacts").as_uri()
            identifier = self._client.create_experiment(name, artifact_location=place)
        self._run_id = self._client.create_run(identifier, run_name=run_name).info.run_id
        values = [Param(key, str(value)[:LONGEST_VALUE]) for key, value in parameters.items()]
        for first in range(0, len(values), 100):  # no more at a time
            self._client.log_batch(self._run_id, params=values[first : first + 100])

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        if epoch <= self._logged:
            return
        with _quiet():
            from mlflow.entities import Metric  # noqa: PLC0415

            now = round(1000 * time.time())
            points = [Metric(name, value, now, epoch) for name, value in metrics.items()]
            self._client.log_batch(self._run_id, metrics=points)

    def close(self) -> None:
        if self._run_id:
            with _quiet():
                self._client.set_terminated(self._run_id)


def flatten(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters under names with dots; empty ones stay as they are."""
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) and value else {name: value}
    return flat


@contextmanager
def _quiet() -> Iterator[None]:
    """Without MLflow's news of its tables and its warnings about its own libraries."""
    theirs = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    before = [each.level for each in theirs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for each in theirs:
                each.setLevel(logging.ERROR)
            yield
        finally:
            for each, level in zip(theirs, before, strict=True):
                each.setLevel(level)

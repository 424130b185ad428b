"""What can be seen of a training while it runs."""

from types import TracebackType
from typing import Any, Self

from octa_kedro.io.progress import progress
from octa_kedro.training.config import FittingConfig
from octa_kedro.training.state.history import HistoryWriter
from octa_kedro.training.state.run_folders import RunFolder
from octa_kedro.training.state.trackers import Trackers

SHOWN = ("train_loss", "val_loss", "val_auroc")  # beside the progress bar


class Recorder:
    """Shows and writes the history while it grows: progress, table and figure, trackers."""

    def __init__(self, title: str, config: FittingConfig, run_folder: RunFolder, done: int) -> None:
        self._bar = progress(total=config.max_epochs, desc=title, unit="epoch", initial=done)
        self._history = HistoryWriter(run_folder.path) if run_folder.lasting else None
        self._trackers = Trackers(config.tracking, run_folder.path.parent)
        self._trackers.start(f"{title}, {run_folder.path.name}", config.model_dump(mode="json"), done=done)

    def record(self, rows: list[dict[str, Any]], best_epoch: int) -> None:
        """Show and write the last of `rows`."""
        row = rows[-1]
        if self._history is not None:
            self._history.write(rows, best_epoch)
        self._trackers.log(row["epoch"], row)
        self._bar.update()
        self._bar.set_postfix(**{name: f"{row[name]:.3f}" for name in SHOWN if name in row})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
        self._trackers.close()
        if self._history is not None:
            self._history.close()

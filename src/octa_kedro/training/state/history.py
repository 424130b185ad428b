"""The history of a training, on disk and as a figure, written while the training runs."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from octa_kedro.evaluation.figures.history import history_figure
from octa_kedro.io.files import replacing, write_text

logger = logging.getLogger(__name__)
TABLE, FIGURE = "history.csv", "history.png"
EVERY = 10.0
"""Seconds between two drawings."""
SHARE = 50.0
"""A drawing is followed by this many times its own duration without one: at most 2 % of the time is spent on it."""


class HistoryWriter:
    """Writes `history.csv` and `history.png` into `folder` after each epoch, each atomically.

    The figure is drawn at most every `EVERY` seconds, so that short epochs are not slowed, and at the end.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock = clock
        self._next = clock() + EVERY
        self._undrawn: pd.DataFrame | None = None

    def write(self, rows: Sequence[Mapping[str, object]], best_epoch: int) -> None:
        """Write the history so far, of which `best_epoch` is the best one yet (0: none)."""
        table = history_table(rows, best_epoch)
        write_text(self.folder / TABLE, table.to_csv(index=False))
        self._undrawn = table
        if self._clock() >= self._next:
            self._draw(table)

    def close(self) -> None:
        """Draw what has not been drawn yet."""
        if self._undrawn is not None:
            self._draw(self._undrawn)

    def _draw(self, table: pd.DataFrame) -> None:
        started = self._clock()
        try:
            with replacing(self.folder / FIGURE) as partial:
                history_figure(table).savefig(partial, format="png", dpi=100)
        except Exception:  # no error of drawing may end a training of hours
            logger.warning("%s could not be drawn", self.folder / FIGURE, exc_info=True)
        self._undrawn = None
        ended = self._clock()
        self._next = ended + max(EVERY, SHARE * (ended - started))


def complete_history(folder: Path, rows: Sequence[Mapping[str, object]], best_epoch: int) -> None:
    """Write table and figure of a training that has ended, where they are missing or behind: it may have been killed
    after its last epoch was stored, and before they were."""
    table, figure = folder / TABLE, folder / FIGURE
    text = history_table(rows, best_epoch).to_csv(index=False)
    if table.is_file() and table.read_text() == text and figure.is_file() and _time(figure) >= _time(table):
        return
    writer = HistoryWriter(folder)
    writer.write(rows, best_epoch)
    writer.close()


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns


def history_table(rows: Sequence[Mapping[str, object]], best_epoch: int) -> pd.DataFrame:
    """One row per epoch, and in the column `best` which of them is the best."""
    table = pd.DataFrame([*rows])
    return table.assign(best=table["epoch"] == best_epoch)

"""Which epoch is kept, and when training stops."""

import math
from dataclasses import dataclass, field
from typing import Any

from octa_kedro.training.engine.config import StopConfig


@dataclass
class Stopping:
    """Follows the metric over the epochs; `state` returns all that it stores."""

    config: StopConfig
    max_epochs: int
    best: float = field(default=math.nan)
    best_epoch: int = 0
    reference: float = field(default=math.nan)
    last_gain: int = 0

    def improves(self, epoch: int, row: dict[str, Any]) -> bool:
        """Add an epoch's row; whether it is the one to keep so far. An epoch with an undefined metric is kept
        only for being the last."""
        value = float(row[self.config.metric])
        if self.config.keep == "last":
            if epoch == self.max_epochs:
                self.best, self.best_epoch = value, epoch
            return epoch == self.max_epochs
        if math.isnan(value) or epoch <= self.config.keep_from * self.max_epochs:
            return False
        # The reference moves only when there is a gain, so that many small gains in a row count together.
        if self._better(value, self.reference, self.config.tolerance):
            self.reference, self.last_gain = value, epoch
        if not self._better(value, self.best, 0.0):
            return False
        self.best, self.best_epoch = value, epoch
        return True

    def ends(self, epoch: int) -> bool:
        """Whether training ends after `epoch`."""
        return epoch >= self.max_epochs or (self.last_gain > 0 and epoch - self.last_gain >= self.config.patience)

    def state(self) -> dict[str, float | int]:
        """All that `restore` needs."""
        names = ("best", "best_epoch", "reference", "last_gain")
        return {name: getattr(self, name) for name in names}

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a `state`."""
        for name, value in state.items():
            setattr(self, name, value)

    def _better(self, value: float, than: float, tolerance: float) -> bool:
        if math.isnan(than):
            return True
        margin = tolerance * abs(than)
        if self.config.better == "smaller":
            return value < than - margin
        return value > than + margin

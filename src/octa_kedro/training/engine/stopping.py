"""Which epoch is kept, and when training has gone on long enough."""

import math
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pydantic import Field, PositiveInt, field_validator

from octa_kedro.config import Config

SMALLER_IS_BETTER = ("train_loss", "val_loss", "val_brier")
LARGER_IS_BETTER = ("val_auroc", "val_accuracy", "val_balanced_accuracy", "val_f1")
METRICS = (*SMALLER_IS_BETTER, *LARGER_IS_BETTER)


class StopConfig(Config):
    """The best epoch is the one with the best `metric` after the share `keep_from` of all epochs: before that the
    rate is still high, the loss of a small validation set jumps, and a lucky dip would be kept.

    Training stops when `patience` epochs have brought no gain of more than the share `tolerance` of what was the best.
    """

    metric: str = "val_loss"
    patience: PositiveInt = 15
    tolerance: float = Field(0.0, ge=0, lt=1)
    keep_from: float = Field(0.0, ge=0, lt=1)

    @field_validator("metric")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in METRICS:
            near = get_close_matches(name, METRICS, n=1)
            raise ValueError(f"unknown metric, did you mean {near[0]}?" if near else f"known: {', '.join(METRICS)}")
        return name


@dataclass
class Stopping:
    """Follows the metric over epochs; `state` is all it remembers."""

    config: StopConfig
    max_epochs: int
    best: float = field(default=math.nan)
    best_epoch: int = 0
    reference: float = field(default=math.nan)
    last_gain: int = 0

    def improves(self, epoch: int, row: dict[str, Any]) -> bool:
        """Take note of an epoch's row; whether it is the best one so far. An undefined metric never is."""
        value = float(row[self.config.metric])
        if math.isnan(value) or epoch <= self.config.keep_from * self.max_epochs:
            return False
        # A gain has to be seen against what it is measured from, which only moves when there is one.
        if self._better(value, self.reference, self.config.tolerance):
            self.reference, self.last_gain = value, epoch
        if not self._better(value, self.best, 0.0):
            return False
        self.best, self.best_epoch = value, epoch
        return True

    def ends(self, epoch: int) -> bool:
        """Whether no further epoch is worth it."""
        return epoch >= self.max_epochs or (self.last_gain > 0 and epoch - self.last_gain >= self.config.patience)

    def state(self) -> dict[str, float | int]:
        """What has been seen so far."""
        names = ("best", "best_epoch", "reference", "last_gain")
        return {name: getattr(self, name) for name in names}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        for name, value in state.items():
            setattr(self, name, value)

    def _better(self, value: float, than: float, tolerance: float) -> bool:
        if math.isnan(than):
            return True
        margin = tolerance * abs(than)
        if self.config.metric in SMALLER_IS_BETTER:
            return value < than - margin
        return value > than + margin

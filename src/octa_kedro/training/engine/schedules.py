"""How the learning rate changes during a training."""

import math
from typing import Any, Literal, Protocol

import torch
from torch.nn import Parameter
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

from octa_kedro.training.engine.config import ScheduleConfig

IMPROVEMENT = 1e-4  # relative; less does not count as better on a plateau


class Schedule(Protocol):
    """Sets the rate of an optimiser; its state belongs with the optimiser's own, loaded in either order."""

    @property
    def rate(self) -> float:
        """The rate the next step will use."""

    def after_step(self) -> None:
        """Advance by one step of the optimiser."""

    def after_epoch(self, value: float) -> None:
        """Advance by one epoch; `value` is that epoch's `stop.metric`, which only plateau uses."""

    def state_dict(self) -> dict[str, Any]:
        """Its state, in values that JSON can hold."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from the state of a schedule of the same config."""


def make_schedule(
    optimiser: Optimizer,
    config: ScheduleConfig,
    *,
    epochs: int,
    steps_per_epoch: int,
    better: Literal["smaller", "larger"] = "smaller",
) -> Schedule:
    """The schedule of `optimiser` over ``epochs * steps_per_epoch`` steps, which sets its first rate at once.

    `better` is the direction in which the metric that plateau follows gets better. `optimiser` is the optimiser itself,
    not the wrapper that Fabric makes.
    """
    if config.name == "one_cycle":
        return OneCycle(optimiser, config.rising, max(2, epochs * steps_per_epoch))
    return Shaped(optimiser, config, epochs=epochs, steps_per_epoch=steps_per_epoch, better=better)


class OneCycle:
    """torch's OneCycleLR; momentum takes part where the optimiser has one."""

    def __init__(self, optimiser: Optimizer, rising: float, steps: int) -> None:
        if rising * steps == 1:
            rising += 1e-9  # torch divides by the length of the rise less one step
        self._optimiser = optimiser
        self._cycle = OneCycleLR(
            optimiser,
            max_lr=[group["lr"] for group in optimiser.param_groups],
            total_steps=steps,
            pct_start=float(rising),
            cycle_momentum=bool({"momentum", "betas"} & optimiser.defaults.keys()),
        )

    @property
    def rate(self) -> float:
        return float(self._cycle.get_last_lr()[0])

    def after_step(self) -> None:
        self._cycle.step()

    def after_epoch(self, value: float) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return self._cycle.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._cycle.load_state_dict(state)
        for group, rate in zip(self._optimiser.param_groups, self._cycle.get_last_lr(), strict=True):
            group["lr"] = rate


class Shaped:
    """All other schedules: the first rate times a share that follows from the number of steps (and the plateau)."""

    def __init__(
        self, optimiser: Optimizer, config: ScheduleConfig, *, epochs: int, steps_per_epoch: int, better: str
    ) -> None:
        self._optimiser, self._config = optimiser, config
        self._first = [float(group["lr"]) for group in optimiser.param_groups]
        self._per_epoch, self._total = steps_per_epoch, epochs * steps_per_epoch
        self._warm = round(config.rising * self._total)
        self._steps = 0
        # The plateau's rate is a share of ours, so that warm-up can go with it: torch lowers that of a stand-in.
        self._stand_in = SGD([Parameter(torch.zeros(1))], lr=1.0)
        self._plateau = ReduceLROnPlateau(
            self._stand_in,
            mode="min" if better == "smaller" else "max",
            factor=config.factor,
            patience=config.patience,
            threshold=IMPROVEMENT,
            min_lr=config.floor,
            eps=0.0,
        )
        self._set()

    @property
    def rate(self) -> float:
        return self._first[0] * self._share()

    def after_step(self) -> None:
        self._steps += 1
        self._set()

    def after_epoch(self, value: float) -> None:
        if self._config.name == "plateau":
            self._plateau.step(value)
            self._set()

    def state_dict(self) -> dict[str, Any]:
        best = self._plateau.best if math.isfinite(self._plateau.best) else None  # JSON has no infinity
        followed = {"best": best, "num_bad_epochs": self._plateau.num_bad_epochs}
        return {"steps": self._steps, "lowered": self._stand_in.param_groups[0]["lr"], "first": self._first} | followed

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._steps, self._first = state["steps"], [*state["first"]]
        self._stand_in.param_groups[0]["lr"] = state["lowered"]
        self._plateau.best = self._plateau.mode_worse if state["best"] is None else state["best"]
        self._plateau.num_bad_epochs = state["num_bad_epochs"]
        self._set()

    def _set(self) -> None:
        for group, first in zip(self._optimiser.param_groups, self._first, strict=True):
            group["lr"] = first * self._share()

    def _share(self) -> float:
        warm = min(1.0, (self._steps + 1) / (self._warm + 1))
        if self._config.name == "step":
            return warm * self._config.gamma ** (self._steps // self._per_epoch // self._config.step_epochs)
        if self._config.name == "cosine":
            gone = max(0, self._steps - self._warm) / max(1, self._total - 1 - self._warm)
            floor = self._config.floor
            return warm * (floor + (1 - floor) * (1 + math.cos(math.pi * min(1.0, gone))) / 2)
        return warm * float(self._stand_in.param_groups[0]["lr"])

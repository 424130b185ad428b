"""Parameters of a training run's engine: loss, optimiser, schedule, which epoch is kept."""

import math
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from octa_kedro.config import Config
from octa_kedro.models.timm_names import asked_timm, timm_optimisers


class LossConfig(Config):
    """The loss that is minimised, from the predicted probabilities p and the targets y of an image.

    cross_entropy: -sum_k y_k log p_k. nll: the same, without smoothing. bce: the mean over classes of the binary
    cross entropy of p_k against y_k; with two classes it is the cross-entropy. mse: sum_k (p_k - y_k)^2, Brier's
    score. focal: -sum_k y_k (1 - p_k)^focal_gamma log p_k (Lin et al. 2017), which gives little weight to what is
    already right. `label_smoothing` moves that share of a target evenly to all classes. `class_weights`: balanced
    (inverse frequencies of the training images, with mean 1), null (all equal), or one number per class, in the order
    of cohort.classes.
    """

    name: Literal["cross_entropy", "nll", "bce", "mse", "focal"] = "cross_entropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    class_weights: Literal["balanced"] | tuple[float, ...] | None = "balanced"
    focal_gamma: float = Field(2.0, ge=0)

    @field_validator("class_weights")
    @classmethod
    def _usable(cls, weights: str | tuple[float, ...] | None) -> str | tuple[float, ...] | None:
        if isinstance(weights, tuple) and not all(math.isfinite(weight) and weight > 0 for weight in weights):
            raise ValueError("every class weight has to be a number above 0")
        return weights

    @model_validator(mode="after")
    def _consistent(self) -> "LossConfig":
        if self.name == "nll" and self.label_smoothing:
            raise ValueError("label_smoothing: nll has none; choose cross_entropy, which is nll with smoothing")
        return self


TORCH_OPTIMISERS = ("sgd", "asgd", "adam", "adamw", "adagrad", "adadelta", "rmsprop")
# These need other libraries and a GPU, second derivatives, or random numbers that are not in their state.
UNFIT = ("bnb", "fused", "adahessian", "kron")
ELSEWHERE = {"lr": "learning_rate", "weight_decay": "weight_decay", "momentum": "momentum"}


def optimiser_names() -> list[str]:
    """Names that `OptimiserConfig` takes."""
    return sorted({*TORCH_OPTIMISERS, *(name for name in timm_optimisers() if not name.startswith(UNFIT))})


def is_optimiser(name: str) -> bool:
    """Whether `OptimiserConfig` takes that name. timm is imported only for a name that resembles no known one."""
    known = optimiser_names()
    if name in known or get_close_matches(name, known, n=1, cutoff=0.8):
        return name in known
    return name in asked_timm() and not name.startswith(UNFIT)


class OptimiserConfig(Config):
    """Which optimiser: sgd, asgd, adam, adamw, adagrad, adadelta, rmsprop of torch, or one of timm (adamp, lion, ...).

    `learning_rate` is the highest one; the schedule says how it rises and falls. `momentum` is used by methods that
    have one. `weight_decay` is decoupled from the gradient where the method does so (adamw, lion, ...). `options` are
    further keywords of the optimiser's class, such as ``betas: [0.9, 0.99]``.
    """

    name: str = "adamw"
    learning_rate: PositiveFloat = 1e-3
    weight_decay: float = Field(1e-2, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    options: dict[str, Any] = Field({})

    @model_validator(mode="after")
    def _known(self) -> "OptimiserConfig":
        if not is_optimiser(self.name):
            near = get_close_matches(self.name, optimiser_names(), n=5, cutoff=0.5) or [*TORCH_OPTIMISERS]
            raise ValueError(f"name: there is no optimiser {self.name}; near or common ones are {', '.join(near)}")
        if self.options:  # rare: only the optimiser itself knows its options
            from octa_kedro.training.engine.optimisers import check_options  # noqa: PLC0415

            check_options(self)
        return self


ONE_CYCLE_WARM_UP = 0.2


class ScheduleConfig(Config):
    """The rate over all steps, as a share of the optimiser's learning_rate.

    one_cycle: up from 1/25 to 1 and down to almost 0 in cosines, while momentum (or the first beta) goes from .95 to
    .85 and back, whatever `optimiser.momentum` is (Smith and Topin 2019). constant: 1. step: times `gamma` every
    `step_epochs` epochs. cosine: from 1 down to `floor` (Loshchilov and Hutter 2017). plateau: times `factor` whenever
    `stop.metric` has not improved for more than `patience` epochs, and never below `floor`.
    `warm_up` is the share of all steps in which the rate rises: by default .2 of a one_cycle, otherwise none, and
    there linearly, on top of the schedule.
    """

    name: Literal["one_cycle", "constant", "step", "cosine", "plateau"] = "one_cycle"
    warm_up: float | None = Field(None, ge=0, lt=1)
    step_epochs: PositiveInt = 10
    gamma: float = Field(0.94, gt=0, le=1)
    factor: float = Field(0.5, gt=0, lt=1)
    patience: int = Field(5, ge=0)
    floor: float = Field(0.0, ge=0, lt=1)

    @property
    def rising(self) -> float:
        """The share of all steps in which the rate rises."""
        if self.warm_up is None:
            return ONE_CYCLE_WARM_UP if self.name == "one_cycle" else 0.0
        return self.warm_up


SMALLER_IS_BETTER = ("train_loss", "val_loss", "val_brier")
LARGER_IS_BETTER = ("val_auroc", "val_accuracy", "val_balanced_accuracy", "val_f1")
HISTORY_METRICS = (*SMALLER_IS_BETTER, *LARGER_IS_BETTER)


class StopConfig(Config):
    """The best epoch is the one with the best `metric` after the share `keep_from` of all epochs: before that the
    rate is still high, the loss of a small validation set jumps, and an epoch that is best by chance would be kept.

    Training stops when in `patience` epochs the metric has not improved by more than the share `tolerance` of its best.
    With `keep` last, all epochs are trained and the last one is kept, whatever its metric: a few validation eyes do not
    choose.
    """

    keep: Literal["best", "last"] = "best"
    metric: str = "val_loss"
    patience: PositiveInt = 15
    tolerance: float = Field(0.0, ge=0, lt=1)
    keep_from: float = Field(0.0, ge=0, lt=1)

    @property
    def chosen_by(self) -> str:
        """What chooses the kept epoch, for the history: the best value of this metric, or ``last``."""
        return "last" if self.keep == "last" else self.metric

    @property
    def better(self) -> Literal["smaller", "larger"]:
        """The direction in which `metric` gets better."""
        return "smaller" if self.metric in SMALLER_IS_BETTER else "larger"

    @field_validator("metric")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in HISTORY_METRICS:
            near = get_close_matches(name, HISTORY_METRICS, n=1)
            raise ValueError(
                f"unknown metric, did you mean {near[0]}?" if near else f"known: {', '.join(HISTORY_METRICS)}"
            )
        return name

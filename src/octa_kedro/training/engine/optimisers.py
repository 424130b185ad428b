"""Optimisers of torch and timm by name."""

import inspect
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import torch
from pydantic import Field, PositiveFloat, model_validator
from timm.optim import get_optimizer_class, get_optimizer_info, list_optimizers
from torch import optim

from octa_kedro.config import Config
from octa_kedro.errors import ConfigError

TORCH: dict[str, type[optim.Optimizer]] = {
    "sgd": optim.SGD,
    "asgd": optim.ASGD,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "adagrad": optim.Adagrad,
    "adadelta": optim.Adadelta,
    "rmsprop": optim.RMSprop,
}
# One pass over the weights instead of several: AdamW on a CPU is eight times faster.
FUSED = {"sgd": ("cpu", "cuda"), "adam": ("cpu", "cuda"), "adamw": ("cpu", "cuda"), "adagrad": ("cpu",)}
# These need other libraries and a GPU, second derivatives, or chance that no state holds.
UNFIT = ["bnb*", "fused*", "adahessian", "kron*"]
ELSEWHERE = {"lr": "learning_rate", "weight_decay": "weight_decay", "momentum": "momentum"}


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
        known = optimiser_names()
        if self.name not in known:
            near = get_close_matches(self.name, known, n=5, cutoff=0.5) or list(TORCH)
            raise ValueError(f"name: there is no optimiser {self.name}; near or common ones are {', '.join(near)}")
        allowed = _options_of(self.name)
        for key in self.options:
            if key in ELSEWHERE:
                raise ValueError(f"options.{key}: set {ELSEWHERE[key]} instead")
            if key not in allowed:
                near = get_close_matches(key, allowed, n=1) or allowed
                raise ValueError(f"options.{key}: {self.name} has no such option; it has {', '.join(near)}")
        if self.options:
            _build(self, [torch.nn.Parameter(torch.zeros(2, 2))], {})
        return self


def optimiser_names() -> list[str]:
    """Every name that `OptimiserConfig` takes."""
    return sorted({*TORCH, *list_optimizers(exclude_filters=UNFIT)})


def make_optimiser(
    parameters: Iterable[torch.nn.Parameter], config: OptimiserConfig, *, fused: bool = True
) -> optim.Optimizer:
    """The optimiser of those of `parameters` that are trained, where they are now; frozen ones are left out.

    With `fused` it takes torch's fused version where there is one for their device. ConfigError if all are frozen or
    the optimiser refuses its options.
    """
    trained = [weight for weight in parameters if weight.requires_grad]
    if not trained:
        raise ConfigError("no weight is left to train; lower start.frozen_stages")
    quick = fused and {weight.device.type for weight in trained} <= set(FUSED.get(config.name, ()))
    try:
        return _build(config, trained, {"fused": True} if quick else {})
    except ValueError as error:
        raise ConfigError(f"optimiser.{error}") from error


def _build(config: OptimiserConfig, trained: list[torch.nn.Parameter], speed: dict[str, Any]) -> optim.Optimizer:
    """The optimiser; ValueError if it refuses its options."""
    keywords: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay, **speed}
    if _has_momentum(config.name):
        keywords["momentum"] = config.momentum
    keywords |= {key: tuple(value) if isinstance(value, list) else value for key, value in config.options.items()}
    try:
        return _class_of(config.name)(trained, **keywords)
    except (ValueError, TypeError, AssertionError, RuntimeError) as error:
        raise ValueError(f"options: {config.name} refuses them: {error}") from error


def _class_of(name: str) -> Any:
    return TORCH.get(name) or get_optimizer_class(name, bind_defaults=True)


def _has_momentum(name: str) -> bool:
    return name in {"sgd", "rmsprop"} if name in TORCH else bool(get_optimizer_info(name).has_momentum)


def _options_of(name: str) -> list[str]:
    """Keywords of the optimiser's class, without those that have a parameter of their own."""
    found = inspect.signature(TORCH.get(name) or get_optimizer_class(name, bind_defaults=False)).parameters
    kinds = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    return [key for key, one in found.items() if one.kind in kinds and key not in {"params", *ELSEWHERE}]

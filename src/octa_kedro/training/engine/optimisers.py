"""Optimisers of torch and timm by name."""

import inspect
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import torch
from timm.optim import get_optimizer_class, get_optimizer_info
from torch import optim

from octa_kedro.errors import ConfigError
from octa_kedro.training.engine.config import ELSEWHERE, OptimiserConfig

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


def make_optimiser(
    parameters: Iterable[torch.nn.Parameter], config: OptimiserConfig, *, fused: bool = True
) -> optim.Optimizer:
    """The optimiser of the trained ones of `parameters`, on their present device; frozen ones are left out.

    With `fused` it takes torch's fused version where there is one for their device. ConfigError if all are frozen or
    the optimiser refuses its options.
    """
    trained = [weight for weight in parameters if weight.requires_grad]
    if not trained:
        raise ConfigError("all weights are frozen, there is none to train; lower start.frozen_stages")
    quick = fused and {weight.device.type for weight in trained} <= set(FUSED.get(config.name, ()))
    try:
        return build_optimiser(config, trained, {"fused": True} if quick else {})
    except ValueError as error:
        raise ConfigError(f"optimiser.{error}") from error


def build_optimiser(
    config: OptimiserConfig, trained: list[torch.nn.Parameter], speed: dict[str, Any]
) -> optim.Optimizer:
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


def options_of(name: str) -> list[str]:
    """Keywords of the optimiser's class, without those that have a parameter of their own."""
    found = inspect.signature(TORCH.get(name) or get_optimizer_class(name, bind_defaults=False)).parameters
    kinds = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    return [key for key, one in found.items() if one.kind in kinds and key not in {"params", *ELSEWHERE}]


def check_options(config: OptimiserConfig) -> None:
    """ValueError for an option that the optimiser does not have or refuses."""
    allowed = options_of(config.name)
    for key in config.options:
        if key in ELSEWHERE:
            raise ValueError(f"options.{key}: set {ELSEWHERE[key]} instead")
        if key not in allowed:
            near = get_close_matches(key, allowed, n=1) or allowed
            raise ValueError(f"options.{key}: {config.name} has no such option; it has {', '.join(near)}")
    build_optimiser(config, [torch.nn.Parameter(torch.zeros(2, 2))], {})

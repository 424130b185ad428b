"""Sharpness-aware steps (Foret et al. 2021): the gradient is taken where the loss is highest near the weights."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.utils import get_total_norm


@contextmanager
def climbed(model: nn.Module, radius: float) -> Iterator[None]:
    """Inside the block, the weights of `model` lie `radius` (Euclidean, over all of them together) along the gradient
    that they hold, w + radius g / |g|, and hold none any more; after it they are bitwise what they were, with the
    gradient that the block computed.

    Norm layers do not count what they see in the block in their running statistics: it is the step's batch once more,
    seen by other weights. FloatingPointError if the gradient is not finite.
    """
    trained = [weight for weight in model.parameters() if weight.grad is not None]
    gradients = [weight.grad for weight in trained if weight.grad is not None]
    norm = float(get_total_norm(gradients))
    if not math.isfinite(norm):
        raise FloatingPointError("gradient")
    own = [weight.detach().clone() for weight in trained]
    with torch.no_grad():
        for weight, gradient in zip(trained, gradients, strict=True):
            weight.add_(gradient, alpha=radius / (norm + 1e-12))
            weight.grad = None
    counting = [layer for layer in model.modules() if layer.training and getattr(layer, "track_running_stats", False)]
    _track(counting, tracked=False)
    try:
        yield
    finally:
        _track(counting, tracked=True)
        with torch.no_grad():
            for weight, before in zip(trained, own, strict=True):
                weight.copy_(before)


def _track(layers: list[Any], *, tracked: bool) -> None:
    for layer in layers:
        layer.track_running_stats = tracked

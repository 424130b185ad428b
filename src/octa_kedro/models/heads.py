"""Auxiliary heads: what a network with them returns in training, and the loss that uses them."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

AUXILIARY_WEIGHT = 0.4  # Szegedy et al. 2016; 0.3 in GoogLeNet


class TrainingOutput(NamedTuple):
    """Logits ``(N, classes)`` and those of the auxiliary heads."""

    logits: torch.Tensor
    auxiliary: tuple[torch.Tensor, ...]


def loss_with_auxiliary(
    output: torch.Tensor | TrainingOutput,
    loss: Callable[[torch.Tensor], torch.Tensor],
    weight: float = AUXILIARY_WEIGHT,
) -> torch.Tensor:
    """`loss` of the logits, plus `weight` times that of each auxiliary head."""
    if not isinstance(output, TrainingOutput):
        return loss(output)
    return loss(output.logits) + weight * sum((loss(one) for one in output.auxiliary), output.logits.new_zeros(()))


class WithAuxiliary(nn.Module):
    """A 2D network of timm or torchvision that returns a tuple, made to return a `TrainingOutput` in training
    and logits otherwise."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor | TrainingOutput:
        output = self.network(images)
        if isinstance(output, torch.Tensor):
            return output
        logits, *auxiliary = output
        if not self.training:
            return logits
        return TrainingOutput(logits, tuple(one for one in auxiliary if one is not None))

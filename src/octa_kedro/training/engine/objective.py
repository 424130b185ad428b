"""What a network is trained for: the loss of each image."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn
from torch.nn import functional

from octa_kedro.models.heads import loss_with_auxiliary
from octa_kedro.training.data.mixup import mix
from octa_kedro.training.engine.losses import Loss


class Objective(Protocol):
    """The weighted loss of each image of a batch, and the weights: their sums over a step are divided by each other,
    whatever devices and accumulated batches the step is spread over."""

    def weights(self, targets: torch.Tensor) -> torch.Tensor:
        """``(N,)`` weights of images with these targets ``(N,)``."""
        ...

    def losses(
        self, model: nn.Module, images: torch.Tensor, targets: torch.Tensor, stream: torch.Generator
    ) -> torch.Tensor:
        """``(N,)`` weighted losses; random numbers are drawn from `stream`."""
        ...


@dataclass(frozen=True)
class Classification:
    """Predict the target; with `mixup` > 0 from mixtures of two images of a batch."""

    loss: Loss
    mixup: float = 0.0

    def weights(self, targets: torch.Tensor) -> torch.Tensor:
        """Those of the targets' classes."""
        return self.loss.weights(targets)

    def losses(
        self, model: nn.Module, images: torch.Tensor, targets: torch.Tensor, stream: torch.Generator
    ) -> torch.Tensor:
        """The loss of the logits and, with their smaller weight, of auxiliary heads."""
        soft = self.loss.soft(targets)
        weights = self.loss.weights(soft)
        if self.mixup:
            images, soft = mix(images, soft, self.mixup, stream)
            weights = self.loss.weights(soft)
        return weights * loss_with_auxiliary(model(images), lambda logits: self.loss.per_image(logits, soft))


class Rebuilding:
    """Give back the image: mean squared error per voxel, all images alike."""

    def weights(self, targets: torch.Tensor) -> torch.Tensor:
        """Ones."""
        return torch.ones(len(targets), device=targets.device)

    def losses(
        self, model: nn.Module, images: torch.Tensor, _targets: torch.Tensor, _stream: torch.Generator
    ) -> torch.Tensor:
        """Mean squared error over the voxels of each image."""
        return functional.mse_loss(model(images), images, reduction="none").flatten(1).mean(1)

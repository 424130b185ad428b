"""Losses of a classifier, one value an image; the training loop averages them.

All are functions of the logarithm of the softmax, so that with each the softmax is the predicted probability.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.training.engine.config import LossConfig


@dataclass(frozen=True)
class Loss:
    """The loss of `config`, with one weight per class ``(K,)``, which is copied to the device of the targets."""

    config: LossConfig
    class_weights: torch.Tensor

    def soft(self, targets: torch.Tensor) -> torch.Tensor:
        """Class numbers ``(N,)`` as shares ``(N, K)`` of the classes, smoothed."""
        classes = len(self.class_weights)
        hard = torch.nn.functional.one_hot(targets, classes).float()
        smoothing = self.config.label_smoothing
        return hard * (1 - smoothing) + smoothing / classes

    def weights(self, targets: torch.Tensor) -> torch.Tensor:
        """What each image counts ``(N,)``: the weight of its class.

        `targets` are class numbers, or shares ``(N, K)`` of mixed images, which count the mixture of the weights.
        The smoothing by `soft` is taken off first: it says nothing of what an image shows.
        """
        weights = self.class_weights.to(targets.device)
        if targets.ndim == 1:
            return weights[targets]
        smoothing = self.config.label_smoothing
        hard = (targets - smoothing / len(weights)) / (1 - smoothing)
        return hard @ weights

    def per_image(self, logits: torch.Tensor, soft: torch.Tensor) -> torch.Tensor:
        """The loss ``(N,)`` of logits ``(N, K)`` against shares ``(N, K)``, unweighted, computed in float32."""
        with torch.autocast(logits.device.type, enabled=False):
            log_p = torch.log_softmax(logits.float(), dim=1)
            soft = soft.float()
            if self.config.name == "bce":
                return -(soft * log_p + (1 - soft) * log_of_rest(log_p)).mean(dim=1)
            if self.config.name == "mse":
                return (log_p.exp() - soft).square().sum(dim=1)
            if self.config.name == "focal":
                # As a power of e: (1 - p)^gamma has no finite slope at p = 1 for gamma below 1.
                light = torch.exp(self.config.focal_gamma * log_of_rest(log_p))
                return -(soft * light * log_p).sum(dim=1)
            return -(soft * log_p).sum(dim=1)


def log_of_rest(log_p: torch.Tensor) -> torch.Tensor:
    """log(1 - p_k) ``(N, K)`` from the sum of all other p, which keeps its digits where p_k is near 1."""
    classes = log_p.shape[1]
    others = log_p.unsqueeze(1).expand(-1, classes, -1)
    own = torch.eye(classes, dtype=torch.bool, device=log_p.device)
    return torch.logsumexp(others.masked_fill(own, -math.inf), dim=2)


def make_loss(config: LossConfig, targets: Sequence[int], classes: int) -> Loss:
    """The loss for training images of class numbers `targets`.

    DataError if a class has no training image, ConfigError if there is not one class weight for each class.
    """
    counts = torch.bincount(torch.tensor(targets, dtype=torch.long), minlength=classes).float()
    if (counts == 0).any():
        raise DataError("a class has no training subject in this fold; use fewer folds or more subjects")
    if config.class_weights == "balanced":
        return Loss(config, counts.reciprocal() / counts.reciprocal().mean())
    if config.class_weights is None:
        return Loss(config, torch.ones(classes))
    if len(config.class_weights) != classes:
        raise ConfigError(
            f"class_weights has {len(config.class_weights)} numbers, but there are {classes} classes; give one number "
            "per class, in the order of cohort.classes, or 'balanced'"
        )
    return Loss(config, torch.tensor(config.class_weights))

"""Test-time augmentation: an eye is shown to the network in several ways, and the probabilities are averaged."""

import math
from collections.abc import Iterator, Sequence

import torch

from octa_kedro.training.data.config import ViewsConfig


def views_of(images: torch.Tensor, config: ViewsConfig) -> Iterator[torch.Tensor]:
    """Images ``(N, C, [D,] H, W)`` as they are and then mirrored: one, two or four times."""
    for flip_y in (False, True) if config.flip_y else (False,):
        for flip_x in (False, True) if config.flip_x else (False,):
            axes = [axis for axis, flipped in ((-1, flip_x), (-2, flip_y)) if flipped]
            yield images.flip(axes) if axes else images


def mean_logits(logits: Sequence[torch.Tensor]) -> torch.Tensor:
    """Logits ``(N, K)`` of several views as one: the logarithm of the mean probability.

    Probabilities are averaged, as they are over patches and folds: with logits one view that is very sure would
    outvote all others. Those of a single view are left as they are.
    """
    if len(logits) == 1:
        return logits[0]
    each = torch.log_softmax(torch.stack([*logits]), dim=2)
    return torch.logsumexp(each, dim=0) - math.log(len(logits))

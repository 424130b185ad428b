"""Mixup (Zhang et al. 2018): training on mixtures of two images and of their targets."""

import numpy as np
import torch


def mix(
    images: torch.Tensor, soft: torch.Tensor, alpha: float, stream: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images ``(N, C, ...)`` and shares ``(N, K)``, each mixed with another of the batch; with `alpha` 0 as they are.

    The share of the first is drawn from Beta(alpha, alpha), once a batch as in the paper's code, and the partners are
    a random order of the batch. torch draws a beta distribution from its global stream only, so `stream` (a generator
    on the CPU) seeds numpy's: what is drawn follows from the state of `stream` alone.
    """
    if alpha == 0:
        return images, soft
    seed = int(torch.randint(2**63 - 1, (), generator=stream))
    share = float(np.random.default_rng(seed).beta(alpha, alpha))
    order = torch.randperm(len(images), generator=stream)
    return _blend(images, order, share), _blend(soft, order, share)


def _blend(tensor: torch.Tensor, order: torch.Tensor, share: float) -> torch.Tensor:
    return share * tensor + (1 - share) * tensor[order.to(tensor.device)]

"""En-face maps in pieces for a 2D network, and an eye's prediction from those of its pieces."""

import math
from dataclasses import replace

import numpy as np
import torch

from octa_kedro.io.volume import PlaneStack
from octa_kedro.preprocessing.patch_config import PatchConfig
from octa_kedro.preprocessing.patches import split_patches


def cut_patches(stack: PlaneStack, slabs: tuple[str, ...], config: PatchConfig) -> tuple[PlaneStack, ...]:
    """One PlaneStack of `slabs` per patch, in the order of ``config.names``; all slabs are cut at the same places.

    The affine has the pixels' spacing and the place of the whole map: a patch says what it shows, not where.
    """
    pieces = [split_patches(stack.plane(name), config, what=f"{stack.source}, {name}") for name in slabs]
    affine = stack.grid_affine.copy()
    affine[:2, :2] *= np.asarray(stack.array.shape[:2]) / (config.n * config.size)
    return tuple(
        replace(stack, array=np.stack(planes, axis=2), grid_affine=affine, names=slabs)
        for planes in zip(*pieces, strict=True)
    )


def pool_patches(logits: torch.Tensor, per_eye: int) -> torch.Tensor:
    """Logits ``(eyes * per_eye, classes)`` of patches as ``(eyes, classes)``: the logarithm of the mean probability.

    Probabilities are averaged, as they are over folds: with logits one patch that is very sure would outvote
    all others. With one image per eye nothing is changed.
    """
    if per_eye == 1:
        return logits
    each = torch.log_softmax(logits, dim=1).reshape(-1, per_eye, logits.shape[1])
    return torch.logsumexp(each, dim=1) - math.log(per_eye)

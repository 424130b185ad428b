"""Evidence from looking away: how much of the margin is lost where the eye is made unremarkable."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from octa_kedro.explain.config import BLOCK_VOXELS
from octa_kedro.explain.gradients import blurred
from octa_kedro.explain.request import MapRequest

BATCH = 8
Block = tuple[slice, ...]


def occlusion(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Occlusion (Zeiler and Fergus 2014) of one image ``(1, C, [D,] H, W)``: block by block, the eye is replaced by the
    eye blurred in plane, and what the margin loses is the block's evidence, shared evenly by its voxels of tissue.

    Blocks are `occlusion_depth_mm` deep and `occlusion_lateral_mm` wide; those without tissue are left out.
    """
    inside = request.tissue(image)
    blocks = blocks_of(request, inside)
    return shared_evenly(gains(request, blurred(request, image), image, blocks), blocks, inside)


def blocks_of(request: MapRequest, inside: NDArray[np.bool_]) -> list[Block]:
    """The blocks that cut up a grid ``([D,] H, W)``, but for those without tissue (`inside`)."""
    lengths = request.voxels(request.config.occlusion_depth_mm, request.config.occlusion_lateral_mm, BLOCK_VOXELS)
    sizes = [max(1, round(length)) for length in lengths]
    grid = itertools.product(*(range(0, n, size) for n, size in zip(inside.shape, sizes, strict=True)))
    blocks = [tuple(slice(at, at + size) for at, size in zip(corner, sizes, strict=True)) for corner in grid]
    return [block for block in blocks if inside[block].any()]


def gains(
    request: MapRequest, without: torch.Tensor, image: torch.Tensor, blocks: Sequence[Block]
) -> NDArray[np.float64]:
    """What the margin of `image` loses with each block of it exchanged for that of `without`."""
    with torch.no_grad():
        whole = float(request.margin(image))
        lost = [
            whole - left
            for first in range(0, len(blocks), BATCH)
            for left in request.margin(_exchanged(image, without, blocks[first : first + BATCH])).tolist()
        ]
    return np.asarray(lost)


def shared_evenly(
    evidence: NDArray[np.floating], blocks: Sequence[Block], inside: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """A map of the `evidence` of each block, shared evenly by its voxels of tissue (`inside`)."""
    shared = np.zeros(inside.shape, np.float32)
    for value, block in zip(evidence, blocks, strict=True):
        shared[block] = value / inside[block].sum()
    return np.where(inside, shared, 0).astype(np.float32)


def _exchanged(image: torch.Tensor, other: torch.Tensor, blocks: Sequence[Block]) -> torch.Tensor:
    """Copies of `image`, each with one of its blocks exchanged for that of `other`."""
    batch = image.repeat(len(blocks), *(1,) * (image.ndim - 1))
    for one, block in zip(batch, blocks, strict=True):
        one[(slice(None), *block)] = other[0][(slice(None), *block)]
    return batch

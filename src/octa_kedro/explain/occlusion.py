"""Evidence from looking away: how much of the margin is lost where the eye is made unremarkable."""

import itertools

import numpy as np
import torch
from numpy.typing import NDArray

from octa_kedro.explain.gradients import blurred
from octa_kedro.explain.request import MapRequest

BATCH, BLOCK_VOXELS = 8, 8


def occlusion(request: MapRequest, image: torch.Tensor) -> NDArray[np.float32]:
    """Occlusion (Zeiler and Fergus 2014) of one image ``(1, C, [D,] H, W)``: block by block, the eye is replaced by the
    eye blurred in plane, and what the margin loses is the block's evidence, shared evenly by its voxels of tissue.

    Blocks are `occlusion_depth_mm` deep and `occlusion_lateral_mm` wide; those without tissue are left out.
    """
    config, shape = request.config, tuple(image.shape[2:])
    lengths = request.voxels(config.occlusion_depth_mm, config.occlusion_lateral_mm, BLOCK_VOXELS)
    sizes = [max(1, round(length)) for length in lengths]
    inside = request.tissue(image)
    grid = itertools.product(*(range(0, n, size) for n, size in zip(shape, sizes, strict=True)))
    blocks = [tuple(slice(at, at + size) for at, size in zip(corner, sizes, strict=True)) for corner in grid]
    blocks = [block for block in blocks if inside[block].any()]
    baseline, evidence = blurred(request, image), np.zeros(shape, np.float32)
    with torch.no_grad():
        whole = float(request.margin(image))
        for first in range(0, len(blocks), BATCH):
            some = blocks[first : first + BATCH]
            batch = image.repeat(len(some), *(1,) * (image.ndim - 1))
            for one, block in zip(batch, some, strict=True):
                one[(slice(None), *block)] = baseline[0][(slice(None), *block)]
            for block, left in zip(some, request.margin(batch).tolist(), strict=True):
                evidence[block] = (whole - left) / inside[block].sum()
    return np.where(inside, evidence, 0).astype(np.float32)

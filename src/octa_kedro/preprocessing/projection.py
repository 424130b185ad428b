"""En-face maps: volumes averaged between two surfaces."""

import numpy as np
from numpy.typing import NDArray

# Surfaces on a voxel centre must not fall to either side by rounding of the last digit.
TIE = 1e-3


def project_mean(array: NDArray, top: NDArray, bottom: NDArray) -> NDArray[np.float32]:
    """Mean of ``array[x, y, z]`` over the voxels whose centre lies in ``top <= z < bottom`` (each ``[x, y]``).

    Edges are in units of the voxel index, whose whole numbers are voxel centres; a column without any voxel
    in the slab gives 0.
    """
    depth = array.shape[2]
    first = np.clip(np.ceil(top - TIE), 0, depth).astype(int)
    last = np.maximum(np.clip(np.ceil(bottom - TIE), 0, depth).astype(int), first)
    total = np.zeros((*array.shape[:2], depth + 1), np.float32)
    np.cumsum(array, axis=2, dtype=np.float32, out=total[..., 1:])
    summed = np.take_along_axis(total, last[..., None], 2) - np.take_along_axis(total, first[..., None], 2)
    return summed[..., 0] / np.maximum(last - first, 1)

"""En-face maps: volumes averaged between two surfaces."""

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import ConfigError
from octa_kedro.io.volume import PlaneStack

# The surfaces that bound each slab.
SLABS = {"ILM_OPL": ("ILM", "OPL_ONL"), "OPL_BM": ("OPL_ONL", "BM"), "ILM_BM": ("ILM", "BM")}


def slab_edges(surfaces: PlaneStack, slab: str) -> tuple[NDArray, NDArray]:
    """Depths in millimetres ``[x, y]`` between which `slab` lies."""
    if slab not in SLABS:
        raise ConfigError(f"slab {slab!r} is unknown; choose from {', '.join(SLABS)}")
    upper, lower = SLABS[slab]
    return surfaces.plane(upper), surfaces.plane(lower)


def project_mean(array: NDArray, top: NDArray, bottom: NDArray) -> NDArray[np.float32]:
    """Mean of ``array[x, y, z]`` over the voxels whose index lies in ``top .. bottom`` (each ``[x, y]``).

    Edges are in voxel units and rounded to whole voxels; a column without any voxel in the slab gives 0.
    """
    depth = array.shape[2]
    first = np.clip(np.rint(top), 0, depth).astype(int)
    last = np.maximum(np.clip(np.rint(bottom), 0, depth).astype(int), first)
    total = np.zeros((*array.shape[:2], depth + 1), np.float32)
    np.cumsum(array, axis=2, dtype=np.float32, out=total[..., 1:])
    summed = np.take_along_axis(total, last[..., None], 2) - np.take_along_axis(total, first[..., None], 2)
    return summed[..., 0] / np.maximum(last - first, 1)

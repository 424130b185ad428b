"""Slabs of the retina by name: which surfaces bound each, and which voxels lie inside."""

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.volume import PlaneStack
from octa_kedro.preprocessing.projection import TIE
from octa_kedro.preprocessing.slab_names import find_slab


def slab_edges(surfaces: PlaneStack, slab: str) -> tuple[NDArray, NDArray]:
    """Depths in millimetres ``[x, y]`` between which `slab` lies: upper edge inside, lower edge outside.

    The end of the scan is minus or plus infinity, which `project_mean` and `slab_mask` clip to the voxels there
    are. DataError names a surface that the eye lacks.
    """
    bounds = find_slab(slab)
    top = _edge(surfaces, bounds.upper, bounds.upper_um, -np.inf, slab)
    return top, _edge(surfaces, bounds.lower, bounds.lower_um, np.inf, slab)


def slab_mask(
    surfaces: PlaneStack, slab: str, shape: tuple[int, int, int], affine: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which voxels ``[x, y, z]`` of a scan of `shape` have their centre inside `slab`; `surfaces` are on its
    A-scans."""
    if surfaces.array.shape[:2] != shape[:2]:
        raise DataError(
            f"{surfaces.source}: surfaces of {surfaces.array.shape[:2]} A-scans, but the scan has {shape[:2]}; "
            "resample them together"
        )
    depth_mm = affine[2, 2] * np.arange(shape[2]) + affine[2, 3]
    top, bottom = slab_edges(surfaces, slab)
    tie = TIE * affine[2, 2]  # as in `project_mean`
    return (depth_mm >= top[..., None] - tie) & (depth_mm < bottom[..., None] - tie)


def remove_stray(mask: NDArray, gap_voxels: int = 10) -> NDArray:
    """`mask` ``[x, y, z]`` without what lies below a gap: going down each column, the first voxel that is more than
    `gap_voxels` deeper than the one before it is removed, with all below it."""
    kept = np.zeros_like(mask)
    depth = np.arange(mask.shape[2], dtype=np.int32)
    for x, column in enumerate(mask):  # one B-scan's worth at a time: depth indices of a whole scan need 400 MB
        there = column != 0
        last = np.maximum.accumulate(np.where(there, depth, np.int32(-1)), axis=1)
        before = np.pad(last[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
        stray = there & (before >= 0) & (depth - before > gap_voxels)
        kept[x] = np.where(np.logical_or.accumulate(stray, axis=1), 0, column)
    return kept


def surface_plane(surfaces: PlaneStack, name: str, *, who: str) -> NDArray:
    """Depths ``[x, y]`` of surface `name`; DataError says that `who` needs it, and what there is."""
    if name not in surfaces.names:
        raise DataError(
            f"{surfaces.source}: {who} needs surface {name}, but there are only {', '.join(surfaces.names)}; supply "
            "it, or remove the layer file so that surfaces are estimated"
        )
    return surfaces.plane(name)


def _edge(surfaces: PlaneStack, name: str | None, offset_um: float, end: float, slab: str) -> NDArray:
    if name is None:
        return np.full(surfaces.array.shape[:2], end)
    plane = surface_plane(surfaces, name, who=f"slab {slab}")
    return plane + offset_um / 1000 if offset_um else plane

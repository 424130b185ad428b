"""Reads the layers and the mask of the MATLAB label files, and checks that retinal surfaces fit their scan."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.masks import as_mask
from octa_kedro.io.matlab import read_matlab
from octa_kedro.io.octa500 import SURFACE_INDEX_BASE, SURFACES
from octa_kedro.io.volume import Laterality, PlaneStack

LAYER_KEY = "Layer"
CROSSING_VOXELS = 1.0
"""Surfaces are rounded to whole voxels, so the borders of a thin layer may touch or cross by this much."""
FAZ_KEY = "FAZlabel"
REMEDY = "segment the eye again or remove its layers"


def read_layers(path: Path, width: int, n_bscans: int) -> NDArray[np.float32]:
    """Six surfaces ``[x, y, surface]``: depths in voxels, counted from 0.

    The release stores them as (surface, x, y). Any other order is accepted if all three lengths differ, so that each
    axis is known by its length. DataError names the file if the lengths do not fit, or if two of them are equal and
    the order is not that of the release.
    """
    array, reversed_axes = read_matlab(path, LAYER_KEY)
    if array.dtype.kind not in "uif":
        raise DataError(f"{path}: layers must be numbers, this variable has the type {array.dtype}")
    released = (2, 1, 0) if reversed_axes else (0, 1, 2)
    order = _axis_order(path, "layers", array.shape, released, (len(SURFACES), width, n_bscans))
    return array.astype(np.float32).transpose(order).transpose(1, 2, 0) - SURFACE_INDEX_BASE


def read_faz_volume(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The 3D mask of the foveal avascular zone ``[x, y, z]`` on the grid of a scan of `shape`, 0 and 1.

    The depth axis is found by its length, and so are x and y if their lengths differ. If these are equal, x is assumed
    to come before y in MATLAB's order, as in the layer files. DataError if it has another shape or is no mask.
    """
    array, reversed_axes = read_matlab(path, FAZ_KEY)
    if array.ndim != 3 or array.shape.count(shape[2]) != 1:
        raise DataError(f"{path}: a mask of shape {array.shape}, but the scan needs {shape}")
    depth = array.shape.index(shape[2])
    first, second = (axis for axis in range(3) if axis != depth)
    released = (second, first, depth) if reversed_axes else (first, second, depth)
    order = _axis_order(path, "a mask", array.shape, released, shape)
    return as_mask(path, array.transpose(order))


def surfaces_in_mm(
    depths: NDArray[np.float32], affine: NDArray[np.float64], laterality: Laterality | None, source: str
) -> PlaneStack:
    """Surfaces ``[x, y, surface]`` in voxels, counted from 0, converted to millimetres in the world frame."""
    millimetres = (depths * affine[2, 2] + affine[2, 3]).astype(np.float32)
    return PlaneStack(millimetres, affine, SURFACES, laterality, source)


def check_surfaces(depths: NDArray, names: tuple[str, ...], *, depth: int, who: str) -> None:
    """Check that surfaces ``[x, y, surface]`` in voxels from 0, the uppermost first, fit a scan `depth` voxels deep.

    DataError names `who` and the surfaces if an A-scan has no value, a surface lies outside the scan, or
    one lies above its predecessor by more than `CROSSING_VOXELS`.
    """
    lost = ~np.isfinite(depths) | (depths < 0).all(axis=2, keepdims=True)  # stored as 0: files count depths from 1
    if lost.any():
        where = ", ".join(names[i] for i in np.flatnonzero(lost.any(axis=(0, 1))))
        raise DataError(f"{who}: {lost.any(axis=2).mean():.2%} of the A-scans have no value in {where}; {REMEDY}")
    outside = (depths < -CROSSING_VOXELS) | (depths > depth - 1 + CROSSING_VOXELS)
    if outside.any():
        where = ", ".join(names[i] for i in np.flatnonzero(outside.any(axis=(0, 1))))
        raise DataError(
            f"{who}: {where} outside the scan's {depth} voxels of depth in {outside.any(axis=2).mean():.2%} of the "
            f"A-scans; {REMEDY}"
        )
    above = depths[..., :-1] - depths[..., 1:]
    if (above > CROSSING_VOXELS).any():
        crossing = above > CROSSING_VOXELS
        pairs = [f"{names[i]} and {names[i + 1]}" for i in np.flatnonzero(crossing.any(axis=(0, 1)))]
        raise DataError(
            f"{who}: the surfaces {', '.join(pairs)} cross in {crossing.any(axis=2).mean():.2%} of the "
            f"A-scans, by up to {above.max():.0f} voxels; {REMEDY}"
        )


def _axis_order(
    path: Path, what: str, found: tuple[int, ...], released: tuple[int, int, int], wanted: tuple[int, int, int]
) -> tuple[int, ...]:
    """For each axis of `wanted`, its index in an array of shape `found`; the order `released` is taken if it fits."""
    if len(found) != 3 or sorted(found) != sorted(wanted):
        raise DataError(f"{path}: {what} of shape {found}, but the scan needs {wanted} in some order")
    if tuple(found[axis] for axis in released) == wanted:
        return released
    if len(set(wanted)) < 3:
        raise DataError(
            f"{path}: {what} of shape {found} instead of {wanted}; as two axes are equally long, their order is "
            "unknown; store the file in the order of the release"
        )
    return tuple(found.index(length) for length in wanted)

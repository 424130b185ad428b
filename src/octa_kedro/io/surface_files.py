"""MATLAB label files of either format, and retinal surfaces that fit the scan they belong to."""

import zlib
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from octa_kedro.errors import DataError
from octa_kedro.io.octa500 import SURFACE_INDEX_BASE, SURFACES
from octa_kedro.io.volume import Laterality, PlaneStack

LAYER_KEY = "Layer"
CROSSING_VOXELS = 1.0
"""Surfaces are rounded to voxels, so that thin layers may tie or cross by this much."""
FAZ_KEY = "FAZlabel"
REMEDY = "segment the eye again or remove its layers"


def read_matlab(path: Path, key: str) -> tuple[NDArray, bool]:
    """The variable `key`, and whether its axes are reversed as in MATLAB 7.3 files (HDF5); else MATLAB's own order."""
    try:
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                return np.asarray(file[key]), True
        return np.asarray(loadmat(path, variable_names=[key])[key]), False
    except KeyError as error:
        raise DataError(f"{path}: no MATLAB file with the variable {key!r} ({error})") from error
    except (ValueError, TypeError, OSError, NotImplementedError, MatReadError, zlib.error) as error:
        raise DataError(f"{path}: not a readable MATLAB file ({error}); copy it again") from error


def read_layers(path: Path, width: int, n_bscans: int) -> NDArray[np.float32]:
    """Six surfaces ``[x, y, surface]`` in voxels of depth from 0.

    The released order is (surface, x, y); both that and any other whose axes their lengths tell apart are
    accepted. DataError names the file where lengths do not fit, or where two are equal and the order is not
    the released one.
    """
    array, reversed_axes = read_matlab(path, LAYER_KEY)
    if array.dtype.kind not in "uif":
        raise DataError(f"{path}: layers are numbers, this variable has the type {array.dtype}")
    released = (2, 1, 0) if reversed_axes else (0, 1, 2)
    order = _axis_order(path, "layers", array.shape, released, (len(SURFACES), width, n_bscans))
    return array.astype(np.float32).transpose(order).transpose(1, 2, 0) - SURFACE_INDEX_BASE


def read_faz_volume(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The 3D mask of the foveal avascular zone ``[x, y, z]`` on the grid of a scan of `shape`, 0 and 1.

    The depth axis is known by its length. That x comes before y in MATLAB's order, as in the layer files, is
    an assumption where both have one length.
    """
    array, reversed_axes = read_matlab(path, FAZ_KEY)
    if array.ndim != 3 or array.shape.count(shape[2]) != 1:
        raise DataError(f"{path}: a mask of shape {array.shape}, but the scan asks for {shape}")
    depth = array.shape.index(shape[2])
    first, second = (axis for axis in range(3) if axis != depth)
    released = (second, first, depth) if reversed_axes else (first, second, depth)
    order = _axis_order(path, "a mask", array.shape, released, shape)
    return (array.transpose(order) != 0).astype(np.uint8)


def surfaces_in_mm(
    depths: NDArray[np.float32], affine: NDArray[np.float64], laterality: Laterality | None, source: str
) -> PlaneStack:
    """Surfaces ``[x, y, surface]`` in voxels from 0 as millimetres of the world frame."""
    millimetres = (depths * affine[2, 2] + affine[2, 3]).astype(np.float32)
    return PlaneStack(millimetres, affine, SURFACES, laterality, source)


def check_surfaces(depths: NDArray, names: tuple[str, ...], *, depth: int, who: str) -> None:
    """Prove that surfaces ``[x, y, surface]`` in voxels from 0, the uppermost first, fit a scan `depth` voxels deep.

    DataError names `who` and the surfaces if A-scans are without a value, a surface lies outside the scan, or
    one lies above its predecessor by more than `CROSSING_VOXELS`.
    """
    lost = ~np.isfinite(depths) | (depths < 0).all(axis=2, keepdims=True)  # 0 in the file, where depths count from 1
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
    """For each axis of `wanted`, its place in an array of shape `found`; the order `released` needs no proof."""
    if len(found) != 3 or sorted(found) != sorted(wanted):
        raise DataError(f"{path}: {what} of shape {found}, but the scan asks for {wanted} in some order")
    if tuple(found[axis] for axis in released) == wanted:
        return released
    if len(set(wanted)) < 3:
        raise DataError(
            f"{path}: {what} of shape {found} instead of {wanted}; as two axes are equally long their order cannot be "
            "told; store the file in the released order"
        )
    return tuple(found.index(length) for length in wanted)

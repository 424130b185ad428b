"""En-face maps: volumes projected between two surfaces."""

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import ConfigError
from octa_kedro.preprocessing.slab_names import Method

# Surfaces on a voxel centre must not fall to either side by rounding of the last digit.
TIE = 1e-3


BLOCK = 2**18
"""Voxels projected at a time, so that what is made of them stays in the processor's cache."""


def project_mean(array: NDArray, top: NDArray, bottom: NDArray) -> NDArray[np.float32]:
    """`project` by the mean."""
    return project(array, top, bottom, "mean")


def project(array: NDArray, top: NDArray, bottom: NDArray, method: Method = "mean") -> NDArray[np.float32]:
    """Mean, maximum or sum of ``array[x, y, z]`` over the voxels with their centre in ``top <= z < bottom``.

    Edges ``[x, y]`` are in units of the voxel index, whose whole numbers are voxel centres; infinite ones reach to the
    end of the scan. A column without any voxel in the slab, or with an edge that is NaN, gives 0. Sums of
    integers are exact up to 2**32, of floats are made in double precision.
    """
    if method not in get_args(Method):
        raise ConfigError(f"projection {method!r} is unknown; choose from {', '.join(get_args(Method))}")
    first, count = _voxels(top, bottom, array.shape)
    result = np.zeros(array.shape[:2], np.float32)
    # volumes lie in memory in several orders (files by columns, stacks of B-scans): cut along the slower lateral axis
    slow = int(abs(array.strides[1]) > abs(array.strides[0]))
    planes, out = np.moveaxis(array, slow, 0), np.moveaxis(result, slow, 0)
    firsts, counts = np.moveaxis(first, slow, 0), np.moveaxis(count, slow, 0)
    step = max(1, BLOCK // max(planes[0].size, 1))
    for start in range(0, len(planes), step):
        part = slice(start, start + step)
        out[part] = _project_block(planes[part], firsts[part], counts[part], method)
    return result


def _voxels(top: NDArray, bottom: NDArray, shape: tuple[int, ...]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """First voxel and number of voxels of the slab in each column."""
    depth = shape[2]
    edges = (np.nan_to_num(np.clip(np.ceil(edge - TIE), 0, depth)).astype(np.int32) for edge in (top, bottom))
    first, last = (np.broadcast_to(edge, shape[:2]) for edge in edges)
    known = ~(np.isnan(top) | np.isnan(bottom))
    return first, np.maximum(last - first, 0) * known


def _project_block(
    block: NDArray, first: NDArray[np.int32], count: NDArray[np.int32], method: Method
) -> NDArray[np.float32]:
    """The projection ``(a, b)`` of ``block[a, b, z]``."""
    filled = count > 0
    if not filled.any():
        return np.zeros(filled.shape, np.float32)
    begin, end = int(first[filled].min()), int((first + count)[filled].max())
    columns = block[:, :, begin:end]
    # in memory order, so that what is computed from the block is laid out as it is
    order = np.argsort([-abs(stride) for stride in columns.strides], kind="stable")
    axis = int(np.flatnonzero(order == 2)[0])
    columns = columns.transpose(order)
    lateral = np.array([n for n in order if n != 2])
    first, count = (np.expand_dims(a.transpose(lateral), axis) for a in (first, count))
    if (first > begin).any() or (count < end - begin).any():
        columns = _outside_blank(columns, first - begin, count, axis, method)
    if method == "max":
        projected = columns.max(axis=axis).astype(np.float32)
        projected[np.squeeze(count, axis) == 0] = 0
    else:
        kind = {"u": np.uint32, "b": np.uint32, "i": np.int64}.get(columns.dtype.kind, np.float64)
        projected = columns.sum(axis=axis, dtype=kind)
        if method == "mean":
            projected = projected / np.maximum(np.squeeze(count, axis), 1)
    return projected.transpose(lateral.argsort())


def _outside_blank(
    columns: NDArray, first: NDArray[np.int32], count: NDArray[np.int32], axis: int, method: Method
) -> NDArray:
    """`columns` with voxels outside the slab set to what does not count."""
    depth = np.arange(columns.shape[axis], dtype=np.uint16).reshape([-1 if a == axis else 1 for a in range(3)])
    # a voxel above the slab wraps round to a large number
    inside = (depth - first.astype(np.uint16)) < count.astype(np.uint16)
    if columns.dtype.kind in "ub":
        return columns * inside
    if method != "max":
        return np.where(inside, columns, columns.dtype.type(0))
    least = -np.inf if columns.dtype.kind == "f" else np.iinfo(columns.dtype).min
    return np.where(inside, columns, columns.dtype.type(least))

"""How voxels are averaged and interpolated: along axes by matrices, or point by point where axes rotate."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

# Chosen by timing a 400 x 400 x 640 eye: small enough for the cache, large enough for the matrix products.
BLOCK_SLICES = 4
BAND = 16
BLOCK_POINTS = 1 << 18  # points of a general resampling at a time; 6 MB of coordinates


def resample_axes(array: NDArray, weights: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """`array` ``[x, y, z]`` with each axis multiplied by its matrix ``(n_out, n_in)``, x fastest in memory.

    The matrices are narrow bands, so only the blocks along them are multiplied, and only the part of `array`
    that they touch is read: a few slices at a time, along the axis that varies slowest in memory.
    """
    order = tuple(int(axis) for axis in np.argsort([-abs(step) for step in array.strides], kind="stable"))
    source = array.transpose(order)
    slow, middle, fast = (np.ascontiguousarray(weights[axis], np.float32) for axis in order)
    out = np.zeros([len(matrix) for matrix in weights], np.float32, order="F")
    target = out.transpose(order)
    window = _touched(middle), _touched(fast)
    middle, fast = middle[:, window[0]], fast[:, window[1]]
    for rows in _pieces(len(slow), BLOCK_SLICES):
        used = _touched(slow[rows])
        if used.start == used.stop:
            continue
        part = np.asarray(source[used][:, window[0], window[1]], np.float32)
        part = (slow[rows, used] @ part.reshape(len(part), -1)).reshape(-1, *part.shape[1:])
        target[rows] = _times_last(_times_middle(part, middle), fast)
    return out


def _times_middle(array: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.empty((array.shape[0], len(matrix), array.shape[2]), np.float32)
    for rows in _pieces(len(matrix), BAND):
        used = _touched(matrix[rows])
        np.matmul(matrix[rows, used], array[:, used], out=out[:, rows])
    return out


def _times_last(array: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = array.reshape(-1, array.shape[2])
    out = np.empty((len(flat), len(matrix)), np.float32)
    for rows in _pieces(len(matrix), BAND):
        used = _touched(matrix[rows])
        out[:, rows] = flat[:, used] @ matrix[rows, used].T
    return out.reshape(*array.shape[:2], len(matrix))


def _touched(matrix: NDArray) -> slice:
    """The columns from the first to the last that is not zero."""
    used = np.flatnonzero(matrix.any(axis=0))
    return slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)


def _pieces(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def slide_depth(
    array: NDArray[np.float32], starts: NDArray[np.float64], step: float, count: int
) -> NDArray[np.float32]:
    """Each column of `array` ``[x, y, z]`` cut into `count` lengths of `step` voxels from its own start ``[x, y]``.

    Positions are in voxels (voxel i covers i .. i + 1). As in `geometry.axis_weights`: the mean over the length
    where it is a voxel or more, else linear interpolation at its middle; zero outside.
    """
    out = np.empty((*array.shape[:2], count), np.float32, order="F")
    last = array.shape[2]
    for x in range(len(array)):
        if step >= 1:
            edges = np.clip(starts[x][:, None] + step * np.arange(count + 1), 0, last)
            total = np.zeros((array.shape[1], last + 1))
            np.cumsum(array[x], axis=1, out=total[:, 1:])
            out[x] = np.diff(_linear(total, edges), axis=1) / step
        else:
            centres = starts[x][:, None] + step * (np.arange(count) + 0.5) - 0.5
            inside = (centres > -0.5) & (centres < last - 0.5)
            out[x] = _linear(array[x], np.clip(centres, 0, last - 1)) * inside
    return out


def _linear(rows: NDArray, positions: NDArray[np.float64]) -> NDArray:
    """Rows ``(n, m)`` at `positions` ``(n, k)`` within 0 .. m - 1."""
    low = np.minimum(positions.astype(int), max(rows.shape[1] - 2, 0))
    high = np.minimum(low + 1, rows.shape[1] - 1)
    share = positions - low
    below, above = np.take_along_axis(rows, low, 1), np.take_along_axis(rows, high, 1)
    return below + share * (above - below)


def sample_points(array: NDArray, index: NDArray[np.float64], taps: NDArray[np.float64]) -> NDArray[np.float32]:
    """Mean over `taps` ``(T, 3)`` of `array` linearly interpolated at `index` ``(3, N)`` + tap; zero outside.

    In voxel units, whole numbers at voxel centres; the outermost half voxel takes the value of the rim.
    """
    total = np.zeros(index.shape[1], np.float32)
    for tap in taps:
        moved = index + tap[:, None]
        values = map_coordinates(array, moved, output=np.float32, order=1, mode="nearest")
        total += values * inside(moved, array.shape)
    return total / np.float32(len(taps))


def inside(index: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which of the points `index` ``(3, N)``, in voxel units, lie in a voxel of an array of `shape`."""
    within = np.ones(index.shape[1], bool)
    for positions, count in zip(index, shape, strict=True):
        within &= (positions > -0.5) & (positions < count - 0.5)
    return within


def window_taps(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where to sample a window of `lengths` (x, y, z, in scan voxels) for its mean, as shares of it ``(T, 3)``.

    One sample per voxel covered, evenly spread: a window no longer than a voxel and a half takes its middle.
    """
    counts = [max(1, round(float(length))) for length in lengths]
    axes = [(np.arange(count) + 0.5) / count - 0.5 for count in counts]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)

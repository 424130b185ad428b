"""Maps on square pixels."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

SQUARE = 0.01
"""Pixels whose edges differ by less than this share count as square."""


def resample(plane: NDArray, spacing_um: tuple[float, float], pixel_um: float) -> NDArray[np.float32]:
    """`plane` ``[x, y]`` over the same field on square pixels of about `pixel_um`, by linear interpolation."""
    shape = [max(1, round(n * step / pixel_um)) for n, step in zip(plane.shape, spacing_um, strict=True)]
    if tuple(shape) == plane.shape:
        return np.asarray(plane, np.float32)
    scale = np.array([n / m for n, m in zip(plane.shape, shape, strict=True)])
    # the centre of the first new pixel lies half a new pixel inside the field
    offset = 0.5 * scale - 0.5
    return affine_transform(
        np.asarray(plane, np.float32), scale, offset, output_shape=tuple(shape), order=1, mode="nearest"
    )


def square_pixel(spacing_um: tuple[float, float]) -> float:
    """The edge of square pixels as fine as the finer axis."""
    return min(spacing_um)


def like(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """`mask` over the same field on `shape` pixels, by nearest neighbour."""
    picks = [((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(shape, mask.shape, strict=True)]
    return mask[np.ix_(*picks)]

"""Gaussian smoothing that keeps to the tissue an image shows: what is outside weighs nothing and receives nothing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


def tissue(image: NDArray, *, masked: bool) -> NDArray[np.bool_]:
    """Where an image ``(C, [D,] H, W)`` shows tissue, as ``([D,] H, W)``: everywhere, if it is not a `masked` volume.

    Processing has set what lies outside a masked volume's slab to 0, and flow can be 0 inside it, too. So everything
    between the first and the last voxel of an A-scan that is not 0 is tissue.
    """
    shown = (np.asarray(image) != 0).any(axis=0)
    if not masked or shown.ndim == 2:
        return np.ones_like(shown)
    from_above = np.logical_or.accumulate(shown, axis=0)
    from_below = np.logical_or.accumulate(shown[::-1], axis=0)[::-1]
    return from_above & from_below


def smooth(array: NDArray, inside: NDArray[np.bool_], sigma: Sequence[float]) -> NDArray[np.float32]:
    """The gaussian mean of the voxels `inside` around each of them (normalised convolution, Knutsson and Westin 1993);
    0 outside. `sigma` is in voxels, one for each axis; an axis with 0 is not smoothed."""
    if not any(sigma):
        return np.where(inside, array, 0).astype(np.float32)
    weight = gaussian_filter(inside.astype(np.float32), sigma, mode="constant")
    total = gaussian_filter(np.where(inside, array, 0).astype(np.float32), sigma, mode="constant")
    return np.divide(total, weight, out=np.zeros_like(total), where=inside & (weight > 0))


def blur_in_plane(image: NDArray, inside: NDArray[np.bool_], sigma: Sequence[float]) -> NDArray[np.float32]:
    """An image ``(C, [D,] H, W)`` whose depth slices are blurred by `sigma` pixels ``(H, W)``, `inside` its tissue: the
    layers of an eye stay, what is local in them goes."""
    widths = (*(0.0,) * (inside.ndim - 2), *sigma)
    return np.stack([smooth(channel, inside, widths) for channel in np.asarray(image)])

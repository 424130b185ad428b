"""How alike two maps of the same grid are."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter
from scipy.stats import rankdata

from octa_kedro.errors import DataError

Mask = NDArray[np.bool_]
MEASURES = ("spearman", "ssim")
SSIM_SIGMA = 1.5
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
"""Window (deviation in voxels) and constants of Wang et al. 2004, for values from 0 to 1."""


def similarity(a: NDArray[np.floating], b: NDArray[np.floating], mask: Mask) -> dict[str, float]:
    """MEASURES of two maps ``(D, H, W)`` over the voxels of `mask`; NaN if a map is constant there.

    DataError if the grids differ, nothing is inside the mask, or a map is not finite there.
    """
    if not a.shape == b.shape == mask.shape:
        raise DataError(f"maps of {a.shape} and {b.shape} voxels, mask of {mask.shape}: compare maps of one grid")
    if not mask.any() or not (np.isfinite(a[mask]).all() and np.isfinite(b[mask]).all()):
        raise DataError("maps are compared inside a mask, but it is empty or they are not finite there")
    return {"spearman": spearman(a, b, mask), "ssim": ssim(a, b, mask)}


def spearman(a: NDArray[np.floating], b: NDArray[np.floating], mask: Mask) -> float:
    """Rank correlation over the voxels of `mask`, signs and ties included; NaN if a map is constant there."""
    ranks = [rankdata(heat[mask]) for heat in (a, b)]
    first, second = (rank - rank.mean() for rank in ranks)
    scale = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / scale if scale > 0 else float("nan")


def ssim(a: NDArray[np.floating], b: NDArray[np.floating], mask: Mask) -> float:
    """Structural similarity of two maps ``(D, H, W)``, each scaled to 0 .. 1 over `mask`, as the mean over `mask`.

    Wang et al. 2004 (IEEE TIP 13, eq. 13) with a three-dimensional Gaussian window that is normalised within the mask,
    so that what lies outside does not count; NaN if a map is constant there.
    """
    box = find_objects(mask.astype(np.uint8))[0]
    mask, scaled = mask[box], []
    for heat in (a[box], b[box]):
        low, high = float(heat[mask].min()), float(heat[mask].max())
        if high <= low:
            return float("nan")
        scaled.append(np.where(mask, (heat.astype(np.float64) - low) / (high - low), 0))
    weight = gaussian_filter(mask.astype(np.float64), SSIM_SIGMA, mode="constant")[mask]

    def local(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return gaussian_filter(values, SSIM_SIGMA, mode="constant")[mask] / weight

    x, y = scaled
    mean_x, mean_y = local(x), local(y)
    var_x, var_y = local(x * x) - mean_x**2, local(y * y) - mean_y**2
    both = local(x * y) - mean_x * mean_y
    value = (2 * mean_x * mean_y + SSIM_C1) * (2 * both + SSIM_C2)
    return float(np.mean(value / ((mean_x**2 + mean_y**2 + SSIM_C1) * (var_x + var_y + SSIM_C2))))

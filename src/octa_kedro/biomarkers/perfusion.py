"""Patches of an en-face map through which no blood flows."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.morphology import remove_small_objects

Mask = NDArray[np.bool_]

SIGMA_UM = 50.0
"""Of the smoothing that bridges the spaces between capillaries."""
ROUND_UM = 450.0
LOSS = 0.6
"""A patch has less than this share of the flow round about; chosen, with SIGMA_UM, on 32 phantom eyes of seed 5."""
MIN_MM2 = 0.02
BRIGHT_PERCENT = 80.0
"""Brighter pixels, which lie in large vessels, are capped."""


def nonperfused(grey: NDArray[np.float32], pixel_um: float, faz: Mask | None = None) -> Mask:
    """Which square pixels of a map ``[x, y]`` are not perfused, the FAZ and what adjoins it by its blur left out.

    The threshold is adaptive: LOSS times the flow within about 1 mm, since flow falls off towards the periphery in
    healthy eyes too, and since gain and shading differ from scan to scan. A patch that fills this neighbourhood lowers
    its own threshold, so that very large patches are measured too small.
    """
    valid = np.ones(grey.shape, np.float32) if faz is None else (~faz).astype(np.float32)
    if not valid.any():
        return np.zeros(grey.shape, bool)
    capped = np.minimum(grey, np.percentile(grey, BRIGHT_PERCENT)) * valid
    near = _mean(capped, valid, SIGMA_UM / pixel_um)
    around = _mean(capped, valid, ROUND_UM / pixel_um)
    low = (near < LOSS * around) & (valid > 0)
    smallest = round(MIN_MM2 * 1e6 / pixel_um**2)
    return np.asarray(remove_small_objects(low, max_size=max(0, smallest - 1)), bool)


def _mean(plane: NDArray[np.float32], valid: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Weighted mean of what is valid round each pixel."""
    weight = gaussian_filter(valid, sigma, mode="nearest")
    return (gaussian_filter(plane, sigma, mode="nearest") / np.maximum(weight, 1e-6)).astype(np.float32)

"""How much a map and a lesion mask overlap: above a threshold, and over all thresholds at once."""

import math

import numpy as np
from numpy.typing import NDArray

OTSU_BINS = 256
CANDIDATES = np.linspace(0.02, 0.98, 49)
"""Thresholds to choose from, as shares of the way from a map's lowest to its highest value."""

Mask = NDArray[np.bool_]


def scale_to_unit(heat: NDArray) -> NDArray[np.float64] | None:
    """The map from 0 (its lowest value) to 1 (its highest), as M3d-CAM scores it; None for a constant map."""
    values = np.asarray(heat, np.float64)
    low, high = float(values.min()), float(values.max())
    return None if high <= low else (values - low) / (high - low)


def otsu_threshold(values: NDArray) -> float:
    """The value that parts `values` into two groups of greatest variance between them.

    Otsu 1979, doi 10.1109/TSMC.1979.4310076, over 256 bins between the lowest and the highest value; returned is
    the centre of the highest bin of the lower group, as scikit-image's `threshold_otsu` does. NaN for constant values.
    """
    flat = np.asarray(values, np.float64).ravel()
    if flat.size == 0 or flat.min() == flat.max():
        return math.nan
    counts, edges = np.histogram(flat, OTSU_BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1].astype(float)  # neither group is ever empty: lowest and highest bin hold a value
    above = flat.size - below
    sum_below = np.cumsum(counts * centres)[:-1]
    total = float((counts * centres).sum())
    between = below * above * (sum_below / below - (total - sum_below) / above) ** 2
    return float(centres[int(np.argmax(between))])


def overlap_scores(unit: NDArray[np.float64], lesion: Mask, threshold: float) -> dict[str, float]:
    """IoU, Dice, IoA and weighted IoA of the voxels of `unit` (0 to 1) at `threshold` or above, with `lesion`.

    IoA is the share of those voxels that lie in the lesion, wIoA the same with voxels weighted by the map:
    ``sum(A * bin(A) * M) / sum(A * bin(A))`` (Gotkowski et al. 2021, M3d-CAM, arXiv 2007.00453). Undefined is NaN.
    """
    inside = unit >= threshold
    both = float((inside & lesion).sum())
    weights = float(unit[inside].sum())
    return {
        "iou": _ratio(both, float((inside | lesion).sum())),
        "dice": _ratio(2 * both, float(inside.sum() + lesion.sum())),
        "ioa": _ratio(both, float(inside.sum())),
        "wioa": _ratio(float(unit[inside & lesion].sum()), weights),
    }


def dice_curve(unit: NDArray[np.float64], lesion: Mask) -> NDArray[np.float64]:
    """Dice at each of CANDIDATES, (49,): what a threshold is chosen by."""
    edges = np.r_[0.0, CANDIDATES, np.inf]
    marked = np.histogram(unit, edges)[0][::-1].cumsum()[::-1][1:]
    hits = np.histogram(unit[lesion], edges)[0][::-1].cumsum()[::-1][1:]
    return 2 * hits / (marked + lesion.sum())


def voxel_precision(heat: NDArray, lesion: Mask, domain: Mask) -> tuple[float, float]:
    """Average precision of the map's values as a ranking of the voxels of `domain`, and the share of these that lie in
    the lesion, which is what a map without information scores. NaN where `domain` is all lesion or has none.

    The sum over distinct values of (recall gained x precision), as scikit-learn's `average_precision_score`, whose
    checks and second sort take four times as long as this.
    """
    truth = lesion[domain]
    if not truth.any() or truth.all():
        return math.nan, math.nan
    values = heat[domain]
    order = np.argsort(values)[::-1]
    last = np.r_[np.flatnonzero(np.diff(values[order])), truth.size - 1]  # of each run of equal values
    hits = np.cumsum(truth[order])[last]
    gained = np.diff(hits, prepend=0) / hits[-1]
    return float((gained * hits / (last + 1)).sum()), float(truth.mean())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan

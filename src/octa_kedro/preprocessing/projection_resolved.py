"""Projection-resolved OCTA: tails are told from vessels by the ratio of flow to reflectance along each A-scan."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from octa_kedro.preprocessing.artefact_config import ArtefactConfig

BACKGROUND_PERCENT, FULL_PERCENT = 25.0, 99.5
"""Grey levels of an OCT scan that count as no and as full reflectance: most of a scan is vitreous and deep sclera."""
FAINTEST = 0.2
"""Reflectance is taken to be at least this share of full, or noise in dark layers would count as flow."""
SAMPLED = 7
"""Every so many A-scans are enough for percentiles."""


def resolve_projections(octa: NDArray, oct_scan: NDArray, step_um: float, config: ArtefactConfig) -> NDArray:
    """OCTA ``[x, y, z]`` of voxels `step_um` deep without projected flow, of the same type; `oct_scan` lies beside it.

    M. Zhang et al., Biomed. Opt. Express 7, 816 (2016): an artefact repeats the flow above it in proportion to the
    reflectance where it is seen, so that a voxel has flow of its own if its flow divided by the logarithm of its
    reflectance, which is what grey levels of OCT show, is higher than in all voxels above it; others are set to zero
    (`removal` zero, `ratio` 1, `vessel_um` 0; their threshold against noise is left out). It is illustrated in J. P.
    Campbell et al., Sci. Rep. 7, 42201 (2017), and refined by J. Wang et al., Biomed. Opt. Express 8, 1536 (2017).
    The plain rule loses the lower half of each vessel and deep capillaries below stronger ones
    (`benchmarks/projection_artefacts.py`). A lower `ratio` and `vessel_um` keep them, and "subtract", our own, takes
    ``ratio * (highest normalised flow above) * reflectance`` away instead of deciding voxel by voxel.
    """
    black, white = np.percentile(oct_scan[::SAMPLED, ::SAMPLED], (BACKGROUND_PERCENT, FULL_PERCENT))
    scale = np.float32(max(float(white - black), 1e-6))
    width, apart = max(1, round(config.smoothing_um / step_um)), 1 + round(config.vessel_um / step_um)
    result = np.empty_like(octa)
    slow = int(abs(octa.strides[1]) > abs(octa.strides[0]))  # B-scans of some sources lie one after the other
    flows, structures, results = (np.moveaxis(a, slow, 0) for a in (octa, oct_scan, result))
    for flow, structure, out in zip(flows, structures, results, strict=True):
        reflectance = np.maximum((_smooth(structure, width) - np.float32(black)) / scale, np.float32(FAINTEST))
        normalised = _smooth(flow, width) / reflectance
        above = np.zeros_like(normalised)
        if apart < above.shape[1]:
            above[:, apart:] = np.maximum.accumulate(normalised, axis=1)[:, :-apart]
        above *= np.float32(config.ratio)
        if config.removal == "zero":
            out[:] = np.where(normalised >= above, flow, 0)
        else:
            out[:] = take_away(flow, above * reflectance)
    return result


def take_away(flow: NDArray, projected: NDArray) -> NDArray:
    """`flow` less `projected`, which is not negative: nowhere above `flow`, nowhere below 0; in whole numbers where
    `flow` is."""
    left = np.maximum(flow - projected, 0)
    if flow.dtype.kind in "iub":
        np.rint(left, out=left)
    return np.minimum(left, flow).astype(flow.dtype)


def _smooth(column: NDArray, width: int) -> NDArray[np.float32]:
    """Running mean of `width` voxels along the depth of ``[a, z]``."""
    return uniform_filter1d(np.asarray(column, np.float32), width, axis=1, mode="nearest")

"""Slab subtraction: the flow of the superficial vessels, times a weight, taken away from what lies below them."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.projection_resolved import take_away
from octa_kedro.preprocessing.slabs import surface_plane

BINS = (6, 12)
"""Depths between IPL/INL and OPL/ONL and between OPL/ONL and BM that have a weight of their own."""
BELOW_BINS, BELOW_UM = 12, 10.0
"""Depths below BM with a weight, and the height of each; deeper ones have the last weight."""
PARTS = 16
"""Steps per bin in which weights are interpolated."""
WIDER_UM = 150.0
"""Standard deviation in the plane of what is left out of the fit: capillaries that are missing in all layers (the FAZ,
a closed territory) would look like tails."""


def subtract_superficial(
    octa: Volume, surfaces: PlaneStack, weight: float | None = None
) -> tuple[NDArray, NDArray[np.float64]]:
    """OCTA ``[x, y, z]`` without what the superficial slab (ILM to IPL/INL) projects, and the weight of each depth.

    A weighted map of the superficial flow is subtracted from deeper ones, as in Y. Jia et al., Ophthalmology 121, 1435
    (2014), and A. Zhang et al., Biomed. Opt. Express 6, 4130 (2015), here voxel by voxel. With `weight` None, each
    depth's is the slope of the regression over A-scans of its flow on the superficial flow, both without what is
    wider than WIDER_UM; it is never negative, and in the deep plexus never above the median there: vessels on the
    border of the slabs, which belong to both, would be taken for their own tails. A-scans without a finite surface
    stay as they are. DataError names a surface that the eye lacks.
    """
    names = ("ILM", "IPL_INL", "OPL_ONL", "BM")
    planes = [surface_plane(surfaces, name, who="slab_subtraction") for name in names]
    depths = np.stack([(plane - octa.grid_affine[2, 3]) / octa.spacing[2] for plane in planes]).astype(np.float32)
    known = np.asarray(np.isfinite(depths).all(axis=0))
    depths = np.where(known, depths, np.float32(octa.array.shape[2]))  # below the scan: nothing lies deeper
    step_um = 1000 * octa.spacing[2]
    superficial, deeper = _mean_flow(octa.array, depths, step_um)
    if weight is None:
        weights = _fit(superficial, deeper, [WIDER_UM / 1000 / mm for mm in octa.spacing[:2]])
    else:
        weights = np.full(deeper.shape[2], weight)
    finer = np.arange(len(weights) * PARTS + 1) / PARTS
    table = np.interp(finer, np.arange(len(weights)) + 0.5, weights).astype(np.float32)
    result = octa.array.copy(order="K")
    for y in range(octa.array.shape[1]):
        band = _band(depths[:, :, y], octa.array.shape[2], step_um)
        place = _places(depths[:, :, y], band, step_um)
        share = table[(np.maximum(place, 0) * PARTS).astype(np.int32)]
        share *= superficial[:, y, None]
        share[place < 0] = 0
        result[:, y, band] = take_away(octa.array[:, y, band], share)
        deeper_yet = (table[-1] * superficial[:, y] * known[:, y])[:, None]
        if deeper_yet.any():
            result[:, y, band.stop :] = take_away(octa.array[:, y, band.stop :], deeper_yet)
    return result, weights


def _band(depths: NDArray[np.float32], voxels: int, step_um: float) -> slice:
    """The depths of a B-scan from the uppermost ILM to where weights end below the lowest BM. `depths` are (4, x)."""
    last = float(depths[3].max()) + BELOW_BINS * BELOW_UM / step_um
    return slice(int(np.clip(depths[0].min(), 0, voxels)), int(np.clip(np.ceil(last), 0, voxels)))


def _places(depths: NDArray[np.float32], band: slice, step_um: float) -> NDArray[np.float32]:
    """Bin (x, z), with fraction, in which each voxel of the band lies; negative above IPL/INL."""
    _, top, middle, bottom = (surface[:, None] for surface in depths)
    z = np.arange(band.start, band.stop, dtype=np.float32)
    inner, outer = BINS
    upper = (z - top) * (inner / np.maximum(middle - top, np.float32(1e-3)))
    lower = (z - middle) * (outer / np.maximum(bottom - middle, np.float32(1e-3))) + inner
    deepest = (z - bottom) * np.float32(step_um / BELOW_UM) + (inner + outer)
    place: NDArray[np.float32] = np.where(z < middle, upper, np.where(z < bottom, lower, deepest))
    place[z < top] = -1
    return np.minimum(place, np.float32(inner + outer + BELOW_BINS - 1e-3), out=place)


def _mean_flow(
    array: NDArray, depths: NDArray[np.float32], step_um: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean flow (x, y) of the superficial slab, and (x, y, bin) of what lies below; 0 where there is no voxel."""
    width, bscans, voxels = array.shape
    bins = sum(BINS) + BELOW_BINS
    superficial, deeper = np.zeros((width, bscans), np.float32), np.zeros((width, bscans, bins), np.float32)
    row = np.arange(width)[:, None] * (bins + 1)
    for y in range(bscans):
        band = _band(depths[:, :, y], voxels, step_um)
        flow = np.ascontiguousarray(array[:, y, band], np.float32)
        place = _places(depths[:, :, y], band, step_um)
        inside = (np.arange(band.start, band.stop) >= depths[0, :, y, None]) & (place < 0)
        superficial[:, y] = (flow * inside).sum(axis=1) / np.maximum(inside.sum(axis=1), 1)
        # bin 0 is what lies above IPL/INL
        number = (np.floor(place).astype(np.intp) + 1 + row).ravel()
        count, total = (np.bincount(number, w, width * (bins + 1)) for w in (None, flow.ravel()))
        deeper[:, y] = (total / np.maximum(count, 1)).reshape(width, bins + 1)[:, 1:]
    return superficial, deeper


def _fit(superficial: NDArray[np.float32], deeper: NDArray[np.float32], wide: list[float]) -> NDArray[np.float64]:
    """Slope of each bin's flow on the superficial flow, without what is wider than `wide` voxels along (x, y)."""
    cause = superficial - gaussian_filter(superficial, wide)
    spread = float((cause * cause).sum(dtype=np.float64))
    slopes = np.zeros(deeper.shape[2])
    for number in range(len(slopes)) if spread > 0 else ():
        effect = deeper[:, :, number] - gaussian_filter(deeper[:, :, number], wide)
        slopes[number] = max(0.0, float((cause * effect).sum(dtype=np.float64)) / spread)
    inner = slice(0, BINS[0])
    slopes[inner] = np.minimum(slopes[inner], np.median(slopes[inner]))
    return np.minimum(slopes, 1.0)

"""The six surfaces of a retina, found in averaged squares of an OCT volume."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from octa_kedro.preprocessing.segmentation import (
    BAND_UM,
    NEVER,
    Array,
    Squares,
    between_samples,
    fitted_bowl,
    largest_after,
    largest_before,
    trace_surface,
    window_index,
)

LAYER_BORDERS = ("ILM", "IPL_INL", "OPL_ONL", "IS_OS", "RPE", "BM")

SLOPE = 0.25
"""Cost of one step of depth between neighbouring squares; an edge as high as the brightest band gains 1."""
COARSE, COARSE_DEPTH = 2, 4  # squares and steps of depth pooled for the first search
NEARBY_UM = 60.0  # the second search reaches so far above and below the first one's result
BRIGHT, VITREOUS_UM = 0.35, 40.0
"""The vitreous is darker than this; what has so much brighter tissue above it is not the ILM."""
CHOROID, CHOROID_UM, CHOROID_COST = 0.7, 60.0, 3.0
"""No band under BM, from this far below it, is brighter than this: else the band above was no pigment epithelium."""
BAND_GAIN = 0.5  # for the mean brightness of the band above BM
THINNEST_UM = 80.0
BOWL_ORDER, BOWL_UM, BOWL_PULL = 4, 25.0, 0.3
"""BM is a bowl to within so much; the pull is the cost of leaving the first result by the reach of the second."""
LEAST_INNER_UM, OUTER_SEGMENTS_UM, DEEPEST_FLUID_UM = 40.0, 20.0, 400.0
"""IS/OS lies at least so far below the ILM and above BM, and at most so far above BM (over fluid)."""
RPE_UM, RPE_FREE_UM, RPE_PULL = 16.0, 16.0, 0.15
"""Usual distance of the RPE's surface from BM, and the cost of every further so much of it, up to three times."""
LEVELS = 64  # samples between ILM and IS/OS, in which the inner layers are sought
LEVEL_SLOPE, SHARE_PULL = 0.05, (0.7, 1.0)
OUTER_NUCLEAR, INNER_PLEXIFORM = 0.3, 0.62
"""Usual share of the outer nuclear layer between ILM and IS/OS, and of ILM to IPL/INL between ILM and OPL/ONL."""


def find_surfaces(squares: Squares) -> NDArray[np.float64]:
    """Depth ``[x, y, 6]`` of LAYER_BORDERS in steps of depth of `squares`; none crosses another.

    Each is the smoothest surface through the strongest edges of its kind (`segmentation.trace_surface`):
    ILM and BM over the whole depth, IS/OS and RPE between them, then the inner layers between ILM and IS/OS.
    """
    rises = squares.rises()
    ilm, bm = _find_outer_borders(squares, rises)
    isos = _find_photoreceptors(squares, rises, ilm, bm)
    rpe = _find_epithelium(squares, rises, isos, bm)
    ipl, opl = _find_inner_layers(squares, rises, ilm, isos)
    planes = np.maximum.accumulate(np.stack([ilm, ipl, opl, isos, rpe, bm], axis=2), axis=2)
    return np.clip(planes, 0, rises.shape[2] - 1)


def _find_outer_borders(squares: Squares, rises: Array) -> tuple[NDArray, NDArray]:
    """ILM and BM ``[x, y]``: coarsely over the whole depth, then finely nearby."""
    inner, outer = _ilm_evidence(squares, rises), _bm_evidence(squares, rises)
    ilm = _search_coarsely(inner, None)
    bm = _search_coarsely(outer, ilm + squares.steps(THINNEST_UM))
    bowl = fitted_bowl(bm, BOWL_ORDER, BOWL_UM / squares.spacing_um[2])
    # a pit or a dome in BM as wide as the bowl's waves does not exist: there it was mistaken for another edge
    bm = np.where(np.abs(bm - bowl) > BOWL_UM / squares.spacing_um[2], bowl, bm)
    ilm = _search_nearby(squares, inner, ilm, 0.0)
    bm = _search_nearby(squares, outer, squares.smoothed(bm, 0.6, 0.1), BOWL_PULL)
    return squares.smoothed(ilm, 0.12, 0.04), squares.smoothed(bm, 0.3, 0.1)


def _ilm_evidence(squares: Squares, rises: Array) -> Array:
    """High where bright follows dark and nothing bright lies above."""
    bright = np.maximum(squares.grey - np.float32(BRIGHT), 0)
    bright *= np.float32(squares.spacing_um[2] / (VITREOUS_UM * (1 - BRIGHT)))
    lead = squares.steps(2 * BAND_UM)  # the edge itself is blurred
    above = np.zeros_like(bright)
    np.cumsum(bright[..., :-lead], axis=2, out=above[..., lead:])
    return rises - np.minimum(above, 2)


def _bm_evidence(squares: Squares, rises: Array) -> Array:
    """High where a bright band ends below which no other band is as bright."""
    band = squares.band_means()
    below = largest_after(band - np.float32(CHOROID), squares.steps(CHOROID_UM))
    return np.float32(BAND_GAIN) * band - rises - np.float32(CHOROID_COST) * below


def _search_coarsely(evidence: Array, first: NDArray | None) -> NDArray[np.float64]:
    """Surface ``[x, y]`` through `evidence` pooled over squares and depths, nowhere above `first`."""
    # a scan of a single B-scan has nothing to pool across
    fx, fy, fz = (min(f, n) for f, n in zip((COARSE, COARSE, COARSE_DEPTH), evidence.shape, strict=True))
    nx, ny, nz = (n // f for n, f in zip(evidence.shape, (fx, fy, fz), strict=True))
    cut = evidence[: nx * fx, : ny * fy, : nz * fz]
    cost = -cut.reshape(nx, fx, ny, fy, nz, fz).max(axis=5).mean(axis=(1, 3))
    depth = np.arange(nz) * fz + (fz - 1) / 2
    if first is not None:
        cost = np.where(depth < first[: nx * fx : fx, : ny * fy : fy, None], NEVER, cost)
    found = depth[trace_surface(cost, SLOPE)]
    fine = np.repeat(np.repeat(found, fx, axis=0), fy, axis=1)
    return np.pad(fine, [(0, n - m) for n, m in zip(evidence.shape[:2], fine.shape, strict=True)], mode="edge")


def _search_nearby(squares: Squares, evidence: Array, centre: NDArray, pull: float) -> NDArray[np.float64]:
    """Surface ``[x, y]`` through `evidence` within NEARBY_UM of `centre`, between samples."""
    reach = squares.steps(NEARBY_UM)
    index = window_index(centre, reach, reach, evidence.shape[2])
    near = np.take_along_axis(evidence, index, 2)
    away = np.abs(index - centre[..., None]).astype(np.float32) * np.float32(pull / reach)
    return index[..., 0] + between_samples(near, trace_surface(away - near, SLOPE))


def _find_photoreceptors(squares: Squares, rises: Array, ilm: NDArray, bm: NDArray) -> NDArray[np.float64]:
    """IS/OS ``[x, y]``: the first strong rise below the inner retina; under it fluid may hide the RPE's."""
    index = window_index(bm, squares.steps(DEEPEST_FLUID_UM), 1, rises.shape[2])
    near = np.take_along_axis(rises, index, 2)
    possible = index > ilm[..., None] + squares.steps(LEAST_INNER_UM)
    possible &= index < bm[..., None] - squares.steps(OUTER_SEGMENTS_UM)
    near[~possible] = 0
    cost = np.where(possible, largest_before(near, squares.steps(BAND_UM)) - near, NEVER)
    return squares.smoothed(index[..., 0] + between_samples(near, trace_surface(cost, SLOPE)), 0.12, 0.04)


def _find_epithelium(squares: Squares, rises: Array, isos: NDArray, bm: NDArray) -> NDArray[np.float64]:
    """Surface of the RPE ``[x, y]``: a rise between IS/OS and BM, near its usual place unless it stands out."""
    step = squares.spacing_um[2]
    index = window_index(bm, squares.steps(DEEPEST_FLUID_UM), 1, rises.shape[2])
    near = np.take_along_axis(rises, index, 2)
    height = (bm[..., None] - index).astype(np.float32) * np.float32(step)
    possible = (index > isos[..., None] + RPE_FREE_UM / step) & (height > RPE_UM / 4)
    unusual = np.float32(RPE_PULL) * np.minimum(np.abs(height - RPE_UM) / RPE_FREE_UM, 3)
    found = trace_surface(np.where(possible, unusual - near, NEVER), SLOPE / 2)
    return np.minimum(squares.smoothed(index[..., 0] + between_samples(near, found), 0.12, 0.04), bm)


def _find_inner_layers(squares: Squares, rises: Array, ilm: NDArray, isos: NDArray) -> tuple[NDArray, NDArray]:
    """IPL/INL and OPL/ONL ``[x, y]``, sought at shares of the depth between ILM and IS/OS, so that they follow the
    pit."""
    thickness = np.maximum(isos - ilm, 1)
    share = (np.arange(LEVELS, dtype=np.float32) + np.float32(0.5)) / LEVELS
    place = np.clip(ilm[..., None] + share * thickness[..., None], 0, rises.shape[2] - 1.001)
    upper = place.astype(np.intp)
    part = (place - upper).astype(np.float32)
    falls = -(1 - part) * np.take_along_axis(rises, upper, 2) - part * np.take_along_axis(rises, upper + 1, 2)
    falls = gaussian_filter(falls, (1, 1, 0), mode="nearest")
    # the outer nuclear layer hardly thins towards the pit, where the others do
    usual = 1 - OUTER_NUCLEAR * np.median(thickness) / thickness
    opl = squares.smoothed(_deepest_fall(falls, (0.08, 0.92), usual, SHARE_PULL[0]), 0.18, 0.06)
    ipl = _deepest_fall(falls, (0.03, opl - 0.05), INNER_PLEXIFORM * opl, SHARE_PULL[1])
    return ilm + squares.smoothed(ipl, 0.18, 0.06) * thickness, ilm + opl * thickness


def _deepest_fall(falls: Array, between: tuple[float, float | NDArray], usual: NDArray, pull: float) -> NDArray:
    """Share ``[x, y]`` of the last strong fall in `falls` ``[x, y, LEVELS]``; `pull` is the cost of leaving `usual`."""
    share = (np.arange(LEVELS) + 0.5) / LEVELS
    possible = (share > between[0]) & (share < np.asarray(between[1])[..., None])
    near = np.where(possible, falls, np.float32(0))
    unusual = pull * np.abs(share - usual[..., None])
    cost = np.where(possible, largest_after(near, LEVELS // 13) - near + unusual, NEVER).astype(np.float32)
    return (between_samples(falls, trace_surface(cost, LEVEL_SLOPE)) + 0.5) / LEVELS

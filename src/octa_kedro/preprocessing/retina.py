"""Where the retina lies in a scan: from supplied surfaces, or estimated from the OCT volume."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, median_filter, zoom

from octa_kedro.errors import DataError
from octa_kedro.io.source import Source
from octa_kedro.io.volume import PlaneStack, Volume

COLUMN_MM = 0.06  # A-scans are averaged over squares of this size before edges are sought
SMOOTH_DEPTH_MM = 0.008
MEDIAN_MM = 0.6
BAND_MM = 0.025  # width of the bright band that the RPE makes
STRONG = 0.85  # of the way from background to the brightest band: still the RPE, no longer the choroid
MIN_THICKNESS_MM = 0.08
MIN_CONTRAST = 1.3
OPL_SHARE = 0.5  # of the way from ILM to BM: typical of the macula, see `estimate_surfaces`


def estimate_surfaces(oct_volume: Volume) -> PlaneStack:
    """ILM, OPL/ONL and BM of an OCT volume without supplied surfaces, as depths in millimetres.

    The ILM is where the smoothed A-scan first rises half-way from the vitreous' level to the brightest
    band's; BM is the lower edge of the deepest band that is nearly as bright as the brightest. Both are
    median filtered across the field. The OPL/ONL border cannot be told from edges alone in a smoothed scan
    and is placed at a fixed share of the thickness. Good enough to centre a crop and to cut slabs roughly,
    not to measure thickness.
    """
    coarse, factors = _coarse(oct_volume)
    spacing = oct_volume.spacing[2]
    smooth = gaussian_filter(coarse, (0, 0, SMOOTH_DEPTH_MM / spacing))
    ilm, rpe = _inner_edge(smooth), _deepest_band(smooth, spacing)
    size = [max(1, round(MEDIAN_MM / (oct_volume.spacing[axis] * factors[axis]))) for axis in (0, 1)]
    ilm, bm = (median_filter(edge, size=size, mode="nearest") for edge in (ilm, rpe))
    thickness_um, contrast = float(np.median(bm - ilm)) * spacing * 1000, _contrast(smooth)
    if thickness_um < MIN_THICKNESS_MM * 1000 or contrast < MIN_CONTRAST:
        raise DataError(
            f"{oct_volume.source}: no retina found in the OCT volume (its bands are {contrast:.2f} times as bright "
            f"as its background and {thickness_um:.0f} um apart); supply surfaces or leave the eye out"
        )
    bm = np.maximum(bm, ilm + MIN_THICKNESS_MM / spacing)
    opl = ilm + OPL_SHARE * (bm - ilm)
    full = oct_volume.array.shape[:2]
    planes = [_enlarge(edge, factors, full) * spacing + oct_volume.affine[2, 3] for edge in (ilm, opl, bm)]
    return PlaneStack(
        np.stack(planes, axis=2).astype(np.float32),
        oct_volume.affine,
        ("ILM", "OPL_ONL", "BM"),
        oct_volume.laterality,
        oct_volume.source,
        "estimated",
    )


def surfaces_of(source: Source, subject: str) -> PlaneStack:
    """An eye's supplied surfaces, or estimated ones where the source has none."""
    supplied = source.surfaces(subject)
    return supplied if supplied is not None else estimate_surfaces(source.volume(subject, "OCT"))


def retina_centre_mm(surfaces: PlaneStack) -> float:
    """Median depth of the middle of the retina, in millimetres of the world frame."""
    return float(np.median((surfaces.plane("ILM") + surfaces.plane("BM")) / 2))


def _coarse(volume: Volume) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """The volume averaged over squares of COLUMN_MM, and the number of A-scans a square has per axis."""
    fx, fy = (max(1, round(COLUMN_MM / volume.spacing[axis])) for axis in (0, 1))
    nx, ny = volume.array.shape[0] // fx, volume.array.shape[1] // fy
    cut = volume.array[: nx * fx, : ny * fy]
    squares = cut.reshape(nx, fx, ny, fy, -1)
    return squares.mean(axis=(1, 3), dtype=np.float32), (fx, fy)


def _contrast(smooth: NDArray[np.float32]) -> float:
    """How many times brighter than its background the bright bands of the median column are."""
    background, bright = np.percentile(smooth, [10, 97], axis=2)
    return float(np.median(bright) / max(float(np.median(background)), 1e-6))


def _inner_edge(smooth: NDArray[np.float32]) -> NDArray[np.float64]:
    """First depth at which each column passes half-way between its background and its bright bands."""
    background = np.percentile(smooth, 10, axis=2, keepdims=True)
    bright = np.percentile(smooth, 97, axis=2, keepdims=True)
    return (smooth > (background + bright) / 2).argmax(axis=2).astype(float)


def _deepest_band(smooth: NDArray[np.float32], spacing: float) -> NDArray[np.float64]:
    """Lower edge of the RPE: the deepest place where a band is nearly as bright as the brightest one."""
    width = max(1, round(BAND_MM / spacing))
    total = np.concatenate([np.zeros((*smooth.shape[:2], 1)), smooth.cumsum(axis=2)], axis=2)
    mean = (total[..., width:] - total[..., :-width]) / width  # mean[i] covers i .. i + width
    peak = mean.max(axis=2, keepdims=True)
    background = np.percentile(smooth, 10, axis=2, keepdims=True)
    strong = mean > background + STRONG * (peak - background)
    deepest = strong.shape[2] - 1 - strong[..., ::-1].argmax(axis=2)
    return deepest + (width - 1) / 2


def _enlarge(edge: NDArray[np.float64], factors: tuple[int, int], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Back to single A-scans; those that did not fill a square take their neighbour's value."""
    fine = zoom(edge, factors, order=1, grid_mode=True, mode="nearest")
    return np.pad(fine, [(0, n - m) for n, m in zip(shape, fine.shape, strict=True)], mode="edge")

"""Movements of the eye during a scan, told from the scan itself."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, median_filter

from octa_kedro.io.volume import Volume

COLUMNS = 32  # A-scans of a B-scan that are looked at where all would be slow
LINE_LOG = 0.12  # a B-scan that is this much brighter or darker than its neighbours (log) is a motion line
LINE_ROWS = 7
JITTER_MM = 0.04  # how far neighbouring B-scans are shifted against each other in search of their offset
SACCADE_MM, SACCADE_REACH_MM = 0.04, 0.3  # the least sideways step that counts, and the largest looked for
SACCADE_ROWS = 3
SACCADE_SPACING_MM = 0.025  # B-scans farther apart show other capillaries, and seem shifted where they are not
SACCADE_GAIN = 0.35  # in correlation, that a shift must bring


def motion_line_share(map_: NDArray) -> float:
    """Share of the B-scans of an en-face map ``[x, y]`` that stand out of their neighbours in brightness."""
    log = np.log(np.maximum(map_, 0) + 1)
    # pixel by pixel, so that a vessel along the B-scan is no line
    outstanding = np.median(log - median_filter(log, (1, LINE_ROWS), mode="nearest"), axis=0)
    return float((np.abs(outstanding) > LINE_LOG).mean())


def axial_jitter_um(volume: Volume, ilm: NDArray, bm: NDArray) -> float:
    """Deviation of a B-scan's depth from between its neighbours, in micrometres.

    `ilm` and `bm` (voxel indices) say where to look. Measured in the image, since estimated surfaces are smoothed
    across B-scans. NaN where there are too few B-scans or too little retina.
    """
    depth, spacing = volume.array.shape[2], volume.spacing[2]
    reach = max(2, round(JITTER_MM / spacing))
    # with room for the shift and for what the borders of the retina are told by
    begin = max(int(np.nanmin(ilm)) - 3 * reach, 0)
    end = min(int(np.nanmax(bm)) + 3 * reach, depth)
    if volume.array.shape[1] < 3 or end - begin < 4 * reach:
        return np.nan
    step = max(1, volume.array.shape[0] // COLUMNS)
    profiles = np.asarray(volume.array[::step, :, begin:end]).transpose(1, 0, 2).astype(np.float32)
    profiles -= profiles.mean(axis=2, keepdims=True)
    own, following = np.ascontiguousarray(profiles[:-1, :, reach:-reach]), profiles[1:]
    n = own.shape[2]
    lags = range(2 * reach + 1)
    likeness = np.stack([np.einsum("yxz,yxz->y", own, following[:, :, lag : lag + n]) for lag in lags])
    # the top of a parabola through the best lag and its neighbours
    best = np.clip(likeness.argmax(axis=0), 1, 2 * reach - 1)
    before, at, after = (np.take_along_axis(likeness, best[None] + d, 0)[0] for d in (-1, 0, 1))
    bend = np.minimum(before - 2 * at + after, -1e-6)
    step_down = best - reach + np.clip((before - after) / (2 * bend), -1, 1)
    # half the difference of the steps before and after a B-scan is its distance from between its neighbours
    return float(np.diff(step_down).std() / 2 * spacing * 1000)


def saccade_share(map_: NDArray, volume: Volume) -> float:
    """Share of places between B-scans at which the en-face map ``[x, y]`` goes on sideways: the B-scans before and
    after it fit clearly better when shifted. NaN where B-scans lie too far apart to tell, or the field is too small.
    """
    spacing = volume.spacing[0]
    reach, ny = round(SACCADE_REACH_MM / spacing), map_.shape[1]
    if volume.spacing[1] > SACCADE_SPACING_MM or map_.shape[0] < 4 * reach or ny <= 2 * SACCADE_ROWS:
        return np.nan
    fine = np.log(np.maximum(map_, 0) + 1)
    fine = fine - gaussian_filter(fine, [SACCADE_REACH_MM / s for s in volume.spacing[:2]], mode="nearest")
    rows = np.stack([fine[:, i : ny - SACCADE_ROWS + 1 + i] for i in range(SACCADE_ROWS)]).mean(axis=0)
    before, after = rows[:, :-SACCADE_ROWS], rows[:, SACCADE_ROWS:]
    n = len(rows) - 2 * reach
    own = _standard(before[reach:-reach])
    likeness = np.stack([(own * _standard(after[lag : lag + n])).mean(axis=0) for lag in range(2 * reach + 1)])
    best = likeness.argmax(axis=0)
    gain = likeness.max(axis=0) - likeness[reach]
    return float(((np.abs(best - reach) * spacing >= SACCADE_MM) & (gain > SACCADE_GAIN)).mean())


def _standard(columns: NDArray) -> NDArray:
    return (columns - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), 1e-9)

"""Draws vessels, which are lines in millimetres, into maps on the fine pixels of a scan."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from octa_kedro.phantom.fields import Grid, Map
from octa_kedro.phantom.growth import Tree
from octa_kedro.phantom.tissue import Points

STEP_MM = 0.006
"""Vessels are drawn as points this far apart."""
PROFILE_UM = 3.0
"""Standard deviation of a capillary's own profile; the blur by the beam is added when a scan reads the map."""
CAPILLARY_UM = 3.0
"""Radius of the narrowest vessel in which flow is visible."""
CLASSES_UM = (9, 12, 15, 19, 24, 30, 37, 45, 55, 70, 1000)
WIDEST_UM = 90.0
MARGIN, KEY = 4096, 65536  # to write a pixel (x, y) as one number, even if it lies outside the map


@dataclass(frozen=True)
class Lines:
    """Points along vessels: `at` (N, 2) mm, `radius_um` (N,), and the length (N,) in mm that each stands for."""

    at: Points
    radius_um: Points
    length_mm: Points


def lines_of(tree: Tree, at: Points, radius_um: Points, grid: Grid) -> Lines:
    """Points along all edges and joins of a tree whose nodes lie at `at`, as far as the scan may show them."""
    child = np.flatnonzero(tree.parent >= 0)
    ends = np.concatenate([np.stack([child, tree.parent[child]], 1), tree.joins])
    half = max(grid.extent_mm[:2]) / 2 + max(map(abs, grid.fovea_mm)) + 0.3
    ends = ends[(np.abs(at).max(1) < half)[ends].all(1)]
    start, way = at[ends[:, 0]], at[ends[:, 1]] - at[ends[:, 0]]
    length = np.hypot(*way.T)
    count = np.maximum(np.ceil(length / STEP_MM).astype(int), 1)
    edge = np.repeat(np.arange(len(ends)), count)
    along = (np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)) / count[edge]
    radius = radius_um[ends[:, 0]]
    return Lines(start[edge] + along[:, None] * way[edge], radius[edge], (length / count)[edge])


def coverage(lines: Lines, grid: Grid) -> Map:
    """Share of each fine pixel that thin vessels cover, blurred by their profile; may exceed 1 where they overlap."""
    x, y = grid.fine_index(lines.at)
    shape = grid.fine[0].shape
    weight = (
        2 * np.maximum(lines.radius_um, CAPILLARY_UM) * lines.length_mm * 1000 / (grid.fine_um[0] * grid.fine_um[1])
    )
    left, low = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    canvas = np.zeros(shape[0] * shape[1])
    for i, wx in ((left, 1 - (x - left)), (left + 1, x - left)):
        for j, wy in ((low, 1 - (y - low)), (low + 1, y - low)):
            inside = (i >= 0) & (i < shape[0]) & (j >= 0) & (j < shape[1])
            flat = (i * shape[1] + j)[inside]
            canvas += np.bincount(flat, (weight * wx * wy)[inside], minlength=len(canvas))
    width = [PROFILE_UM / pixel for pixel in grid.fine_um]
    return ndimage.gaussian_filter(canvas.reshape(shape).astype(np.float32), width, mode="nearest")


def calibre(lines: Lines, grid: Grid) -> Map:
    """Radius in micrometres of the vessel at each fine pixel, 0 outside vessels; the widest where several overlap."""
    shape, pixel_um = grid.fine[0].shape, np.asarray(grid.fine_um)
    canvas = np.zeros(shape, np.float32)
    x, y = _pixels(lines.at, grid)
    for low, high in pairwise(CLASSES_UM):
        chosen = (lines.radius_um >= low) & (lines.radius_um < high)
        if not chosen.any():
            continue
        reach = np.maximum(np.sqrt(low * min(high, WIDEST_UM)) / pixel_um, 0.5)
        span = np.ceil(reach).astype(int)
        di, dj = np.mgrid[-span[0] : span[0] + 1, -span[1] : span[1] + 1]
        disc = (di / reach[0]) ** 2 + (dj / reach[1]) ** 2 <= 1
        seen, first = np.unique((x[chosen] + MARGIN) * KEY + y[chosen] + MARGIN, return_index=True)
        i, j = (seen // KEY - MARGIN)[:, None] + di[disc], (seen % KEY - MARGIN)[:, None] + dj[disc]
        inside = (i >= 0) & (i < shape[0]) & (j >= 0) & (j < shape[1])
        canvas[i[inside], j[inside]] = np.broadcast_to(lines.radius_um[chosen][first][:, None], i.shape)[inside]
    return canvas


def spots(at: Points, radius_um: float, grid: Grid) -> Map:
    """Round spots of peak 1 on the fine pixels, for vessels that run in depth."""
    x, y = _pixels(at, grid)
    canvas: Map = np.zeros(grid.fine[0].shape, np.float32)
    inside = (x >= 0) & (x < canvas.shape[0]) & (y >= 0) & (y < canvas.shape[1])
    canvas[x[inside], y[inside]] = 1
    size = float(np.hypot(radius_um, PROFILE_UM))
    across, along = (size / pixel for pixel in grid.fine_um)
    return ndimage.gaussian_filter(canvas, (across, along)) * np.float32(max(1.0, 2 * np.pi * across * along))


def keep(lines: Lines, chosen: NDArray[np.bool_]) -> Lines:
    """The chosen points only."""
    return Lines(lines.at[chosen], lines.radius_um[chosen], lines.length_mm[chosen])


def _pixels(at: Points, grid: Grid) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The fine pixels (x, y) nearest to places; they may lie outside the map."""
    x, y = grid.fine_index(at)
    return np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)

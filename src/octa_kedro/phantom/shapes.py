"""Places and outlines used by anatomy and diseases, in millimetres from the fovea, independent of the sampling."""

import numpy as np
from numpy.typing import NDArray

from octa_kedro.phantom.fields import Map, outline

CENTRAL_MM, OUTER_MM = (0.45, 1.3), (1.6, 2.8)
"""Distances from the fovea: what a 3 mm scan shows, and what only a 6 mm scan shows."""
FAR_MM = 1.0
IRREGULARITY = 0.12

Window = tuple[slice, slice]
Places = NDArray[np.float64]


def window(at: tuple[Map, Map], centre: tuple[float, float], reach_mm: float) -> Window:
    """The pixels within `reach_mm` of `centre` along each axis, and a few more where the eye moved; possibly none."""
    x, y = at[0][:, 0], at[1][0]
    columns = slice(*np.searchsorted(y, [centre[1] - reach_mm, centre[1] + reach_mm]))
    moved = at[0][0, columns] - x[0]
    low, high = (centre[0] - reach_mm - moved.max(initial=0), centre[0] + reach_mm - moved.min(initial=0))
    return slice(*np.searchsorted(x, [low, high])), columns


def ring(rng: np.random.Generator, count: int, reach_mm: tuple[float, float]) -> Places:
    """`count` points (N, 2) spread evenly round the fovea at distances within `reach_mm`, in random order."""
    turn = (rng.permutation(count) + rng.uniform(-0.3, 0.3, count)) / count
    angle, r = rng.uniform(0, 2 * np.pi) + 2 * np.pi * turn, rng.uniform(*reach_mm, count)
    return np.column_stack([r * np.cos(angle), r * np.sin(angle)])


def point(rng: np.random.Generator, reach_mm: tuple[float, float]) -> tuple[float, float]:
    """One point at a distance within `reach_mm` from the fovea, in any direction."""
    x, y = ring(rng, 1, reach_mm)[0]
    return float(x), float(y)


def read(values: Map, at: tuple[Map, Map], places: Places) -> Map:
    """`values` on the pixels `at`, read at `places` (N, 2): interpolated along x, in the nearest B-scan."""
    y = at[1][0]
    column = np.clip(np.rint((places[:, 1] - y[0]) / (y[1] - y[0])).astype(int), 0, len(y) - 1)
    lines = zip(places[:, 0], column, strict=True)
    return np.array([np.interp(x, at[0][:, c], values[:, c]) for x, c in lines], np.float32)


def relative_radius(
    rng: np.random.Generator,
    at: tuple[Map, Map],
    centre: tuple[float, float],
    radius_mm: float,
    irregularity: float = IRREGULARITY,
) -> Map:
    """Distance from `centre` relative to an irregular outline of mean radius `radius_mm`: 1 on the outline."""
    dx, dy = at[0] - np.float32(centre[0]), at[1] - np.float32(centre[1])
    return np.hypot(dx, dy) / (np.float32(radius_mm) * outline(rng, np.arctan2(dy, dx), irregularity))


def dome(rho: Map) -> Map:
    """Parabolic dome over relative radii: 1 in the middle, 0 from the outline on."""
    return np.maximum(1 - np.square(rho), 0)


def distance_to_patches(rng: np.random.Generator, at: tuple[Map, Map], patches: Places) -> Map:
    """Signed distance in millimetres (X, Y) to the nearest of irregular patches, rows (x, y, radius).

    Negative inside; `FAR_MM` where no patch is near.
    """
    distance = np.full(at[0].shape, FAR_MM, np.float32)
    for x, y, radius in patches:
        near = window(at, (x, y), 2 * radius + 0.25)
        dx, dy = at[0][near] - np.float32(x), at[1][near] - np.float32(y)
        border = np.float32(radius) * outline(rng, np.arctan2(dy, dx), IRREGULARITY)
        np.minimum(distance[near], np.hypot(dx, dy) - border, out=distance[near])
    return distance

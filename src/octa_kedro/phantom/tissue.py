"""Points of tissue that need supply, and so attract the nearest vessel."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

REACH_MM = 3.35
"""Trees are grown in a square that extends this far from the fovea, a little more than a 6 mm scan shows."""


def scatter(rng: np.random.Generator, spacing_mm: float) -> Points:
    """Points (N, 2) about `spacing_mm` apart: a jittered hexagonal lattice over the whole field."""
    rows = np.arange(-REACH_MM, REACH_MM, spacing_mm * np.sqrt(0.75))
    columns = np.arange(-REACH_MM, REACH_MM, spacing_mm)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    x = x + 0.5 * spacing_mm * (np.arange(len(rows)) % 2)[:, None]
    points = np.stack([x.ravel(), y.ravel()], 1)
    return points + spacing_mm * rng.uniform(-0.4, 0.4, points.shape)


def rim(faz_radius_mm: Callable[[NDArray], NDArray], spacing_mm: float) -> Points:
    """Points (N, 2) about `spacing_mm` apart along the border of the FAZ."""
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    radius = faz_radius_mm(angle)
    length = np.cumsum(radius * (angle[1] - angle[0]))
    at = np.interp(np.arange(0, length[-1], 0.8 * spacing_mm), length, angle)
    return np.stack([np.cos(at), np.sin(at)], 1) * faz_radius_mm(at)[:, None]

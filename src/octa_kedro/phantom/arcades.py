"""The large vessels from which trees grow: the temporal arcades, and small vessels from the disc to the macula."""

import numpy as np
from numpy.typing import NDArray

from octa_kedro.phantom.eye_config import DISC_MM, VesselConfig

Points = NDArray[np.float64]

STEP_MM = 0.03


def draw_trunks(rng: np.random.Generator, config: VesselConfig) -> list[tuple[Points, bool]]:
    """Courses (N, 2) in millimetres from the fovea, and whether each is a vein; an arcade has an artery and a vein."""
    trunks = []
    for side in (1, -1):
        first = rng.uniform(*config.arcade_height_mm)
        heights = (first, first + rng.uniform(*config.arcade_gap_mm))
        veins = rng.permutation([True, False])
        trunks += [(_arcade(rng, side, height), bool(vein)) for height, vein in zip(heights, veins, strict=True)]
    return trunks + _macular(rng)


def _arcade(rng: np.random.Generator, side: int, height: float) -> Points:
    """Course above (side 1) or below (-1) the macula: polar curve r = h / sin(angle)^a from the disc."""
    flatness = rng.uniform(0.45, 0.9)
    angle = np.linspace(np.arcsin((height / DISC_MM) ** (1 / flatness)), np.pi - 0.35, 600)
    wander = sum(0.16 / k * rng.standard_normal() * np.sin(k * 3 * angle + rng.uniform(0, 6.3)) for k in (1, 2, 3, 4))
    r = height / np.sin(angle) ** flatness + wander
    return _even(np.stack([r * np.cos(angle), side * r * np.sin(angle)], 1))


def _macular(rng: np.random.Generator) -> list[tuple[Points, bool]]:
    """A few small vessels that run from the disc straight to the macula."""
    trunks = []
    for offset in rng.permutation(np.linspace(-0.7, 0.7, 5))[: rng.integers(2, 5)]:
        t = np.linspace(0, 1, 200)
        x = DISC_MM + t * (rng.uniform(1.8, 2.8) - DISC_MM)
        y = offset * np.sin(np.pi * (0.25 + 0.6 * t)) + 0.05 * np.sin(rng.uniform(8, 14) * t + rng.uniform(0, 6))
        trunks.append((_even(np.stack([x, y], 1)), bool(rng.random() < 0.5)))
    return trunks


def _even(course: Points) -> Points:
    """The course, resampled to points `STEP_MM` apart."""
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(course, axis=0).T))])
    even = np.arange(0, length[-1], STEP_MM)
    return np.stack([np.interp(even, length, course[:, axis]) for axis in (0, 1)], 1)

"""The larger superficial vessels: two arcades from the disc, whose branches run towards the fovea."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from octa_kedro.phantom.config import VesselConfig
from octa_kedro.phantom.fields import Grid, Map

Points = NDArray[np.float64]

STEP_MM = 0.02
DISC_MM = 4.6
"""Distance of the optic disc from the fovea."""
TERMINAL_RADIUS_UM = 6.0
FAZ_MARGIN_MM = (0.03, 0.5)


@dataclass(frozen=True)
class Strands:
    """Vessel centre lines as points: `at` (N, 2) mm, `radius_um` (N,), `heading` (N,) radians."""

    at: Points
    radius_um: Points
    heading: Points

    def join(self, *others: Self) -> "Strands":
        """All points of these strands together."""
        every = (self, *others)
        return Strands(
            np.concatenate([s.at for s in every]),
            np.concatenate([s.radius_um for s in every]),
            np.concatenate([s.heading for s in every]),
        )


@dataclass(frozen=True)
class _Order:
    """Branches of one order: one about every `spacing_mm` of their parents.

    `pull` is the share of the angle to the fovea (plus a lasting deviation of the branch's own) that each
    step makes up; `inward` is the share of branches that leave their parent on the fovea's side.
    """

    spacing_mm: float
    radius_um: tuple[float, float]
    length_mm: tuple[float, float]
    pull: float
    inward: float


def draw_tree(rng: np.random.Generator, faz_radius_mm: float, config: VesselConfig) -> Strands:
    """Arcades and three orders of branches around one fovea."""
    gap = rng.uniform(*config.branch_spacing_mm)
    trunks = [_arcade(rng, side, config) for side in (1, 1, -1, -1)]
    macular = _macular(rng)
    parents = macular.join(*trunks)
    first = _branches(rng, parents, _Order(gap, (18.0, 32.0), (1.5, 3.6), 0.07, 0.8), faz_radius_mm)
    second = _branches(rng, first, _Order(gap, (11.0, 17.0), (0.3, 1.1), 0.03, 0.5), faz_radius_mm)
    third = _branches(rng, second, _Order(0.6 * gap, (7.0, 10.0), (0.12, 0.4), 0.0, 0.5), faz_radius_mm)
    return third.join(second, first, macular, *trunks)


def _arcade(rng: np.random.Generator, side: int, config: VesselConfig) -> Strands:
    """One trunk, above (side 1) or below (-1) the macula: polar curve r = h / sin(angle)^a from the disc."""
    height = rng.uniform(*config.arcade_height_mm)
    flatness = rng.uniform(0.45, 0.9)
    angle = np.linspace(np.arcsin((height / DISC_MM) ** (1 / flatness)), np.pi - 0.35, 600)
    wander = sum(0.09 / k * rng.standard_normal() * np.sin(k * 3 * angle + rng.uniform(0, 6.3)) for k in (1, 2, 3))
    r = height / np.sin(angle) ** flatness + wander
    at = np.stack([r * np.cos(angle), side * r * np.sin(angle)], 1)
    taper = np.linspace(1.0, 0.55, len(angle))
    return _strand(at, rng.uniform(*config.arcade_radius_um) * taper)


def _macular(rng: np.random.Generator) -> Strands:
    """A few small vessels that run from the disc straight to the macula."""
    strands = []
    for offset in rng.permutation(np.linspace(-0.7, 0.7, 5))[: rng.integers(2, 5)]:
        t = np.linspace(0, 1, 200)
        x = DISC_MM + t * (rng.uniform(0.6, 1.3) - DISC_MM)
        y = offset * np.sin(np.pi * (0.25 + 0.6 * t)) + 0.05 * np.sin(rng.uniform(8, 14) * t + rng.uniform(0, 6))
        strands.append(_strand(np.stack([x, y], 1), np.linspace(22, 12, 200)))
    return strands[0].join(*strands[1:])


def _strand(at: Points, radius_um: Points) -> Strands:
    """A curve resampled to `STEP_MM`."""
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(at, axis=0).T))])
    even = np.arange(0, length[-1], STEP_MM)
    points = np.stack([np.interp(even, length, at[:, axis]) for axis in (0, 1)], 1)
    heading = np.arctan2(*np.gradient(points, axis=0).T[::-1])
    return Strands(points, np.interp(even, length, radius_um), heading)


def _branches(rng: np.random.Generator, parents: Strands, order: _Order, faz_radius_mm: float) -> Strands:
    """Side branches of `parents`, grown together up to their lengths or to their distances from the FAZ."""
    chosen = rng.random(len(parents.at)) < STEP_MM / order.spacing_mm
    at, count = parents.at[chosen].copy(), int(chosen.sum())
    heading = parents.heading[chosen]
    inwards = np.sign(np.sin(np.arctan2(-at[:, 1], -at[:, 0]) - heading))
    side = inwards * np.where(rng.random(count) < order.inward, 1, -1)
    heading = heading + side * rng.uniform(0.5, 1.2, count)
    deviation = rng.normal(0, 0.35, count)
    bend = np.zeros(count)
    stop = faz_radius_mm + rng.uniform(*FAZ_MARGIN_MM, count)
    steps = rng.uniform(*order.length_mm, count) / STEP_MM
    widest = np.minimum(rng.uniform(*order.radius_um, count), 0.8 * parents.radius_um[chosen])
    alive = np.ones(count, bool)
    points, radii, headings = [], [], []
    for step in range(int(np.ceil(order.length_mm[1] / STEP_MM))):
        bend = 0.9 * bend + 0.025 * rng.standard_normal(count)
        wanted = np.arctan2(-at[:, 1], -at[:, 0]) + deviation
        turn = np.angle(np.exp(1j * (wanted - heading)))
        heading = heading + bend + order.pull * turn
        at = at + STEP_MM * np.stack([np.cos(heading), np.sin(heading)], 1)
        alive &= (step < steps) & (np.hypot(at[:, 0], at[:, 1]) > stop)
        taper = 1 - 0.6 * step / steps
        points.append(at[alive])
        headings.append(heading[alive])
        radii.append(np.maximum(widest * taper, TERMINAL_RADIUS_UM)[alive])
    return Strands(np.concatenate(points), np.concatenate(radii), np.concatenate(headings))


def paint(strands: Strands, grid: Grid) -> Map:
    """Vessel radius in micrometres at each fine pixel, 0 outside vessels; the widest vessel wins."""
    x, y = grid.fine
    canvas = np.zeros(x.shape, np.float32)
    pixel_um = np.asarray(grid.fine_um)
    origin = np.array([x[0, 0], y[0, 0]])
    index = np.rint((strands.at - origin) * 1000 / pixel_um).astype(int)
    for low, high in ((0, 9), (9, 14), (14, 20), (20, 28), (28, 36), (36, 45), (45, 1000)):
        chosen = (strands.radius_um >= low) & (strands.radius_um < high)
        if not chosen.any():
            continue
        reach = np.maximum(strands.radius_um[chosen].mean() / pixel_um, 0.7)
        span = np.ceil(reach).astype(int)
        di, dj = np.mgrid[-span[0] : span[0] + 1, -span[1] : span[1] + 1]
        disc = (di / reach[0]) ** 2 + (dj / reach[1]) ** 2 <= 1
        i = index[chosen, 0, None] + di[disc]
        j = index[chosen, 1, None] + dj[disc]
        inside = (i >= 0) & (i < x.shape[0]) & (j >= 0) & (j < x.shape[1])
        value = np.broadcast_to(strands.radius_um[chosen, None], i.shape)
        canvas[i[inside], j[inside]] = value[inside]
    return canvas

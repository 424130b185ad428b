"""Retinal vessel trees, grown by space colonisation; arterioles and venules share the tissue that they supply.

Points of tissue without supply attract the nearest vessel, artery or vein, which grows towards them
(Runions et al. 2007; Kreitner et al. 2024 for OCTA). Radii follow Murray's law, from the tips to the trunks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octa_kedro.phantom.eye_config import VesselConfig
from octa_kedro.phantom.tissue import REACH_MM, Points, rim, scatter

SUPPLIED = 0.45
"""A point is supplied when a vessel comes closer than this share of the stage's spacing."""
TURN = 0.35
"""Share of a new direction that comes from attraction at one step; the rest is the old direction."""
SPROUT = 0.7
"""Weight of a vessel's own direction, relative to the attraction, in the direction of a new branch."""
CAPILLARY_WANDER = 0.3
"""Capillaries change direction more than other vessels, or visible rows of parallel ones would arise."""
ITERATIONS = 120
LEFT = 0.003
"""Growth ends when at most this share of the points is left: the last few take as many steps as all others."""
JOIN = 1.6
"""The tip of a capillary joins a neighbour within this many spacings of its stage."""
CELL = 2
"""Width of the cells in which vessels are searched, in spacings of the stage: about the fastest."""
GENERATIONS = 10
"""A tip does not join the last nodes of its own branch, of which there are this many."""


@dataclass(frozen=True)
class Stage:
    """Growth towards points `spacing_mm` apart, from `margin_mm` outside the FAZ on, in steps of `step_mm`.

    If `own`, arteries and veins have separate points, so that they may cross; else they share the points. If `rim`,
    there are points along the border of the FAZ too, so that the last capillaries encircle it. `wander` replaces the
    configured value.
    """

    spacing_mm: float
    margin_mm: float
    step_mm: float
    own: bool = False
    wander: float | None = None
    rim: bool = False


TREES = (Stage(0.55, 0.3, 0.03, True), Stage(0.3, 0.05, 0.03, True), Stage(0.24, 1.2, 0.03, True))
"""From the first branches to the terminal arterioles and venules; capillaries follow."""


@dataclass(frozen=True)
class Tree:
    """Nodes of all trees: `at` (N, 2) mm, `parent` (N,) (-1 at a root), `vein` (N,), `radius_um` (N,), `tip` (N,).

    A parent always comes before its children. `joins` (M, 2) are pairs of nodes that a capillary connects, so that
    blood can flow from an arteriole to a venule.
    """

    at: Points
    parent: NDArray[np.intp]
    vein: NDArray[np.bool_]
    radius_um: Points
    tip: NDArray[np.bool_]
    joins: NDArray[np.intp]


@dataclass
class _Front:
    """All nodes during growth, with their directions; `ends` is the number of nodes after each batch was added."""

    at: Points
    parent: NDArray[np.intp]
    vein: NDArray[np.bool_]
    heading: Points
    ends: list[int]

    def add(self, at: Points, parent: NDArray[np.intp], heading: Points) -> None:
        self.at = np.concatenate([self.at, at])
        self.parent = np.concatenate([self.parent, parent])
        self.vein = np.concatenate([self.vein, self.vein[parent]])
        self.heading = np.concatenate([self.heading, heading])
        self.ends.append(len(self.at))


def grow_retinal(
    rng: np.random.Generator,
    trunks: list[tuple[Points, bool]],
    faz_radius_mm: Callable[[NDArray], NDArray],
    spacing_mm: float,
    config: VesselConfig,
) -> Tree:
    """The superficial plexus, from `trunks` (a course (N, 2) in mm, and whether it is a vein) to its capillaries.

    `faz_radius_mm` gives the radius of the FAZ in a direction (radians), `spacing_mm` the mesh of the capillaries.
    """
    at = np.concatenate([course for course, _ in trunks])
    lengths = [len(course) for course, _ in trunks]
    parent = np.arange(len(at)) - 1
    parent[np.cumsum([0, *lengths[:-1]])] = -1
    heading = np.concatenate([_unit(np.gradient(course, axis=0)) for course, _ in trunks])
    front = _Front(at, parent, np.repeat([vein for _, vein in trunks], lengths), heading, [len(at)])
    return _grow(rng, front, (*TREES, *_capillaries(spacing_mm)), faz_radius_mm, config)


def grow_deep(
    rng: np.random.Generator,
    above: Tree,
    faz_radius_mm: Callable[[NDArray], NDArray],
    spacing_mm: float,
    config: VesselConfig,
) -> tuple[Tree, Points]:
    """A deeper plexus, supplied by vessels that descend from tips of the plexus `above`, and their places (N, 2)."""
    tips = np.flatnonzero(above.tip)
    tips = tips[rng.random(len(tips)) < rng.uniform(*config.connecting) * (2 * REACH_MM) ** 2 / len(tips)]
    at, count = above.at[tips], len(tips)
    heading = _unit(rng.standard_normal((count, 2)))
    front = _Front(at, np.full(count, -1), above.vein[tips], heading, [count])
    return _grow(rng, front, _capillaries(spacing_mm), faz_radius_mm, config), at


def _capillaries(spacing_mm: float) -> tuple[Stage, ...]:
    return tuple(
        Stage(spacing_mm * width, 0.0, 0.45 * spacing_mm, rim=True, wander=CAPILLARY_WANDER) for width in (1.7, 1.0)
    )


def _grow(
    rng: np.random.Generator,
    front: _Front,
    stages: tuple[Stage, ...],
    faz_radius_mm: Callable[[NDArray], NDArray],
    config: VesselConfig,
) -> Tree:
    for stage in stages:
        points = scatter(rng, stage.spacing_mm)
        beyond = np.hypot(*points.T) - faz_radius_mm(np.arctan2(points[:, 1], points[:, 0]))
        points = points[beyond > stage.margin_mm + 0.5 * stage.spacing_mm]
        if stage.rim:
            points = np.concatenate([points, rim(faz_radius_mm, stage.spacing_mm)])
        kinds = rng.random(len(points)) < 0.5
        for chosen, nodes in ((kinds, front.vein), (~kinds, ~front.vein)) if stage.own else ((kinds | True, None),):
            _colonise(
                rng,
                front,
                points[chosen],
                stage,
                nodes=nodes,
                wander=config.wander if stage.wander is None else stage.wander,
            )
    tip = np.ones(len(front.at), bool)
    tip[front.parent[front.parent >= 0]] = False
    radius = _murray(rng, front, tip, config)
    return Tree(front.at, front.parent, front.vein, radius, tip, _joins(front, tip, JOIN * stages[-1].spacing_mm))


def _colonise(
    rng: np.random.Generator,
    front: _Front,
    points: Points,
    stage: Stage,
    *,
    nodes: NDArray[np.bool_] | None,
    wander: float,
) -> None:
    """Grow `front` (only its `nodes`, if given) until the `points` are supplied or out of reach."""
    # Numba takes a second or two to import, and only growing needs it
    from octa_kedro.phantom.nearest import approach  # noqa: PLC0415

    usable = np.arange(len(front.at)) if nodes is None else np.flatnonzero(nodes)
    distance, nearest = np.full(len(points), np.inf), np.zeros(len(points), np.intp)
    approach(points, distance, nearest, front.at[usable], first=0, cell_mm=CELL * stage.spacing_mm)
    nearest = usable[nearest]
    few = LEFT * len(points)
    for _ in range(ITERATIONS):
        waiting = distance > SUPPLIED * stage.spacing_mm
        points, distance, nearest = points[waiting], distance[waiting], nearest[waiting]
        if len(points) <= few:
            return
        parents, pull = _pulls(points, nearest, front.at)
        # if the attractions of a node cancel out, chance decides
        pull = _unit(pull + 0.1 * rng.standard_normal(pull.shape))
        old = front.heading[parents]
        forward = (old * pull).sum(1, keepdims=True) > 0.5
        heading = _unit(np.where(forward, (1 - TURN) * old + TURN * pull, pull + SPROUT * old))
        heading = _unit(heading + wander * rng.standard_normal(heading.shape))
        first = len(front.at)
        front.add(front.at[parents] + stage.step_mm * heading, parents, heading)
        approach(points, distance, nearest, front.at[first:], first=first, cell_mm=CELL * stage.spacing_mm)


def _pulls(points: Points, nearest: NDArray[np.intp], at: Points) -> tuple[NDArray[np.intp], Points]:
    """The nodes (K,) that are nearest to any of the points, and the sum (K, 2) of unit vectors to these points."""
    place = np.bincount(nearest, minlength=len(at))
    pulled = np.flatnonzero(place)
    place[pulled] = np.arange(len(pulled))
    way = _unit(points - at[nearest])
    return pulled, np.stack([np.bincount(place[nearest], along) for along in way.T], 1)


def _joins(front: _Front, tip: NDArray[np.bool_], reach_mm: float) -> NDArray[np.intp]:
    """Pairs (M, 2): each tip and the nearest node of another branch within reach."""
    from octa_kedro.phantom.nearest import partners  # noqa: PLC0415

    tips = np.flatnonzero(tip)
    partner = partners(front.at, front.parent, tips, reach_mm, GENERATIONS)
    chosen = np.full(len(front.at), -1)
    chosen[tips] = partner
    # two tips that chose each other are joined once
    again = (chosen[partner] == tips) & (partner < tips)
    return np.stack([tips, partner], 1)[(partner >= 0) & ~again]


def _murray(rng: np.random.Generator, front: _Front, tip: NDArray[np.bool_], config: VesselConfig) -> Points:
    """Radii in micrometres: r^k of a vessel is the sum of r^k of its branches (Murray 1926, k about 3)."""
    k = rng.uniform(*config.murray_exponent)
    power = np.where(tip, config.terminal_radius_um**k, 0.0)
    starts = [0, *front.ends[:-1]]
    for start, end in zip(starts[:0:-1], front.ends[:0:-1], strict=True):
        np.add.at(power, front.parent[start:end], power[start:end])
    # the nodes of each trunk form one chain
    for node in range(front.ends[0] - 1, -1, -1):
        if front.parent[node] >= 0:
            power[front.parent[node]] += power[node]
    radius = power ** (1 / k)
    return np.where(front.vein, config.vein_ratio, 1.0) * radius


def _unit(vectors: Points) -> Points:
    # numpy.linalg.norm and hypot take several times as long
    x, y = vectors.T
    return vectors / np.maximum(np.sqrt(x * x + y * y), 1e-9)[:, None]

"""Dry age-related macular degeneration: drusen on Bruch's membrane, gaps in the choriocapillaris."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from octa_kedro.phantom.anatomy import Anatomy
from octa_kedro.phantom.fields import Grid, Map, edge
from octa_kedro.phantom.lesions.config import MOUND_SHARES, AmdConfig
from octa_kedro.phantom.lesions.model import Finding, Lesions, TissueLayer
from octa_kedro.phantom.lesions.severity import loss, number, size
from octa_kedro.phantom.lesions.surfaces import ordered_lift, raised
from octa_kedro.phantom.shapes import Places, Window, distance_to_patches, dome, ring, window

GREY = 140.0
STEEPEST = 0.6
STRAY_SHARE, STRAY_MM = 0.25, (0.1, 2.8)
"""Share of drusen and gaps that lie outside the clusters, and their distances from the fovea."""
SOFT_MM = 0.05


def draw_amd(rng: np.random.Generator, grid: Grid, anatomy: Anatomy, severity: float, config: AmdConfig) -> Lesions:
    """The lesions of one eye with drusen."""
    full, left = number(rng, config.drusen, severity)
    places = _clustered(rng, full, config)
    height = np.zeros(grid.shape[:2], np.float32)
    for near, mound in list(_mounds(rng, grid.coarse, places, severity, config))[:left]:
        np.maximum(height[near], mound, out=height[near])
    lift = ordered_lift(anatomy.surfaces_um, raised(height, MOUND_SHARES))
    count, there = number(rng, config.deficits, severity)
    under = places[rng.integers(0, full, count)]
    at = np.where((np.arange(count) % 2 == 0)[:, None], under, _clustered(rng, count, config))
    radius = 0.5 * size(severity) * rng.uniform(*config.deficit_diameter_mm, count)
    distance = distance_to_patches(rng, grid.coarse, np.column_stack([at, radius])[:there])
    taken = np.float32(loss(severity) * (1 - rng.uniform(*config.residual_flow)))
    druse = TissueLayer(Finding.DRUSEN, 5, np.zeros_like(height), lift[4], grey=GREY, flow=0.0)
    return replace(
        Lesions.none(grid),
        kept_choriocapillaris=1 - taken * edge(distance, SOFT_MM),
        lift_um=lift,
        layers=(druse,),
    )


def _clustered(rng: np.random.Generator, count: int, config: AmdConfig) -> Places:
    """Points (N, 2) in clusters near the fovea, and some elsewhere."""
    clusters, _ = number(rng, config.clusters, 1)
    centres = ring(rng, clusters, config.reach_mm)[rng.integers(0, clusters, count)]
    near = centres + rng.uniform(*config.spread_mm) * rng.standard_normal((count, 2))
    return np.where(rng.random((count, 1)) < STRAY_SHARE, ring(rng, count, STRAY_MM), near)


def _mounds(
    rng: np.random.Generator, at: tuple[Map, Map], places: Places, severity: float, config: AmdConfig
) -> Iterator[tuple[Window, Map]]:
    """Where each druse lies, and its height there in micrometres."""
    rank = rng.random(len(places))
    width = config.drusen_diameter_um[0] + rank * np.ptp(config.drusen_diameter_um)
    tall = config.drusen_height_um[0] + rank * rng.uniform(0.5, 1, len(places)) * np.ptp(config.drusen_height_um)
    tall = np.minimum(tall, STEEPEST * width)
    for (x, y), radius, top in zip(places, size(severity) * width / 2000, size(severity) * tall, strict=True):
        near = window(at, (x, y), radius)
        rho = np.hypot(at[0][near] - np.float32(x), at[1][near] - np.float32(y)) / np.float32(radius)
        yield near, np.float32(top) * np.sqrt(dome(rho))

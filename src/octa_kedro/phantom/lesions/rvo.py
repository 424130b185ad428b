"""Branch retinal vein occlusion: a sector with wide veins, closed capillaries and oedema."""

from dataclasses import replace

import numpy as np

from octa_kedro.phantom.anatomy import Anatomy
from octa_kedro.phantom.fields import Grid, Map, edge, smooth_field
from octa_kedro.phantom.lesions.config import RvoConfig
from octa_kedro.phantom.lesions.cysts import draw_cysts
from octa_kedro.phantom.lesions.model import Congestion, Lesions
from octa_kedro.phantom.lesions.severity import loss, number, size
from octa_kedro.phantom.lesions.surfaces import ordered_lift, raised
from octa_kedro.phantom.shapes import Places, distance_to_patches

CENTRAL_MM, OUTER_MM = (0.25, 1.4), (1.4, 2.9)
CANDIDATES = 600
INSIDE = 0.7
"""Centres of lesions lie where `Congestion.share` is larger than this."""
SWELLING = (1.0, 0.85, 0.15, 0.0, 0.0, 0.0)
"""By which share of the thickening each surface rises: the inner nuclear layer swells most."""
SWELLING_REACH_MM = 1.6
UNEVEN_MM = 0.6
SOFT_MM = 0.06


def draw_rvo(rng: np.random.Generator, grid: Grid, anatomy: Anatomy, severity: float, config: RvoConfig) -> Lesions:
    """The lesions of one eye with a branch vein occluded."""
    sector = _sector(rng, severity, config)
    patches = np.concatenate([_patches(rng, sector, reach, severity, config) for reach in (CENTRAL_MM, OUTER_MM)])
    share = sector.share(*grid.fine).astype(np.float32)
    distance = distance_to_patches(rng, grid.fine, patches)
    outside = np.hypot(*grid.fine) > anatomy.faz_radius_mm
    taken = np.float32(loss(severity) * (1 - rng.uniform(*config.residual_flow))) * share * outside
    margin = np.float32(rng.uniform(*config.deep_margin_mm))
    cysts = []
    for reach in (CENTRAL_MM, OUTER_MM):
        full, left = number(rng, config.cysts.count, severity)
        cysts.append(_within(rng, sector, full, reach)[:left])
    return replace(
        Lesions.none(grid),
        kept_superficial=1 - taken * edge(distance, SOFT_MM),
        kept_deep=1 - taken * edge(distance - margin, SOFT_MM),
        lift_um=_swelling(rng, grid, anatomy, sector, severity * rng.uniform(*config.thickening_um)),
        balls=(draw_cysts(rng, np.concatenate(cysts), config.cysts, severity, (1, 2)),),
        congestion=sector,
    )


def _sector(rng: np.random.Generator, severity: float, config: RvoConfig) -> Congestion:
    """A sector above or below the raphe, opening from the disc towards the temple."""
    half_width = np.deg2rad(rng.uniform(*config.half_width_deg))
    # an occlusion ends at the raphe: a border of the sector runs along it
    above = half_width + np.deg2rad(rng.uniform(0, 8))
    side = 1 if rng.random() < 0.5 else -1
    apex = (float(rng.uniform(*config.apex_mm)), float(rng.uniform(-0.1, 0.1)))
    return Congestion(
        apex_mm=apex,
        angle=float(side * (np.pi - above)),
        half_width=float(half_width),
        dilation=1 + severity * float(rng.uniform(*config.dilation) - 1),
        tortuosity_mm=severity * float(rng.uniform(*config.tortuosity_mm)),
    )


def _within(rng: np.random.Generator, sector: Congestion, count: int, reach_mm: tuple[float, float]) -> Places:
    """Up to `count` points (N, 2) of the sector whose distance from the fovea is within `reach_mm`."""
    x, y = rng.uniform(-reach_mm[1], reach_mm[1], (2, CANDIDATES))
    r = np.hypot(x, y)
    fit = (sector.share(x, y) > INSIDE) & (r > reach_mm[0]) & (r < reach_mm[1])
    return np.column_stack([x, y])[fit][:count]


def _patches(
    rng: np.random.Generator, sector: Congestion, reach_mm: tuple[float, float], severity: float, config: RvoConfig
) -> Places:
    """Rows (x, y, radius) in millimetres of closed patches inside the sector."""
    full, left = number(rng, config.patches, severity)
    places = _within(rng, sector, full, reach_mm)
    radius = 0.5 * size(severity) * rng.uniform(*config.patch_diameter_mm, full)
    return np.column_stack([places, radius[: len(places)]])[:left]


def _swelling(rng: np.random.Generator, grid: Grid, anatomy: Anatomy, sector: Congestion, height_um: float) -> Map:
    """Lift (6, X, Y) of the inner retina, uneven, and smaller far from the fovea."""
    x, y = grid.coarse
    uneven = np.clip(1 + np.float32(0.25) * smooth_field(rng, grid.coarse, UNEVEN_MM), 0.3, 1.7)
    fading = np.exp(-0.5 * np.square(np.hypot(x, y) / np.float32(SWELLING_REACH_MM)))
    height = np.float32(height_um) * sector.share(x, y).astype(np.float32) * uneven * fading
    return ordered_lift(anatomy.surfaces_um, raised(height, SWELLING))

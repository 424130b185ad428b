"""Other diseases: epiretinal membrane or cystoid macular oedema."""

from dataclasses import replace

import numpy as np

from octa_kedro.phantom.anatomy import Anatomy
from octa_kedro.phantom.fields import Grid, Map, edge, smooth_field
from octa_kedro.phantom.lesions.config import MembraneConfig, OedemaConfig, OthersConfig
from octa_kedro.phantom.lesions.cysts import draw_cysts
from octa_kedro.phantom.lesions.model import Finding, Lesions, TissueLayer
from octa_kedro.phantom.lesions.severity import extent, number
from octa_kedro.phantom.lesions.surfaces import ordered_lift, raised
from octa_kedro.phantom.shapes import point, read, relative_radius, ring

MEMBRANE_GREY = 190.0
WRINKLE_MM = 0.22
RIM_MM = 1.2
PULL = (1.0, 0.45, 0.1, 0.0, 0.0, 0.0)
"""By which share of the ILM's displacement by a membrane each surface moves."""
SWELLING = (1.0, 0.85, 0.45, 0.0, 0.0, 0.0)
SWELLING_MM = 0.75


def draw_others(
    rng: np.random.Generator, grid: Grid, anatomy: Anatomy, severity: float, config: OthersConfig
) -> Lesions:
    """The lesions of one eye with one of the two diseases, chosen at random."""
    if rng.random() < config.membrane_share:
        return _membrane(rng, grid, anatomy, severity, config.membrane)
    return _oedema(rng, grid, anatomy, severity, config.oedema)


def _membrane(
    rng: np.random.Generator, grid: Grid, anatomy: Anatomy, severity: float, config: MembraneConfig
) -> Lesions:
    """A bright film on the ILM that wrinkles and thickens the retina and flattens its pit."""
    at, grown = grid.coarse, extent(severity)
    rho = relative_radius(rng, at, point(rng, config.offset_mm), 0.5 * grown * rng.uniform(*config.diameter_mm))
    covered = edge(rho - np.float32(0.9), 0.2)
    # the film has irregular fingers and is not a disc
    film = covered * edge(np.float32(0.3) * smooth_field(rng, at, 0.5) + rho - np.float32(0.85), 0.2)
    thickness = np.float32(grown * rng.uniform(*config.membrane_um)) * film
    wrinkle = np.float32(severity * rng.uniform(*config.wrinkle_um)) * np.abs(smooth_field(rng, at, WRINKLE_MM))
    swollen = np.float32(severity * rng.uniform(*config.thickening_um))
    filled = np.float32(severity * rng.uniform(*config.pit_filled)) * _pit(grid, anatomy)
    lift = ordered_lift(anatomy.surfaces_um, raised(covered * (wrinkle + swollen + filled), PULL))
    layer = TissueLayer(Finding.EPIRETINAL_MEMBRANE, 0, np.zeros_like(rho), thickness, grey=MEMBRANE_GREY, flow=0.0)
    return replace(Lesions.none(grid), lift_um=lift, layers=(layer,))


def _pit(grid: Grid, anatomy: Anatomy) -> Map:
    """Depth (X, Y) in micrometres of the pit below the level of its rim."""
    inner = anatomy.surfaces_um[5] - anatomy.surfaces_um[0]
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    rim = read(inner, grid.coarse, RIM_MM * np.column_stack([np.cos(angle), np.sin(angle)])).mean()
    return np.maximum(rim - inner, 0)


def _oedema(rng: np.random.Generator, grid: Grid, anatomy: Anatomy, severity: float, config: OedemaConfig) -> Lesions:
    """Cysts round the fovea in a swollen retina."""
    r = np.hypot(*grid.coarse)
    swollen = np.float32(severity * rng.uniform(*config.thickening_um))
    height = swollen * np.exp(-0.5 * np.square(r / np.float32(SWELLING_MM)))
    full, left = number(rng, config.cysts.count, severity)
    places = ring(rng, full, config.reach_mm)
    deep = np.arange(full) < config.outer_share * full
    deep = rng.permutation(deep)[:left]
    balls = (
        draw_cysts(rng, places[:left][~deep], config.cysts, severity, (1, 2)),
        draw_cysts(rng, places[:left][deep], config.cysts, severity, (2, 3)),
    )
    return replace(Lesions.none(grid), lift_um=ordered_lift(anatomy.surfaces_um, raised(height, SWELLING)), balls=balls)

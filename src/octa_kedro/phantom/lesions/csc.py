"""Central serous chorioretinopathy: a dome of fluid under the retina, a small one under the pigment epithelium."""

from dataclasses import replace

import numpy as np

from octa_kedro.phantom.anatomy import Anatomy
from octa_kedro.phantom.fields import Grid, edge, smooth_field
from octa_kedro.phantom.lesions.config import CscConfig
from octa_kedro.phantom.lesions.model import FLUID_GREY, Finding, Lesions, TissueLayer
from octa_kedro.phantom.lesions.severity import extent, loss
from octa_kedro.phantom.lesions.surfaces import ordered_lift, raised
from octa_kedro.phantom.shapes import dome, point, relative_radius

ABOVE_RPE = (1.0, 1.0, 1.0, 1.0, 0.0, 0.0)
ABOVE_BM = (1.0, 1.0, 1.0, 1.0, 1.0, 0.0)
IRREGULARITY = 0.05
UNEVEN_MM = 0.25
LEAST_FLUID = 0.3
"""Share of the fluid's height that stays above a detachment of the epithelium."""
LEAST_KEPT = 0.6
"""Lowest share of the choriocapillaris's flow: it is uneven, but nowhere closed."""


def draw_csc(rng: np.random.Generator, grid: Grid, anatomy: Anatomy, severity: float, config: CscConfig) -> Lesions:
    """The lesions of one eye with serous detachment."""
    at, grown = grid.coarse, extent(severity)
    centre, radius = point(rng, config.offset_mm), 0.5 * grown * rng.uniform(*config.diameter_mm)
    rho = relative_radius(rng, at, centre, radius, IRREGULARITY)
    fluid = np.float32(severity * rng.uniform(*config.height_um)) * dome(rho)
    angle, off = rng.uniform(0, 2 * np.pi), 0.5 * radius * rng.random()
    beside = (centre[0] + off * float(np.cos(angle)), centre[1] + off * float(np.sin(angle)))
    small = 0.5 * grown * rng.uniform(*config.detachment_diameter_mm)
    detached = dome(relative_radius(rng, at, beside, small))
    detached *= np.float32(severity * rng.uniform(*config.detachment_height_um))
    # a small detachment rises into the fluid more than it lifts the retina
    fluid = np.maximum(fluid - detached, np.float32(LEAST_FLUID) * fluid)
    lift = ordered_lift(anatomy.surfaces_um, raised(fluid, ABOVE_RPE) + raised(detached, ABOVE_BM))
    uneven = np.float32(loss(severity) * rng.uniform(*config.unevenness)) * edge(rho - 1, 0.3)
    kept = 1 + uneven * (1 + smooth_field(rng, at, UNEVEN_MM))
    zero = np.zeros_like(fluid)
    return replace(
        Lesions.none(grid),
        kept_choriocapillaris=np.maximum(kept, np.float32(LEAST_KEPT)),
        lift_um=lift,
        layers=(
            TissueLayer(Finding.FLUID, 4, zero, lift[3] - lift[4], grey=FLUID_GREY, flow=0.0),
            TissueLayer(Finding.FLUID, 5, zero, lift[4], grey=FLUID_GREY, flow=0.0),
        ),
    )

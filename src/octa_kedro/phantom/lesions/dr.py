"""Diabetic retinopathy: closed capillaries, microaneurysms, later cysts."""

from dataclasses import replace

import numpy as np

from octa_kedro.phantom.anatomy import Anatomy
from octa_kedro.phantom.fields import Grid, edge
from octa_kedro.phantom.lesions.config import DrConfig
from octa_kedro.phantom.lesions.cysts import draw_cysts
from octa_kedro.phantom.lesions.model import Balls, Finding, Lesions
from octa_kedro.phantom.lesions.severity import loss, number, size
from octa_kedro.phantom.shapes import CENTRAL_MM, OUTER_MM, Places, distance_to_patches, ring

SOFT_MM = 0.06
CYST_MM = (0.3, 1.2)
CYST_ONSET = 0.5


def draw_dr(rng: np.random.Generator, grid: Grid, anatomy: Anatomy, severity: float, config: DrConfig) -> Lesions:
    """The lesions of one eye with diabetic retinopathy."""
    central = _patches(rng, CENTRAL_MM, anatomy.sparse, config)
    outer = _patches(rng, OUTER_MM, anatomy.sparse[:0], config)
    at_faz = _patches_at_faz(rng, anatomy, config)
    there = [p[: int(len(p) * severity + rng.random())] for p in (central, outer, at_faz)]
    patches = np.concatenate(there) * [1, 1, size(severity)]
    distance = distance_to_patches(rng, grid.fine, patches)
    # inside the FAZ there are no capillaries to close
    outside = np.hypot(*grid.fine) > anatomy.faz_radius_mm
    taken = np.float32(loss(severity) * (1 - rng.uniform(*config.residual_flow))) * outside
    margin = np.float32(rng.uniform(*config.deep_margin_mm))
    balls = _microaneurysms(rng, [np.concatenate([central, at_faz]), outer], severity, config)
    late = max(0.0, (severity - CYST_ONSET) / (1 - CYST_ONSET))
    full, left = number(rng, config.cysts.count, late)
    return replace(
        Lesions.none(grid),
        kept_superficial=1 - taken * edge(distance, SOFT_MM),
        kept_deep=1 - taken * edge(distance - margin, SOFT_MM),
        balls=(*balls, draw_cysts(rng, ring(rng, full, CYST_MM)[:left], config.cysts, severity, (1, 2))),
    )


def _patches(rng: np.random.Generator, reach_mm: tuple[float, float], sparse: Places, config: DrConfig) -> Places:
    """Rows (x, y, radius) in millimetres of the closed patches at severity 1.

    Capillaries close first in the watershed zones `sparse` (rows as well), elsewhere only if these are too few.
    """
    count, _ = number(rng, config.patches, 1)
    radius = 0.5 * rng.uniform(*config.patch_diameter_mm, count)
    anywhere = np.column_stack([ring(rng, count, reach_mm), radius])
    return np.concatenate([sparse, anywhere[len(sparse) :]])[:count]


def _patches_at_faz(rng: np.random.Generator, anatomy: Anatomy, config: DrConfig) -> Places:
    count, _ = number(rng, config.patches_at_faz, 1)
    angle = rng.uniform(0, 2 * np.pi, count)
    border = anatomy.faz_radius(angle)
    r, radius = border * rng.uniform(0.9, 1.2, count), border * rng.uniform(0.35, 0.6, count)
    return np.column_stack([r * np.cos(angle), r * np.sin(angle), radius])


def _microaneurysms(
    rng: np.random.Generator, regions: list[Places], severity: float, config: DrConfig
) -> tuple[Balls, Balls]:
    """Those of the superficial plexus and those below it, in or at patches that close at this or a higher severity.

    They brighten an en-face map where closure has darkened it, so that depth shows the disease, but the histogram of an
    en-face map hardly does.
    """
    rows = []
    for patches in regions:
        full, left = number(rng, config.microaneurysms, severity)
        at = patches[rng.integers(0, len(patches), full)]
        angle, off = rng.uniform(0, 2 * np.pi, full), rng.uniform(0.35, 1.05, full)
        x, y = (at[:, i] + off * at[:, 2] * f(angle) for i, f in enumerate((np.cos, np.sin)))
        radius = 0.5 * size(severity) * rng.uniform(*config.microaneurysm_diameter_um, full)
        flow = size(severity) * rng.uniform(*config.microaneurysm_flow, full)
        high = rng.random(full) < config.superficial_share
        rows.append(np.column_stack([x, y, rng.uniform(0.25, 0.8, full), radius, radius, flow, high])[:left])
    found = np.concatenate(rows)
    high = found[:, 6] > 0
    # the superficial capillaries lie in the lower half of their layer
    found[high, 2] = 0.4 + 0.5 * found[high, 2]
    upper, lower = found[high, :6], found[~high, :6]
    return Balls(Finding.MICROANEURYSM, (0, 1), upper), Balls(Finding.MICROANEURYSM, (1, 2), lower)

"""Choroidal neovascularisation: a tangle of new vessels on Bruch's membrane, fluid beside it, a dark halo below."""

from dataclasses import dataclass, replace

import numpy as np

from octa_kedro.phantom.anatomy import Anatomy
from octa_kedro.phantom.fields import Grid, Map, edge, mesh, smooth_field
from octa_kedro.phantom.lesions.config import MOUND_SHARES, CnvConfig
from octa_kedro.phantom.lesions.model import FLUID_GREY, Finding, Lesions, Sheets, TissueLayer
from octa_kedro.phantom.lesions.severity import extent, loss
from octa_kedro.phantom.lesions.surfaces import ordered_lift, raised
from octa_kedro.phantom.shapes import Window, dome, point, relative_radius, window

GREY = 168.0
MESH_MM = 0.1
SHEETS = (0.3, 0.65)
"""Heights of the two sheets of vessels that form the tangle, relative to its height."""
TISSUE_SHARE = 0.28
"""Flow measured between the resolved vessels of a tangle, relative to that in the vessels."""
ROOM = 0.85
"""Share of the outer retina that a tangle may fill, so that it never reaches the inner retina."""
ABOVE_RPE = (1.0, 1.0, 1.0, 1.0, 0.0, 0.0)
HALO = (1.0, 1.45)
"""Inner and outer border of the halo, relative to the tangle's radius."""


@dataclass(frozen=True)
class _Tangle:
    """Maps (X, Y) of a tangle: `rho` is 1 at its border; heights above BM and the lift of the RPE in micrometres."""

    rho: Map
    top_um: Map
    lift_um: Map
    sheets: Sheets


def draw_cnv(rng: np.random.Generator, grid: Grid, anatomy: Anatomy, severity: float, config: CnvConfig) -> Lesions:
    """The lesions of one eye with a neovascular tangle."""
    centre = point(rng, config.offset_mm)
    radius = 0.5 * extent(severity) * rng.uniform(*config.diameter_mm)
    tangle = _tangle(rng, grid, (*centre, radius), severity, config)
    angle = rng.uniform(0, 2 * np.pi)
    off = radius * rng.uniform(0.4, 0.9)
    beside = (centre[0] + off * float(np.cos(angle)), centre[1] + off * float(np.sin(angle)))
    wide = radius * rng.uniform(*config.fluid_share)
    pocket = severity * rng.uniform(*config.fluid_height_um) * dome(relative_radius(rng, grid.coarse, beside, wide))
    lift = ordered_lift(
        anatomy.surfaces_um, raised(tangle.lift_um, MOUND_SHARES) + raised(pocket.astype(np.float32), ABOVE_RPE)
    )
    surfaces = anatomy.surfaces_um - lift
    top = np.minimum(tangle.top_um, ROOM * (surfaces[5] - surfaces[2]))
    # where the tangle itself lifts the RPE, there is no fluid
    gap = np.maximum(lift[3] - lift[4] + np.float32(MOUND_SHARES[4] - MOUND_SHARES[3]) * tangle.lift_um, 0)
    zero = np.zeros_like(top)
    fluid = TissueLayer(Finding.FLUID, 4, zero, gap, grey=FLUID_GREY, flow=0.0)
    base = TISSUE_SHARE * float(tangle.sheets.nets.max(initial=0))
    woven = TissueLayer(Finding.NEOVASCULAR, 5, zero, top, grey=GREY, flow=base, sheets=tangle.sheets, translucent=True)
    ring = edge(tangle.rho - HALO[1], 0.2) * edge(HALO[0] - tangle.rho, 0.2)
    taken = np.float32(loss(severity) * (1 - rng.uniform(*config.halo_residual_flow)))
    return replace(Lesions.none(grid), kept_choriocapillaris=1 - taken * ring, lift_um=lift, layers=(fluid, woven))


def _tangle(
    rng: np.random.Generator,
    grid: Grid,
    disc_mm: tuple[float, float, float],
    severity: float,
    config: CnvConfig,
) -> _Tangle:
    """A tangle over the disc (x, y, radius)."""
    centre, radius_mm = disc_mm[:2], disc_mm[2]
    near = window(grid.fine, centre, 2 * radius_mm + 0.1)
    at = (grid.fine[0][near], grid.fine[1][near])
    rho = relative_radius(rng, grid.fine, centre, radius_mm)
    round_top = np.sqrt(dome(rho))
    height = np.float32(extent(severity) * rng.uniform(*config.height_um))
    flow = np.float32(loss(severity) * rng.uniform(*config.flow))
    waves = [smooth_field(rng, at, 8 * MESH_MM) for _ in SHEETS]
    heights = [height * (np.float32(share) + np.float32(0.08) * w) for share, w in zip(SHEETS, waves, strict=True)]
    nets = [flow * mesh(rng, at, MESH_MM) * (round_top[near] > 0) for _ in SHEETS]
    lift = np.float32(extent(severity) * rng.uniform(*config.rpe_elevation_um)) * round_top
    sheets = Sheets(
        np.stack([_sampled(grid, h, near) for h in heights]), np.stack([_sampled(grid, n, near) for n in nets])
    )
    return _Tangle(grid.sample(rho), grid.sample(height * round_top), grid.sample(lift), sheets)


def _sampled(grid: Grid, part: Map, near: Window) -> Map:
    """A-scan map (X, Y) of a fine map that is known in a window and 0 outside it."""
    whole = np.zeros(grid.fine[0].shape, np.float32)
    whole[near] = part
    return grid.sample(whole)

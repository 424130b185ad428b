"""Diabetic retinopathy (closed capillaries, microaneurysms) and choroidal neovascularisation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octa_kedro.phantom.config import Disease, LesionConfig
from octa_kedro.phantom.fields import Grid, Map, edge, mesh, outline, smooth_noise

CENTRAL_MM = (0.55, 1.35)
"""Distance from the fovea of lesions that a 3 mm scan shows; a 6 mm scan has as many again farther out."""
OUTER_MM = (1.6, 2.8)
CNV_MESH_UM = 42.0
CNV_SHEETS = (0.3, 0.65)
"""Heights, as shares of the tangle's, of the two sheets of vessels it is woven from."""


@dataclass(frozen=True)
class Tangle:
    """A neovascular membrane. Maps (X, Y) in micrometres above BM: its upper edge and its sheets of vessels.

    `nets` (2, X, Y) is the flow in each sheet, `lift_um` how far the RPE is raised; all 0 outside it.
    """

    top_um: Map
    sheets_um: Map
    nets: Map
    lift_um: Map


@dataclass(frozen=True)
class Lesions:
    """What disease adds to an eye: nothing in a normal one.

    `kept` (fine pixels) is the share of capillary flow left; `aneurysms` has a row (x mm, y mm, place between
    IPL/INL (0) and OPL/ONL (1), radius um, flow) for each microaneurysm.
    """

    kept: Map
    aneurysms: NDArray[np.float64]
    tangle: Tangle | None = None


def draw_lesions(
    rng: np.random.Generator, grid: Grid, faz_radius_mm: Map, disease: Disease, config: LesionConfig
) -> Lesions:
    """The lesions of one eye; `faz_radius_mm` (fine pixels) is where its FAZ ends without disease."""
    intact, none = np.ones_like(faz_radius_mm), np.empty((0, 5))
    if disease == "DR":
        patches = _dropout_places(rng, grid, float(faz_radius_mm.mean()), config)
        return Lesions(_kept_flow(rng, grid, patches, config), _aneurysms(rng, grid, patches, config))
    if disease == "CNV":
        return Lesions(intact, none, _tangle(rng, grid, config))
    return Lesions(intact, none)


def _ring(rng: np.random.Generator, count: int, reach: tuple[float, float]) -> NDArray[np.float64]:
    """`count` points (N, 2) spread round the fovea at distances within `reach`."""
    angle = rng.uniform(0, 2 * np.pi) + 2 * np.pi * (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / count
    r = rng.uniform(*reach, count)
    return np.stack([r * np.cos(angle), r * np.sin(angle)], 1)


def _dropout_places(
    rng: np.random.Generator, grid: Grid, faz_radius: float, config: LesionConfig
) -> NDArray[np.float64]:
    """Rows (x, y, radius) in millimetres of the patches without capillaries."""
    low, high = config.dropout_patches
    count = int(rng.integers(low, high + 1))
    places = [_ring(rng, count, CENTRAL_MM)]
    if max(grid.extent_mm[:2]) > 2 * OUTER_MM[0]:
        places.append(_ring(rng, count, OUTER_MM))
    free = np.concatenate(places)
    free = np.column_stack([free, 0.5 * rng.uniform(*config.dropout_diameter_mm, len(free))])
    low, high = config.dropout_at_faz
    at_faz = int(rng.integers(low, high + 1))
    radius = rng.uniform(0.5, 0.8, at_faz) * faz_radius
    centres = _ring(rng, at_faz, (0.9 * faz_radius, 1.2 * faz_radius))
    return np.concatenate([free, np.column_stack([centres, radius])])


def _kept_flow(rng: np.random.Generator, grid: Grid, patches: NDArray[np.float64], config: LesionConfig) -> Map:
    x, y = grid.fine
    residual = rng.uniform(*config.dropout_residual_flow)
    closed = np.zeros_like(x)
    for cx, cy, radius in patches:
        dx, dy = x - np.float32(cx), y - np.float32(cy)
        border = np.float32(radius) * outline(rng, np.arctan2(dy, dx), 0.12)
        np.maximum(closed, edge(np.hypot(dx, dy) - border, 0.06), out=closed)
    return 1 - np.float32(1 - residual) * closed


def _aneurysms(
    rng: np.random.Generator, grid: Grid, patches: NDArray[np.float64], config: LesionConfig
) -> NDArray[np.float64]:
    """Microaneurysms, which bud from the capillaries at the border of the closed patches."""
    low, high = config.microaneurysms
    count = int(rng.integers(low, high + 1))
    if max(grid.extent_mm[:2]) > 2 * OUTER_MM[0]:
        count *= 2
    at = patches[rng.integers(0, len(patches), count)]
    angle, off = rng.uniform(0, 2 * np.pi, count), rng.uniform(0.9, 1.25, count)
    x = at[:, 0] + off * at[:, 2] * np.cos(angle)
    y = at[:, 1] + off * at[:, 2] * np.sin(angle)
    radius = 0.5 * rng.uniform(*config.microaneurysm_diameter_um, count)
    flow = rng.uniform(*config.microaneurysm_flow, count)
    return np.column_stack([x, y, rng.uniform(0.1, 0.8, count), radius, flow])


def _tangle(rng: np.random.Generator, grid: Grid, config: LesionConfig) -> Tangle:
    x, y = grid.fine
    distance, angle = rng.uniform(*config.cnv_offset_mm), rng.uniform(0, 2 * np.pi)
    dx = x - np.float32(distance * np.cos(angle))
    dy = y - np.float32(distance * np.sin(angle))
    radius = 0.5 * rng.uniform(*config.cnv_diameter_mm)
    rho = np.hypot(dx, dy) / (np.float32(radius) * outline(rng, np.arctan2(dy, dx), 0.12))
    dome = np.sqrt(np.maximum(1 - rho**2, 0))
    height, flow = rng.uniform(*config.cnv_height_um), rng.uniform(*config.cnv_flow)
    pixels = CNV_MESH_UM / grid.fine_um[0]
    waves = [smooth_noise(rng, rho.shape, 8 * pixels) for _ in CNV_SHEETS]
    sheets = [height * (share + 0.08 * wave) for share, wave in zip(CNV_SHEETS, waves, strict=True)]
    nets = [flow * mesh(rng, rho.shape, pixels) * (dome > 0) for _ in CNV_SHEETS]
    lift = rng.uniform(*config.rpe_elevation_um) * dome
    return Tangle(
        grid.sample((height * dome).astype(np.float32)),
        np.stack([grid.sample(s.astype(np.float32)) for s in sheets]),
        np.stack([grid.sample(n.astype(np.float32)) for n in nets]),
        grid.sample(lift.astype(np.float32)),
    )

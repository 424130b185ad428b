"""En-face flow of the superficial and deep plexus and of the choriocapillaris."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from octa_kedro.phantom.anatomy import Anatomy
from octa_kedro.phantom.config import VesselConfig
from octa_kedro.phantom.fields import Grid, Map, edge, mesh, smooth_noise
from octa_kedro.phantom.tree import draw_tree, paint

PATCH_MM = 0.5
SPARED_RADIUS_UM = 18.0
"""Vessels wider than this keep their flow where the capillaries around them have closed."""
DEEP_FAZ_GAP_MM = 0.06
"""The deep plexus ends this much farther from the fovea than the superficial one."""
GRANULE_UM = 20.0


@dataclass(frozen=True)
class Vasculature:
    """Maps (X, Y); flow is relative to that in a large vessel.

    `large` and `superficial` lie in the ganglion cell layer, `deep` at the outer border of the inner nuclear
    layer, `choriocapillaris` under BM; `large_radius_um` is the local radius of `large`, `choroid_um` how far
    down choroidal flow is seen.
    """

    large: Map
    large_radius_um: Map
    superficial: Map
    deep: Map
    choriocapillaris: Map
    choroid_um: Map


def draw_vessels(
    rng: np.random.Generator, grid: Grid, anatomy: Anatomy, kept: Map, config: VesselConfig
) -> Vasculature:
    """One eye's vessels; `kept` (fine pixels) is the share of capillary flow that disease has left."""
    x, y = grid.fine
    from_faz = np.hypot(x, y) - anatomy.faz_radius_mm
    calibre = paint(draw_tree(rng, float(anatomy.faz_radius_mm.mean()), config), grid)
    # a beam wider than a thin vessel reads less flow in it
    flow = np.where(calibre > 0, np.clip(0.55 + calibre / 50, 0, 1), 0).astype(np.float32)
    flow *= np.where(calibre > SPARED_RADIUS_UM, 1, kept)
    density, deep_density = rng.uniform(*config.density), rng.uniform(*config.deep_density)
    superficial = _capillaries(rng, grid, config.superficial_mesh_um, config.patchiness)
    deep = _capillaries(rng, grid, config.deep_mesh_um, config.patchiness)
    superficial *= np.float32(density) * edge(-from_faz, 0.05) * kept
    deep *= np.float32(deep_density) * edge(DEEP_FAZ_GAP_MM - from_faz, 0.1) * kept
    large = grid.sample(flow)
    weight = grid.sample((flow > 0).astype(np.float32))
    radius = (grid.sample(calibre * (flow > 0)) / np.maximum(weight, 1e-3)).astype(np.float32)
    granules, choroid = _choroid(rng, grid, config)
    return Vasculature(large, radius, grid.sample(superficial), grid.sample(deep), granules, choroid)


def _capillaries(rng: np.random.Generator, grid: Grid, mesh_um: float, patchiness: tuple[float, float]) -> Map:
    """Capillary mesh on fine pixels, brighter here and dimmer there as in any healthy eye."""
    pixel_um = grid.fine_um[0]
    net = mesh(rng, grid.fine[0].shape, mesh_um / pixel_um)
    patches = smooth_noise(rng, net.shape, 1000 * PATCH_MM / pixel_um)
    return net * np.exp(np.float32(rng.uniform(*patchiness)) * patches)


def _choroid(rng: np.random.Generator, grid: Grid, config: VesselConfig) -> tuple[Map, Map]:
    """Granular choriocapillaris (flow) and the depth in micrometres to which the choroid is seen below it."""
    shape, pixel_um = grid.fine[0].shape, grid.fine_um[0]
    grain = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), GRANULE_UM / pixel_um, mode="wrap")
    granules = grid.sample(np.exp(np.float32(0.45) * grain / grain.std()))
    patches = smooth_noise(rng, grid.shape[:2], 1000 * PATCH_MM / grid.voxel_um[0])
    level = rng.uniform(*config.choriocapillaris)
    reach = rng.uniform(*config.choroid_decay_um)
    lobes = smooth_noise(rng, grid.shape[:2], 150 / grid.voxel_um[0])
    return (
        (level * granules * np.exp(0.12 * patches)).astype(np.float32),
        (reach * np.exp(0.2 * lobes)).astype(np.float32),
    )

"""En-face flow of the retinal plexuses and of the choriocapillaris, from grown trees."""

from dataclasses import dataclass

import numpy as np

from octa_kedro.phantom.anatomy import Anatomy
from octa_kedro.phantom.arcades import draw_trunks
from octa_kedro.phantom.eye_config import VesselConfig
from octa_kedro.phantom.fields import Grid, Map, edge, smooth_field
from octa_kedro.phantom.growth import Tree, grow_deep, grow_retinal
from octa_kedro.phantom.lesions.model import Congestion, Lesions
from octa_kedro.phantom.raster import CAPILLARY_UM, CLASSES_UM, calibre, coverage, keep, lines_of, spots
from octa_kedro.phantom.shapes import distance_to_patches
from octa_kedro.phantom.tissue import Points

PATCH_MM = 0.7
CAPILLARY_MM = 0.025
"""Length over which the flow in a capillary stays similar."""
SPARED_RADIUS_UM = 14.0
"""Vessels wider than this keep their flow where the capillaries around them have closed."""
DEEP_FAZ_GAP_MM = 0.05
"""The deep plexus ends this much farther from the fovea than the superficial one."""
LEAST_FLOW = 0.1
"""No capillary has less than this share of the usual flow."""
SPARSE_EDGE_MM = 0.3
"""Width of the soft border of a watershed zone."""
FAZ_EDGE_MM = 0.2
"""Width of the border of the FAZ over which unresolved capillaries disappear."""
WINDING = ((0.45, 0.035), (0.15, 0.008))
"""Tortuosity: (correlation length, standard deviation), in millimetres, of how far vessels lie from where they grew."""
ARTERIOLE_UM = 4.5
"""Vessels wider than this are arterioles and venules, brighter than the capillary net around them."""
ARTERIOLE_FLOW = 0.85
OPACITY = 4.3
"""Flow saturates where capillaries cover a pixel: 1 - exp(-OPACITY * coverage)."""
LARGE_FLOW, WIDE_FLOW = 1.1, 0.005
"""Flow of a large vessel: its value at radius 0, and what each micrometre of radius adds."""
PERIPHERY_MM = (1.2, 3.2)
"""Distances from the fovea between which capillary flow falls to its peripheral share."""
GRANULE_MM, LOBULE_MM = 0.021, 0.16


@dataclass(frozen=True)
class Vasculature:
    """Maps (X, Y); flow is relative to that in a large vessel.

    `large` and `superficial` lie in the ganglion cell layer, `deep` at the outer border of the inner nuclear
    layer, `choriocapillaris` under BM; `connecting` vessels lead from the superficial to the deep plexus.
    `large_radius_um` is the local radius of `large`, `choroid_um` the depth below BM to which choroidal flow is seen.
    """

    large: Map
    large_radius_um: Map
    superficial: Map
    connecting: Map
    deep: Map
    choriocapillaris: Map
    choroid_um: Map


def draw_vessels(
    rng: np.random.Generator, grid: Grid, anatomy: Anatomy, lesions: Lesions, config: VesselConfig
) -> Vasculature:
    """The vessels of one eye, without those that its disease has closed."""
    growth, signal, stray = rng.spawn(3)
    spacing, deep_spacing = (signal.uniform(*span) / 1000 for span in (config.spacing_um, config.deep_spacing_um))
    tree = grow_retinal(growth, draw_trunks(growth, config), anatomy.faz_radius, spacing, config)
    below, dives = grow_deep(growth, tree, lambda a: anatomy.faz_radius(a) + DEEP_FAZ_GAP_MM, deep_spacing, config)
    at, radius = _winding(stray, tree, lesions.congestion)
    lines = lines_of(tree, at, radius, grid)
    wide = lines.radius_um >= CLASSES_UM[0]
    widths = calibre(keep(lines, wide), grid)
    flow = np.where(widths > 0, LARGE_FLOW + WIDE_FLOW * widths, 0).astype(np.float32)
    flow *= np.where(widths > SPARED_RADIUS_UM, 1, lesions.kept_superficial)
    outside = edge(FAZ_EDGE_MM / 2 - _from_faz(grid, anatomy), FAZ_EDGE_MM)
    thin = lines.radius_um < ARTERIOLE_UM
    arterioles = 1 - np.exp(np.float32(-OPACITY) * coverage(keep(lines, ~wide & ~thin), grid))
    net = coverage(keep(lines, thin), grid)
    usual = _healthy_share(signal, grid, anatomy, config)
    # where a healthy eye has few capillaries, disease closes fewer
    superficial = np.minimum(usual, lesions.kept_superficial) * _net(
        signal, net, outside, grid=grid, flow=config.flow, config=config
    )
    at, radius = _winding(stray, below, None)
    outside = edge(FAZ_EDGE_MM / 2 + DEEP_FAZ_GAP_MM - _from_faz(grid, anatomy), FAZ_EDGE_MM)
    deep = np.minimum(usual, lesions.kept_deep) * _net(
        signal,
        coverage(lines_of(below, at, radius, grid), grid),
        outside,
        grid=grid,
        flow=config.deep_flow,
        config=config,
    )
    weight = grid.sample((flow > 0).astype(np.float32))
    granules, choroid = _choroid(signal, grid, config)
    return Vasculature(
        large=grid.sample(flow),
        large_radius_um=(grid.sample(widths * (flow > 0)) / np.maximum(weight, 1e-3)).astype(np.float32),
        superficial=grid.sample(np.maximum(superficial, ARTERIOLE_FLOW * arterioles * lesions.kept_superficial)),
        connecting=grid.sample(spots(dives, CAPILLARY_UM, grid) * lesions.kept_deep),
        deep=grid.sample(deep),
        choriocapillaris=granules * lesions.kept_choriocapillaris,
        choroid_um=choroid,
    )


def _winding(rng: np.random.Generator, tree: Tree, congestion: Congestion | None) -> tuple[Points, Points]:
    """Places and radii of the nodes: tortuous in every eye, and more so and wider behind an occluded vein."""
    x, y = tree.at.T.astype(np.float32)
    stray = np.zeros((len(x), 2), np.float32)
    for correlation, deviation in WINDING:
        stray += np.float32(deviation) * np.stack([smooth_field(rng, (x, y), correlation) for _ in "xy"], 1)
    radius = tree.radius_um
    if congestion is not None:
        share = congestion.share(tree.at[:, 0], tree.at[:, 1]) * tree.vein
        # separate random numbers, so that the vessels of the healthy twin do not change
        own = rng.spawn(1)[0]
        curl = np.stack([smooth_field(own, (x, y), 0.11) for _ in "xy"], 1)
        stray += (congestion.tortuosity_mm * share)[:, None].astype(np.float32) * curl
        radius = radius * (1 + (congestion.dilation - 1) * share)
    return tree.at + stray, radius


def _from_faz(grid: Grid, anatomy: Anatomy) -> Map:
    """Distance in millimetres of each fine pixel from the border of the FAZ, positive outside."""
    x, y = grid.fine
    return np.hypot(x, y) - anatomy.faz_radius_mm


def _healthy_share(rng: np.random.Generator, grid: Grid, anatomy: Anatomy, config: VesselConfig) -> Map:
    """Share (fine pixels) of capillary flow in health: less in watershed zones, next to the FAZ and far from it."""
    distance = distance_to_patches(rng, grid.fine, anatomy.sparse)
    kept = 1 - np.float32(rng.uniform(*config.sparse_loss)) * edge(distance, SPARSE_EDGE_MM)
    reach = np.float32(rng.uniform(*config.foveal_dimming_mm))
    rim = np.exp(-np.square(np.maximum(_from_faz(grid, anatomy), 0) / reach))
    kept *= 1 - np.float32(rng.uniform(*config.foveal_dimming)) * rim
    periphery = np.interp(np.hypot(*grid.fine), PERIPHERY_MM, (0, 1)).astype(np.float32)
    kept *= 1 - np.float32(rng.uniform(*config.peripheral_dimming)) * periphery
    return kept


def _net(
    rng: np.random.Generator,
    covered: Map,
    outside_faz: Map,
    *,
    grid: Grid,
    flow: tuple[float, float],
    config: VesselConfig,
) -> Map:
    """Capillary flow on fine pixels, uneven as in any healthy eye."""
    patches = smooth_field(rng, grid.fine, PATCH_MM)
    uneven = np.float32(rng.uniform(*config.patchiness)) * patches
    uneven += np.float32(rng.uniform(*config.variation)) * smooth_field(rng, grid.fine, CAPILLARY_MM)
    level = rng.uniform(*flow) * np.maximum(1 + uneven, LEAST_FLOW)
    seen = 1 - np.exp(np.float32(-OPACITY) * covered)
    np.maximum(seen, np.float32(rng.uniform(*config.diffuse)) * outside_faz, out=seen)
    return level.astype(np.float32) * seen


def _choroid(rng: np.random.Generator, grid: Grid, config: VesselConfig) -> tuple[Map, Map]:
    """Granular choriocapillaris (flow) and the depth in micrometres to which the choroid is seen below it."""
    granules = grid.sample(np.exp(np.float32(0.25) * smooth_field(rng, grid.fine, GRANULE_MM)))
    patches = smooth_field(rng, grid.coarse, PATCH_MM)
    level, reach = rng.uniform(*config.choriocapillaris), rng.uniform(*config.choroid_um)
    lobules = smooth_field(rng, grid.coarse, LOBULE_MM)
    return (
        (level * granules * np.exp(0.12 * patches)).astype(np.float32),
        (reach * np.exp(0.25 * lobules)).astype(np.float32),
    )

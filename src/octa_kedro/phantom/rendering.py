"""The OCTA scan of an eye: its flow, projection artefacts below its vessels, and the noise of the device."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from octa_kedro.phantom.band import Band
from octa_kedro.phantom.eye_config import SignalConfig
from octa_kedro.phantom.fields import BEAM_UM, Grid, Map, edge, grain_noise, outline, smooth_field
from octa_kedro.phantom.flow import LARGE_DEPTH
from octa_kedro.phantom.reflectivity import PIGMENT_EPITHELIUM, VITREOUS
from octa_kedro.phantom.vessels import Vasculature

GAIN_NODES = 22
"""Knots of the random gain from above the ILM to below BM: about one every 35 um."""
GRAIN, GRAIN_UM = 0.5, 9.0
"""Standard deviations of the speckle's grain: lateral, in voxels (the beam moves while it reads one), and in depth."""
OPACITY_REACH_MM = 3.2
NOISE_GRAIN = 0.5
"""Standard deviation of the log of the speckle of decorrelation noise."""


def draw_transmission(rng: np.random.Generator, grid: Grid, config: SignalConfig) -> Map:
    """Share (X, Y) of the light that opacities in front of the retina let through, the same at all depths."""
    x, y = grid.coarse
    passed = np.ones_like(x)
    low, high = config.opacities
    per_mm2 = int(rng.integers(low, high + 1)) / 9.0
    for _ in range(round(per_mm2 * (2 * OPACITY_REACH_MM) ** 2)):
        at = rng.uniform(-OPACITY_REACH_MM, OPACITY_REACH_MM, 2).astype(np.float32)
        radius, lost = np.float32(rng.uniform(*config.opacity_mm) / 2), np.float32(rng.uniform(*config.opacity))
        dx, dy = x - at[0], y - at[1]
        reach = np.hypot(dx, dy) / (radius * outline(rng, np.arctan2(dy, dx), 0.15))
        passed *= 1 - lost * edge(reach - 1, 0.8)
    return passed


def render_octa(
    rng: np.random.Generator,
    band: Band,
    true_flow: Map,
    *,
    vessels: Vasculature,
    brightness: Map,
    transmission: Map,
    config: SignalConfig,
) -> NDArray[np.uint8]:
    """OCTA scan (X, Y, Z), its grey values not stretched.

    `brightness` (X, Y, B) are the grey values of the layers, `transmission` (X, Y) the share of light that the media in
    front of the retina let through.
    """
    grid = band.grid
    reflection = np.clip((brightness - VITREOUS) / np.float32(PIGMENT_EPITHELIUM - VITREOUS), 0, 1)
    lateral = tuple(max(GRAIN * step, BEAM_UM) for step in grid.voxel_um[:2])
    motion = _motion(rng, grid.shape[1], config)
    flow = true_flow + _tails(rng, band, vessels, reflection, config)
    flow *= _depth_gain(rng, band, config.depth_gain_sd)
    # drawn for the whole scan, or the speckle of a thicker retina would differ everywhere
    grain = band.of_scan(grain_noise(rng, grid.shape, grid.voxel_um, (*lateral, GRAIN_UM)))
    flow *= _lognormal(grain, rng.uniform(*config.speckle))
    still = np.float32(rng.uniform(*config.noise_flow)) * (1 + 4 * (motion - 1).clip(0)).astype(np.float32)[:, None]
    flow += still * reflection * _lognormal(grain, NOISE_GRAIN)
    shading = rng.uniform(*config.shading) * smooth_field(rng, grid.coarse, 1.2)
    column = grain_noise(rng, shading.shape, grid.voxel_um[:2], lateral)
    shading += np.float32(rng.uniform(*config.column)) * column
    gain = rng.uniform(*config.gain) * np.exp(shading) * motion * transmission
    flow *= gain.astype(np.float32)[..., None]
    flow -= np.float32(rng.uniform(*config.noise_floor))
    ceiling = np.float32(config.octa_ceiling)
    # detectors saturate: linear at first, never above the ceiling
    grey = ceiling * np.tanh(np.maximum(flow, 0, out=flow) / ceiling)
    return band.to_scan(np.rint(grey, out=grey).astype(np.uint8), np.zeros(grid.shape, np.uint8))


def _tails(rng: np.random.Generator, band: Band, vessels: Vasculature, reflection: Map, config: SignalConfig) -> Map:
    """Projection artefacts: flickering shadows of vessels, seen wherever the tissue below them reflects."""
    s = band.surfaces_um
    below = band.z_um - (s[0] + np.float32(LARGE_DEPTH) * (s[1] - s[0]))[..., None]
    fade = np.exp(-np.maximum(below, 0) / np.float32(rng.uniform(*config.tail_decay_um)))
    cast = vessels.large + vessels.superficial + np.float32(0.5) * vessels.deep
    outer = np.exp(np.float32(rng.uniform(*config.outer_patchiness)) * smooth_field(rng, band.grid.coarse, 0.6))
    tails = np.float32(rng.uniform(*config.tail)) * cast[..., None] * fade * (below > 0)
    # the decorrelation in the whole retina above appears again in the bright outer layers
    tails += (np.float32(rng.uniform(*config.outer_artefact)) * outer * (0.5 + cast))[..., None] * (band.below(2) > 0)
    tails *= reflection
    return tails


def _depth_gain(rng: np.random.Generator, band: Band, deviation: float) -> Map:
    """Smooth random gain along the retina's depth, so that no layer's mean brightness reveals the disease."""
    nodes = np.linspace(-0.3, 2.3, GAIN_NODES)
    depth = np.linspace(nodes[0], nodes[-1], 256)
    curve = PchipInterpolator(nodes, rng.standard_normal(GAIN_NODES))(depth)
    return np.interp(band.fraction(0, 5), depth, np.exp(deviation * curve)).astype(np.float32)


def _motion(rng: np.random.Generator, scans: int, config: SignalConfig) -> NDArray[np.float64]:
    """Gain of each B-scan (Y,): a few are brighter, because the eye moved."""
    gain = 1 + 0.015 * rng.standard_normal(scans)
    low, high = config.motion_lines
    for _ in range(int(rng.integers(low, high + 1))):
        gain[rng.integers(scans)] *= rng.uniform(1.1, 1.4)
    return gain


def _lognormal(grain: Map, deviation: float) -> Map:
    """Speckle of mean 1 whose log has the standard deviation `deviation`."""
    speckle = grain * np.float32(deviation)
    speckle -= np.float32(deviation**2 / 2)
    return np.exp(speckle, out=speckle)

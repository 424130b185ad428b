"""The OCTA scan: where blood flows, what its projection fakes below it, and what the device adds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from octa_kedro.phantom.band import Band, step_up
from octa_kedro.phantom.config import SignalConfig
from octa_kedro.phantom.fields import Map, smooth_noise
from octa_kedro.phantom.lesions import Lesions, Tangle
from octa_kedro.phantom.reflectivity import PIGMENT_EPITHELIUM, VITREOUS
from octa_kedro.phantom.vessels import Vasculature

LARGE_DEPTH, CAPILLARY_DEPTH, CAPILLARY_WIDTH = 0.42, 0.6, 0.22
"""Where, and how widely, the superficial vessels lie between ILM (0) and IPL/INL (1)."""
DEEP_ABOVE_OPL_UM, DEEP_WIDTH_UM = 16.0, 10.0
INTERMEDIATE_SHARE = 0.35
"""Flow of the intermediate plexus at the IPL/INL border, relative to the deep plexus."""
CHORIOCAPILLARIS_UM, CHORIOCAPILLARIS_WIDTH_UM = 12.0, 11.0
CHOROID_SHARE = 0.8
"""Flow of the choroid relative to the choriocapillaris above it."""
LAYER_SHOWN = 0.3
"""A mask holds the depths at which a plexus shows at least this share of its peak."""
GAIN_NODES = 22
"""Knots of the random gain from above the ILM to below BM: about one in 35 um."""
SHEET_WIDTH_UM = 13.0
TISSUE_SHARE = 0.28
"""Flow read in a tangle between its resolved vessels, relative to the vessels'."""


@dataclass(frozen=True)
class Flow:
    """Blood flow (X, Y, B), 1 in a large vessel, and the voxels of the lesions (X, Y, B)."""

    flow: Map
    lesion: NDArray[np.bool_]
    membrane: Map


def draw_flow(band: Band, vessels: Vasculature, lesions: Lesions) -> Flow:
    """True flow without artefacts."""
    s = band.surfaces_um
    ganglion = s[1] - s[0]
    large = band.layer(
        s[0] + np.float32(LARGE_DEPTH) * ganglion, np.minimum(0.8 * vessels.large_radius_um, 0.4 * ganglion)
    )
    flow = vessels.large[..., None] * large
    capillary = band.layer(s[0] + np.float32(CAPILLARY_DEPTH) * ganglion, np.float32(CAPILLARY_WIDTH) * ganglion)
    np.maximum(flow, vessels.superficial[..., None] * capillary, out=flow)
    deep = band.layer(s[2] - DEEP_ABOVE_OPL_UM, DEEP_WIDTH_UM)
    deep += np.float32(INTERMEDIATE_SHARE) * band.layer(s[1] + 4, DEEP_WIDTH_UM)
    np.maximum(flow, vessels.deep[..., None] * deep, out=flow)
    flow += _choroid(band, vessels)
    lesion = np.zeros(flow.shape, bool)
    plexus = (capillary > LAYER_SHOWN) | (deep > LAYER_SHOWN)
    inner = (band.below(0) > 0) & (band.below(2) < 0)
    closed = 1 - band.grid.sample(lesions.kept)
    lesion |= (closed > 0.5)[..., None] & plexus & inner
    membrane = np.zeros_like(flow)
    _add_aneurysms(band, lesions.aneurysms, flow, lesion)
    if lesions.tangle is not None:
        _add_tangle(band, lesions.tangle, flow, membrane)
        lesion |= membrane > 0.5
    return Flow(flow, lesion, membrane)


def _choroid(band: Band, vessels: Vasculature) -> Map:
    below = band.below(5)
    sheet = band.layer(band.surfaces_um[5] + CHORIOCAPILLARIS_UM, CHORIOCAPILLARIS_WIDTH_UM)
    fade = np.exp(-np.square(np.maximum(below, 0) / vessels.choroid_um[..., None]))
    deeper = np.float32(CHOROID_SHARE) * step_up(below - CHORIOCAPILLARIS_UM, 16.0) * fade
    return vessels.choriocapillaris[..., None] * np.maximum(sheet, deeper)


def _add_aneurysms(band: Band, aneurysms: NDArray[np.float64], flow: Map, lesion: NDArray[np.bool_]) -> None:
    """Bright balls between IPL/INL and OPL/ONL, put into `flow` and `lesion` in place."""
    x, y = band.grid.coarse
    voxel = np.asarray(band.grid.voxel_um)
    origin = np.array([x[0, 0], y[0, 0]])
    shape = np.asarray(x.shape)
    for at_x, at_y, place, radius, strength in aneurysms:
        centre = np.rint((np.array([at_x, at_y]) - origin) * 1000 / voxel[:2]).astype(int)
        if (centre < 0).any() or (centre >= shape).any():
            continue
        reach = np.ceil(2 * radius / voxel[:2]).astype(int) + 1
        low, high = np.maximum(centre - reach, 0), np.minimum(centre + reach + 1, shape)
        window = (slice(low[0], high[0]), slice(low[1], high[1]))
        upper, lower = band.surfaces_um[1:3, centre[0], centre[1]]
        z = band.z_um[window] - np.float32(upper + place * (lower - upper))
        lateral = np.hypot(x[window] - at_x, y[window] - at_y) * 1000
        # the beam widens the ball sideways; a voxel wider than the ball must still show it
        wide = np.hypot(0.6 * radius, 0.35 * voxel[0])
        ball = np.exp(-0.5 * ((lateral / wide)[..., None] ** 2 + (z / (0.6 * radius)) ** 2))
        flow[window] = np.maximum(flow[window], np.float32(strength) * ball)
        near = np.maximum(lateral - voxel[0] / 2, 0)[..., None]
        lesion[window] |= np.hypot(near, z) < radius


def _add_tangle(band: Band, tangle: Tangle, flow: Map, membrane: Map) -> None:
    """The neovascular membrane on BM, put into `flow` and (as shares of voxels) `membrane` in place."""
    rows, columns = (slice(i.min(), i.max() + 1) for i in np.nonzero(tangle.top_um > 0))
    window = (rows, columns)
    height = -band.below(5)[window]
    # never into the inner retina, which must not betray the tangle
    room = 0.85 * (band.surfaces_um[5] - band.surfaces_um[2])
    top = np.minimum(tangle.top_um, room)[window][..., None]
    tissue = step_up(height, 6.0) * step_up(top - height, 8.0) * (top > band.grid.voxel_um[2])
    vessels = np.zeros_like(tissue)
    for sheet, net in zip(tangle.sheets_um, tangle.nets, strict=True):
        at = np.minimum(sheet, room)[window][..., None]
        profile = np.exp(-0.5 * ((height - at) / np.float32(SHEET_WIDTH_UM)) ** 2)
        np.maximum(vessels, net[window][..., None] * profile, out=vessels)
    base = np.float32(TISSUE_SHARE * tangle.nets.max())
    flow[window] = np.maximum(flow[window], tissue * np.maximum(vessels, base))
    membrane[window] = tissue


def render_octa(
    rng: np.random.Generator,
    band: Band,
    true_flow: Map,
    *,
    vessels: Vasculature,
    brightness: Map,
    config: SignalConfig,
) -> NDArray[np.uint8]:
    """OCTA scan (X, Y, Z), unstretched; `brightness` (X, Y, B) are the grey values of the layers."""
    grid = band.grid
    px = 1000 / grid.voxel_um[0]
    reflection = np.clip((brightness - VITREOUS) / np.float32(PIGMENT_EPITHELIUM - VITREOUS), 0, 1)
    flow = true_flow + _tails(rng, band, vessels, reflection, config)
    flow += _outer_artefact(rng, band, vessels, config)
    flow *= _depth_gain(rng, band, config.depth_gain_sd)
    looks = rng.uniform(*config.octa_speckle_looks)
    flow *= _speckle(rng, flow.shape, looks)
    flow += np.float32(rng.uniform(*config.noise_flow)) * reflection * _speckle(rng, flow.shape, 2.0)
    shading = rng.uniform(*config.shading) * smooth_noise(rng, grid.shape[:2], 1.2 * px)
    gain = rng.uniform(*config.gain) * np.exp(shading) * _motion(rng, grid.shape[1], config)
    grey = flow * gain.astype(np.float32)[..., None]
    grey -= np.float32(rng.uniform(*config.noise_floor))
    ceiling = np.float32(config.octa_ceiling)
    # detectors saturate: linear at first, never above the ceiling
    grey = ceiling * np.tanh(np.maximum(grey, 0) / ceiling)
    return band.to_scan(np.rint(grey).astype(np.uint8), np.zeros(grid.shape, np.uint8))


def _tails(rng: np.random.Generator, band: Band, vessels: Vasculature, reflection: Map, config: SignalConfig) -> Map:
    """Flickering shadows of the superficial vessels, seen wherever tissue below them reflects."""
    s = band.surfaces_um
    below = band.z_um - (s[0] + np.float32(LARGE_DEPTH) * (s[1] - s[0]))[..., None]
    fade = np.exp(-np.maximum(below, 0) / np.float32(rng.uniform(*config.tail_decay_um)))
    strength = np.float32(rng.uniform(*config.tail)) * (vessels.large + np.float32(0.5) * vessels.superficial)
    return strength[..., None] * fade * reflection * (below > 0)


def _outer_artefact(rng: np.random.Generator, band: Band, vessels: Vasculature, config: SignalConfig) -> Map:
    """Faint copy of the superficial plexus in the outer retina, at depths and strengths of the eye's own."""
    px = 1000 / band.grid.voxel_um[0]
    cloud = np.exp(np.float32(0.15) * smooth_noise(rng, band.grid.shape[:2], 0.6 * px))
    texture = cloud * (1 + vessels.large + vessels.superficial)
    depth = np.linspace(-0.2, 1.2, 64)
    bumps = np.zeros_like(depth)
    for _ in range(3):
        bumps += rng.uniform() * np.exp(-0.5 * ((depth - rng.uniform(0.1, 1.0)) / rng.uniform(0.08, 0.3)) ** 2)
    bumps *= np.clip((depth + 0.1) / 0.15, 0, 1)
    bumps *= rng.uniform(*config.outer_artefact) / bumps.max()
    profile = np.interp(band.fraction(2, 5), depth, bumps, left=0, right=0).astype(np.float32)
    return texture[..., None] * profile


def _depth_gain(rng: np.random.Generator, band: Band, deviation: float) -> Map:
    """Smooth random gain along the retina's depth, so that no layer's mean brightness tells of disease."""
    nodes = np.linspace(-0.3, 2.3, GAIN_NODES)
    depth = np.linspace(nodes[0], nodes[-1], 256)
    curve = PchipInterpolator(nodes, rng.standard_normal(GAIN_NODES))(depth)
    return np.interp(band.fraction(0, 5), depth, np.exp(deviation * curve)).astype(np.float32)


def _motion(rng: np.random.Generator, scans: int, config: SignalConfig) -> NDArray[np.float64]:
    """Gain of each B-scan (Y,): one now and then is brightened by a movement of the eye."""
    gain = 1 + 0.03 * rng.standard_normal(scans)
    low, high = config.motion_lines
    for _ in range(int(rng.integers(low, high + 1))):
        gain[rng.integers(scans)] *= rng.uniform(1.15, 1.45)
    return gain


def _speckle(rng: np.random.Generator, shape: tuple[int, ...], looks: float) -> Map:
    """Gamma distributed speckle of mean 1."""
    return rng.standard_gamma(looks, shape, dtype=np.float32) / np.float32(looks)

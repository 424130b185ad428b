"""The structural OCT scan: layers of different brightness, vessel shadows and speckle."""

import numpy as np
from numpy.typing import NDArray

from octa_kedro.phantom.band import Band, step_up
from octa_kedro.phantom.eye_config import SignalConfig
from octa_kedro.phantom.fields import Map, grain_noise, smooth_field

VITREOUS = 78.0
NERVE_FIBRES, GANGLION_CELLS, INNER_NUCLEAR, OUTER_PLEXIFORM = 168.0, 136.0, 112.0, 126.0
OUTER_NUCLEAR, PHOTORECEPTORS, PIGMENT_EPITHELIUM, CHOROID = 94.0, 154.0, 182.0, 136.0
"""Grey values of the layers, measured in subject 10225."""
ELLIPSOID = 34.0
"""Extra brightness of the line at IS/OS."""
NERVE_FIBRE_UM, NASAL_FIBRE_UM = 10.0, 6.0
OUTER_PLEXIFORM_SHARE = 0.4
"""The outer plexiform layer's share of the slab IPL/INL to OPL/ONL."""
CHOROID_FADE_UM = 150.0
CHOROID_CONTRAST, CHOROID_MM = 0.2, (0.06, 0.14)
BORDER_UM = 9.0
NOISE_GROWTH = 0.06
"""Noise grows with brightness: standard deviation added per grey value above that of the vitreous."""
GRAIN_UM = (7.0, 7.0, 2.6)
"""Standard deviations (x, y, z) of the noise's grain, from the autocorrelation of subject 10225's vitreous."""


def layer_brightness(band: Band) -> Map:
    """Noise-free grey values (X, Y, B) of a healthy retina."""
    s = band.surfaces_um
    fibres = NERVE_FIBRE_UM + NASAL_FIBRE_UM * np.maximum(band.grid.coarse[0], 0)
    fibres = np.minimum(fibres, 0.6 * (s[1] - s[0]))
    plexiform = s[2] - np.float32(OUTER_PLEXIFORM_SHARE) * (s[2] - s[1])
    borders = [
        (s[0], NERVE_FIBRES - VITREOUS),
        (s[0] + fibres, GANGLION_CELLS - NERVE_FIBRES),
        (s[1], INNER_NUCLEAR - GANGLION_CELLS),
        (plexiform, OUTER_PLEXIFORM - INNER_NUCLEAR),
        (s[2], OUTER_NUCLEAR - OUTER_PLEXIFORM),
        (s[3], PHOTORECEPTORS - OUTER_NUCLEAR),
        (s[4], PIGMENT_EPITHELIUM - PHOTORECEPTORS),
        (s[5], CHOROID - PIGMENT_EPITHELIUM),
    ]
    grey = np.full(band.z_um.shape, VITREOUS, np.float32)
    for border, change in borders:
        grey += np.float32(change) * step_up(band.z_um - border[..., None], BORDER_UM)
    grey += np.float32(ELLIPSOID) * band.layer(s[3] + 5, 6.0)
    depth = np.maximum(band.below(5), 0)
    fade = np.exp(-((depth / np.float32(CHOROID_FADE_UM)) ** 2))
    return np.float32(VITREOUS) + (grey - np.float32(VITREOUS)) * fade


def _choroid_texture(rng: np.random.Generator, band: Band) -> Map:
    """Relative brightness (X, Y, B) of choroidal vessels and the tissue between them, 0 above BM."""
    first, second = (smooth_field(rng, band.grid.coarse, size)[..., None] for size in CHOROID_MM)
    below = band.below(5)
    turn = below * np.float32(np.pi / 2 / CHOROID_FADE_UM)
    return np.float32(CHOROID_CONTRAST) * (first * np.cos(turn) + second * np.sin(turn)) * (below > 0)


def render_oct(
    rng: np.random.Generator,
    band: Band,
    brightness: Map,
    *,
    large: Map,
    transmission: Map,
    config: SignalConfig,
) -> NDArray[np.uint8]:
    """OCT scan (X, Y, Z) of the layers `brightness`.

    `large` (X, Y) is the flow of the vessels that cast shadows, `transmission` (X, Y) the share of light that the
    media in front of the retina let through.
    """
    grid = band.grid
    grey = brightness - np.float32(VITREOUS)
    grey *= 1 + _choroid_texture(rng, band)
    illumination = transmission * np.exp(np.float32(0.06) * smooth_field(rng, grid.coarse, 1.5))
    grey *= (np.float32(rng.uniform(*config.oct_contrast)) * illumination)[..., None]
    # sensitivity falls with distance from the zero delay, which is assumed at the top of the scan
    grey *= np.exp(np.float32(-rng.uniform(*config.roll_off_per_mm) / 1000) * band.z_um)
    shadow = np.float32(rng.uniform(*config.shadow)) * np.minimum(large, 1)
    grey -= shadow[..., None] * step_up(band.below(1), 2 * BORDER_UM) * np.clip(grey / 40, 0, 1)
    scan = np.zeros(grid.shape, np.float32)
    band.to_scan(grey, scan)
    noise = grain_noise(rng, grid.shape, grid.voxel_um, GRAIN_UM)
    noise *= np.float32(rng.uniform(*config.oct_noise_sd)) + np.float32(NOISE_GROWTH) * np.maximum(scan, 0)
    scan += noise
    scan += np.float32(VITREOUS)
    return np.clip(np.rint(scan, out=scan), 0, 255, out=scan).astype(np.uint8)

"""The structural OCT scan: layers of different brightness, vessel shadows and speckle."""

import numpy as np
from numpy.typing import NDArray

from octa_kedro.phantom.band import Band, step_up
from octa_kedro.phantom.config import SignalConfig
from octa_kedro.phantom.fields import Map, smooth_noise

VITREOUS = 78.0
NERVE_FIBRES, GANGLION_CELLS, INNER_NUCLEAR, OUTER_PLEXIFORM = 168.0, 132.0, 110.0, 134.0
OUTER_NUCLEAR, PHOTORECEPTORS, PIGMENT_EPITHELIUM, CHOROID = 101.0, 138.0, 182.0, 158.0
"""Grey values of the layers, from subject 10225."""
ELLIPSOID = 45.0
"""Extra brightness of the line at IS/OS."""
MEMBRANE = 168.0
"""Grey value of a neovascular tangle."""
NERVE_FIBRE_UM, NASAL_FIBRE_UM = 10.0, 6.0
OUTER_PLEXIFORM_SHARE = 0.4
"""The outer plexiform layer's share of the slab IPL/INL to OPL/ONL."""
CHOROID_FADE_UM = 130.0
BORDER_UM = 9.0
NOISE_GROWTH = 0.07
"""The grain widens with brightness: grey values of deviation per grey value above the vitreous."""
MILLIMETRE_UM = 1000.0


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


def render_oct(
    rng: np.random.Generator,
    band: Band,
    brightness: Map,
    *,
    large: Map,
    membrane: Map,
    config: SignalConfig,
) -> NDArray[np.uint8]:
    """OCT scan (X, Y, Z) of the layers `brightness`.

    `large` (X, Y) is the flow of the vessels that cast shadows, `membrane` (X, Y, B) the share of each voxel
    that is neovascular tissue.
    """
    grid, vitreous = band.grid, np.float32(VITREOUS)
    px = MILLIMETRE_UM / grid.voxel_um[0]
    grey = brightness + membrane * np.maximum(np.float32(MEMBRANE) - brightness, 0)
    grey -= vitreous
    grey *= 1 + np.float32(0.12) * smooth_noise(rng, grid.shape[:2], 0.15 * px)[..., None] * (band.below(5) > 0)
    illumination = np.exp(np.float32(0.06) * smooth_noise(rng, grid.shape[:2], 1.5 * px))
    grey *= (np.float32(rng.uniform(*config.oct_contrast)) * illumination)[..., None]
    shadow = np.float32(rng.uniform(*config.shadow)) * np.minimum(large, 1)
    below_vessel = step_up(band.below(1), 2 * BORDER_UM)
    grey -= shadow[..., None] * below_vessel * (grey > 0) * np.minimum(grey / 40, 1)
    scan = np.full(grid.shape, 0.0, np.float32)
    band.to_scan(grey, scan)
    noise = rng.standard_normal(grid.shape, dtype=np.float32)
    noise *= np.float32(rng.uniform(*config.oct_noise_sd)) * np.float32(0.75) + np.float32(NOISE_GROWTH) * np.maximum(
        scan, 0
    )
    scan += noise
    scan += vitreous
    return np.clip(np.rint(scan, out=scan), 0, 255, out=scan).astype(np.uint8)

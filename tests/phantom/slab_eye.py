"""A flat retina with one large vessel, for tests of what the scanner makes of it."""

from dataclasses import replace

import numpy as np

from octa_kedro.phantom.band import Band
from octa_kedro.phantom.fields import Grid, Map
from octa_kedro.phantom.vessels import Vasculature

LATERAL = 40
SURFACES_UM = (700.0, 805.0, 870.0, 940.0, 972.0, 988.0)
VESSEL = slice(18, 22)
BESIDE = slice(2, 12)


def flat_band(deeper_um: float | Map = 0.0) -> Band:
    """Flat layers, `deeper_um` (X, Y) or everywhere below their usual depth."""
    grid = Grid((LATERAL, LATERAL, 320), (3.0, 3.0, 2.0), (0.0, 0.0))
    flat = np.zeros((6, LATERAL, LATERAL), np.float32) + np.float32(SURFACES_UM)[:, None, None]
    return Band(grid, flat + np.float32(deeper_um))


def clear_media() -> Map:
    """Media that let all light through."""
    return np.ones((LATERAL, LATERAL), np.float32)


def vessels(**maps: float) -> Vasculature:
    """An even net with one large vessel along the rows `VESSEL`; `maps` are flows that take the place of the usual."""
    even = np.ones((LATERAL, LATERAL), np.float32)
    large = np.zeros_like(even)
    large[VESSEL] = 1.3
    usual = Vasculature(
        large=large,
        large_radius_um=25 * (large > 0).astype(np.float32),
        superficial=0.5 * even,
        connecting=0 * even,
        deep=0.4 * even,
        choriocapillaris=0.5 * even,
        choroid_um=100 * even,
    )
    return replace(usual, **{name: value * even for name, value in maps.items()})

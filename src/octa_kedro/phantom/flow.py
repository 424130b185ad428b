"""Where blood flows in depth: the plexuses of the inner retina, the choriocapillaris and the choroid."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octa_kedro.phantom.band import Band, step_up
from octa_kedro.phantom.fields import Map
from octa_kedro.phantom.vessels import Vasculature

LARGE_DEPTH, CAPILLARY_DEPTH, CAPILLARY_WIDTH = 0.46, 0.6, 0.26
"""Relative depths of the superficial vessels between ILM (0) and IPL/INL (1), and the width of the capillary layer."""
LARGE_WIDTH_UM, WIDENING = 22.0, 0.25
"""Width in depth of a large vessel's signal, which flicker lengthens below it, and its growth with the radius."""
DEEP_ABOVE_OPL_UM, DEEP_WIDTH_UM = 18.0, 11.0
INTERMEDIATE_SHARE = 0.5
"""Flow of the intermediate plexus at the IPL/INL border, relative to the deep plexus."""
CONNECTING_SHARE = 0.5
"""Flow of the vessels that connect the plexuses, relative to that of a large vessel."""
CHORIOCAPILLARIS_UM, CHORIOCAPILLARIS_WIDTH_UM = 14.0, 12.0
CHOROID_SHARE = 1.0
"""Flow of the choroid relative to the choriocapillaris above it."""
LAYER_SHOWN = 0.3
"""A plexus is taken to lie where its profile in depth has at least this share of its peak."""


@dataclass(frozen=True)
class Flow:
    """`flow` (X, Y, B) is the true flow, 1 in a large vessel.

    The others (X, Y, B) mark the voxels of the superficial plexus, the deep plexus and the choriocapillaris.
    """

    flow: Map
    superficial: NDArray[np.bool_]
    deep: NDArray[np.bool_]
    choriocapillaris: NDArray[np.bool_]


def draw_flow(band: Band, vessels: Vasculature) -> Flow:
    """Flow without artefacts."""
    s = band.surfaces_um
    ganglion = s[1] - s[0]
    large = band.layer(
        s[0] + np.float32(LARGE_DEPTH) * ganglion,
        np.minimum(LARGE_WIDTH_UM + np.float32(WIDENING) * vessels.large_radius_um, 0.4 * ganglion),
    )
    large *= step_up(band.below(0), 8.0)  # no vessel extends into the vitreous
    flow = vessels.large[..., None] * large
    capillary = band.layer(s[0] + np.float32(CAPILLARY_DEPTH) * ganglion, np.float32(CAPILLARY_WIDTH) * ganglion)
    np.maximum(flow, vessels.superficial[..., None] * capillary, out=flow)
    deep = band.layer(s[2] - DEEP_ABOVE_OPL_UM, DEEP_WIDTH_UM)
    deep += np.float32(INTERMEDIATE_SHARE) * band.layer(s[1] + 4, DEEP_WIDTH_UM)
    np.maximum(flow, vessels.deep[..., None] * deep, out=flow)
    between = step_up(band.z_um - (s[0] + np.float32(LARGE_DEPTH) * ganglion)[..., None], 12.0)
    between *= step_up((s[2] - DEEP_ABOVE_OPL_UM)[..., None] - band.z_um, 12.0)
    np.maximum(flow, np.float32(CONNECTING_SHARE) * vessels.connecting[..., None] * between, out=flow)
    inner = (band.below(0) > 0) & (band.below(2) < 0)
    sheet, choroid = _choroid(band, vessels)
    flow += choroid
    return Flow(flow, (capillary > LAYER_SHOWN) & inner, (deep > LAYER_SHOWN) & inner, sheet > LAYER_SHOWN)


def _choroid(band: Band, vessels: Vasculature) -> tuple[Map, Map]:
    """Profile of the choriocapillaris (peak 1), and the flow in it and in the choroid."""
    below = band.below(5)
    sheet = band.layer(band.surfaces_um[5] + CHORIOCAPILLARIS_UM, CHORIOCAPILLARIS_WIDTH_UM)
    fade = step_up(vessels.choroid_um[..., None] - below, 40.0)
    deeper = np.float32(CHOROID_SHARE) * step_up(below - CHORIOCAPILLARIS_UM, 16.0) * fade
    return sheet, vessels.choriocapillaris[..., None] * np.maximum(sheet, deeper)

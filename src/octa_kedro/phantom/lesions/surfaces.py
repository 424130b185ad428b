"""Raises the retina's surfaces in a way that they never cross."""

import numpy as np
from numpy.typing import NDArray

from octa_kedro.phantom.fields import Map

MIN_GAP_UM = 3.0
"""No layer gets thinner than this."""
TOP_UM = 30.0
"""No surface is raised nearer than this to the top of the scan."""


def raised(height_um: Map, shares: tuple[float, ...]) -> Map:
    """Lift (6, X, Y) of each surface by its share of `height_um` (X, Y)."""
    return np.asarray(shares, np.float32)[:, None, None] * height_um


def ordered_lift(surfaces_um: Map, lift_um: NDArray[np.floating]) -> Map:
    """`lift_um` (6, X, Y; towards the vitreous), changed where surfaces would touch or leave the scan."""
    new = (surfaces_um - lift_um).astype(np.float32)
    for k in range(4, -1, -1):
        np.minimum(new[k], new[k + 1] - MIN_GAP_UM, out=new[k])
    np.maximum(new[0], np.minimum(surfaces_um[0], TOP_UM), out=new[0])
    for k in range(1, 5):
        np.maximum(new[k], new[k - 1] + MIN_GAP_UM, out=new[k])
    return surfaces_um - new

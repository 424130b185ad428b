"""Pockets of fluid inside the retina, common to several diseases."""

import numpy as np

from octa_kedro.phantom.lesions.config import CystConfig
from octa_kedro.phantom.lesions.model import FLUID_GREY, Balls, Finding
from octa_kedro.phantom.lesions.severity import size
from octa_kedro.phantom.shapes import Places


def draw_cysts(
    rng: np.random.Generator, places: Places, config: CystConfig, severity: float, between: tuple[int, int]
) -> Balls:
    """A cyst at each of `places` (N, 2), about midway between two surfaces."""
    n = len(places)
    lateral = 0.5 * size(severity) * rng.uniform(*config.diameter_um, n)
    axial = 0.5 * size(severity) * rng.uniform(*config.height_um, n)
    rows = np.column_stack([places, rng.uniform(0.4, 0.6, n), lateral, axial, np.zeros(n)])
    return Balls(Finding.FLUID, between, rows, FLUID_GREY)

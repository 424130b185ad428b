"""Eyes with lesions on a plain background, without vessels."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from octa_kedro.phantom.anatomy import Anatomy, draw_anatomy
from octa_kedro.phantom.band import Band
from octa_kedro.phantom.eye_config import AnatomyConfig
from octa_kedro.phantom.fields import Grid
from octa_kedro.phantom.lesions.config import LesionConfig
from octa_kedro.phantom.lesions.draw import draw_lesions
from octa_kedro.phantom.lesions.model import Finding, Lesions
from octa_kedro.phantom.lesions.paint import lesion_mask, paint_flow, paint_tissue

DISEASES = ("AMD", "CNV", "CSC", "DR", "RVO", "OTHERS")
BELOW_BM_UM = 30.0
NARROW, WIDE = (76, 3.0), (100, 6.0)
ONE_OF_OTHERS = {"membrane": {"others": {"membrane_share": 1.0}}, "oedema": {"others": {"membrane_share": 0.0}}}


@dataclass(frozen=True)
class Eye:
    """One eye without vessels: its mask, grey values and flow on a background of 100 and of 1."""

    grid: Grid
    lesions: Lesions
    band: Band
    mask: NDArray
    grey: NDArray
    flow: NDArray

    def share_between(self, finding: Finding, top: int, bottom: int, below_um: float = 0) -> float:
        """Share of a finding's voxels that touch the space from one surface to `below_um` under another."""
        half = self.grid.voxel_um[2] / 2
        inside = (self.band.below(top) > -half) & (self.band.below(bottom) < below_um + half)
        return float(inside[self.mask == finding].mean())


def a_grid(sampling: tuple[int, float], shift_mm: NDArray | None = None) -> Grid:
    lateral, extent = sampling
    return Grid((lateral, lateral, 256), (extent, extent, 2.0), (0.06, -0.04), shift_mm)


def an_anatomy(grid: Grid, seed: int) -> Anatomy:
    return draw_anatomy(np.random.default_rng(seed), grid, AnatomyConfig())


@cache
def an_eye(
    disease: str,
    severity: float = 1.0,
    seed: int = 1,
    *,
    sampling: tuple[int, float] = NARROW,
    others: str | None = None,
    moved: bool = False,
) -> Eye:
    lateral, _ = sampling
    grid = a_grid(sampling, 0.2 * (np.arange(lateral) % 20 > 14) if moved else None)
    anatomy = an_anatomy(grid, seed)
    config = LesionConfig.model_validate(ONE_OF_OTHERS.get(others, {}))
    rng = np.random.default_rng(100 + seed)
    lesions = draw_lesions(rng, grid, anatomy, disease=disease, severity=severity, config=config)
    band = Band(grid, anatomy.surfaces_um - lesions.lift_um)
    grey, flow = np.full(band.z_um.shape, 100, np.float32), np.ones(band.z_um.shape, np.float32)
    paint_tissue(band, lesions, grey)
    paint_flow(band, lesions, flow)
    return Eye(grid, lesions, band, lesion_mask(band, lesions, *plexuses(band)), grey, flow)


def plexuses(band: Band) -> tuple[NDArray, NDArray, NDArray]:
    """Where a superficial plexus, a deep one and a choriocapillaris might lie."""
    inner, middle = band.fraction(0, 1), band.fraction(1, 2)
    below = band.below(5)
    return (inner > 0.3) & (inner < 0.9), (middle > 0.5) & (middle < 1), (below > 0) & (below < BELOW_BM_UM)

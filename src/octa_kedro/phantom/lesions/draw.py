"""The lesions of any disease."""

from collections.abc import Callable, Mapping

import numpy as np

from octa_kedro.errors import ConfigError
from octa_kedro.io.octa500 import Disease
from octa_kedro.phantom.anatomy import Anatomy
from octa_kedro.phantom.fields import Grid
from octa_kedro.phantom.lesions.amd import draw_amd
from octa_kedro.phantom.lesions.cnv import draw_cnv
from octa_kedro.phantom.lesions.config import LesionConfig
from octa_kedro.phantom.lesions.csc import draw_csc
from octa_kedro.phantom.lesions.dr import draw_dr
from octa_kedro.phantom.lesions.model import Lesions
from octa_kedro.phantom.lesions.others import draw_others
from octa_kedro.phantom.lesions.rvo import draw_rvo

Draw = Callable[[np.random.Generator, Grid, Anatomy, float, LesionConfig], Lesions]
DISEASES: Mapping[Disease, Draw] = {
    "AMD": lambda rng, grid, anatomy, severity, config: draw_amd(rng, grid, anatomy, severity, config.amd),
    "CNV": lambda rng, grid, anatomy, severity, config: draw_cnv(rng, grid, anatomy, severity, config.cnv),
    "CSC": lambda rng, grid, anatomy, severity, config: draw_csc(rng, grid, anatomy, severity, config.csc),
    "DR": lambda rng, grid, anatomy, severity, config: draw_dr(rng, grid, anatomy, severity, config.dr),
    "RVO": lambda rng, grid, anatomy, severity, config: draw_rvo(rng, grid, anatomy, severity, config.rvo),
    "OTHERS": lambda rng, grid, anatomy, severity, config: draw_others(rng, grid, anatomy, severity, config.others),
}


def draw_lesions(
    rng: np.random.Generator,
    grid: Grid,
    anatomy: Anatomy,
    *,
    disease: Disease,
    severity: float,
    config: LesionConfig,
) -> Lesions:
    """The lesions of an eye with `disease`, the same at any sampling; none if it is NORMAL or has severity 0.

    Raises `ConfigError` for an unknown disease or a severity outside 0..1.
    """
    if disease != "NORMAL" and disease not in DISEASES:
        raise ConfigError(f"disease: {disease!r} is not one of {', '.join(('NORMAL', *DISEASES))}")
    if not 0 <= severity <= 1:
        raise ConfigError(f"severity: {severity} does not lie between 0 and 1")
    if disease == "NORMAL" or severity == 0:
        return Lesions.none(grid)
    return DISEASES[disease](rng, grid, anatomy, severity, config)

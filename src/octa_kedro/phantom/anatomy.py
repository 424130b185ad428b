"""The six surfaces of a retina with its foveal pit, and the outline of its foveal avascular zone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import ConfigError
from octa_kedro.phantom.eye_config import AnatomyConfig
from octa_kedro.phantom.fields import Grid, Map, Outline, draw_outline, smooth_field
from octa_kedro.phantom.shapes import CENTRAL_MM, Places, ring

NASAL_UM_PER_MM = 4.0
"""The nerve fibre layer thickens towards the optic disc: the inner retina gains this much towards the nose."""
PERIPHERAL_LOSS_PER_MM = 0.05
RIM_MM = 1.2
PIT_INNER_LOSS, PIT_INL_LOSS = 0.9, 0.75
"""Shares of the inner layers that are missing at the centre of the pit; the cones are longer there."""
EDGE_UM = 80.0
"""Space kept free above and below the retina, since motion may shift a B-scan."""
UNDULATION, UNDULATION_MM = 0.03, 0.35


@dataclass(frozen=True)
class Anatomy:
    """Surfaces (6, X, Y), depth in micrometres from the top of the scan, and the FAZ.

    `faz_radius_mm` maps fine pixels to the radius of the FAZ in their direction from the fovea. `sparse` are rows
    (x, y, radius) in millimetres of the watershed zones, which have fewer capillaries.
    """

    surfaces_um: Map
    faz_radius_mm: Map
    faz_mean_mm: float
    faz_outline: Outline
    sparse: Places

    def faz_radius(self, angle: NDArray) -> NDArray:
        """Radius of the FAZ in millimetres in a direction (radians) from the fovea."""
        return self.faz_mean_mm * self.faz_outline(angle)


def draw_anatomy(rng: np.random.Generator, grid: Grid, config: AnatomyConfig) -> Anatomy:
    """One retina on `grid`; raises `ConfigError` if it does not fit into the depth of the scan."""
    layers = np.array(
        [config.inner_um, config.inl_opl_um, config.onl_um, config.segments_um, config.rpe_um], np.float32
    )
    layers *= rng.uniform(*config.thickness_um) / layers.sum()
    layers *= 1 + 0.04 * rng.standard_normal(5)
    thickness = _layer_thickness(rng, grid, layers, config)
    bottom = _bruch(rng, grid, config) + layers.sum()
    above = np.cumsum(thickness[::-1], axis=0)[::-1]
    surfaces = np.concatenate([bottom[None] - above, bottom[None]]).astype(np.float32)
    surfaces += _reference_shift(surfaces, 1000 * grid.extent_mm[2])
    _require_inside(surfaces, 1000 * grid.extent_mm[2])
    mean = float(np.sqrt(rng.uniform(*config.faz_area_mm2) / np.pi))
    shape = draw_outline(rng, config.faz_irregularity)
    x, y = grid.fine
    return Anatomy(surfaces, np.float32(mean) * shape(np.arctan2(y, x)), mean, shape, _sparse(rng, config))


def _layer_thickness(rng: np.random.Generator, grid: Grid, layers: Map, config: AnatomyConfig) -> Map:
    """Thickness (5, X, Y) in micrometres of the layers between the surfaces."""
    x, y = grid.coarse
    r = np.hypot(x, y)
    # a Gaussian with this standard deviation is below 0.1 at half the pit's width
    pit = np.exp(-0.5 * (r / (rng.uniform(*config.pit_width_mm) / 4.4)) ** 2)
    periphery = 1 - PERIPHERAL_LOSS_PER_MM * np.maximum(r - RIM_MM, 0)
    inner = layers[0] * (1 - PIT_INNER_LOSS * pit) * periphery + NASAL_UM_PER_MM * x * (1 - pit)
    inl = layers[1] * (1 - PIT_INL_LOSS * pit) * periphery
    lost = PIT_INNER_LOSS * layers[0] + PIT_INL_LOSS * layers[1]
    onl = layers[2] + max(0.0, lost - rng.uniform(*config.pit_depth_um)) * pit
    segments = layers[3] * (1 + 0.25 * pit)
    stack = np.stack([inner, inl, onl, segments, np.full_like(r, layers[4])])
    wave = np.stack([smooth_field(rng, grid.coarse, UNDULATION_MM) for _ in stack])
    return stack * (1 + UNDULATION * np.clip(wave, -2.5, 2.5))


def _bruch(rng: np.random.Generator, grid: Grid, config: AnatomyConfig) -> Map:
    """Depth (X, Y) in micrometres of a tilted, bowl-shaped surface: BM lies below it by the thickness of the retina."""
    x, y = grid.coarse
    tilt_x, tilt_y = rng.uniform(*config.tilt_um_per_mm, 2)
    bowl = rng.uniform(*config.curvature_um_per_mm2)
    return 1000 * rng.uniform(*config.ilm_depth_mm) + tilt_x * x + tilt_y * y - bowl * (x**2 + y**2)


def _sparse(rng: np.random.Generator, config: AnatomyConfig) -> Places:
    """Rows (x, y, radius) of the watershed zones, which the last branches of neighbouring vessels hardly reach."""
    count = int(rng.integers(config.sparse_places[0], config.sparse_places[1] + 1))
    return np.column_stack([ring(rng, count, CENTRAL_MM), 0.5 * rng.uniform(*config.sparse_diameter_mm, count)])


def _reference_shift(surfaces: Map, depth_um: float) -> np.float32:
    """Shift in micrometres that keeps a steep retina inside the scan, as an operator does with the zero delay."""
    above, below = EDGE_UM - float(surfaces.min()), depth_um - EDGE_UM - float(surfaces.max())
    return np.float32(max(above, 0.0) + min(below, 0.0))


def _require_inside(surfaces: Map, depth_um: float) -> None:
    if (np.diff(surfaces, axis=0) <= 0).any():
        raise ConfigError("anatomy: a layer is without thickness somewhere; make it thicker or lower pit_depth_um")
    if surfaces.min() < 0 or surfaces.max() > depth_um:
        raise ConfigError(
            f"anatomy: the retina ({surfaces.min():.0f} to {surfaces.max():.0f} um deep) leaves the scan"
            f" (0 to {depth_um:.0f} um); lower ilm_depth_mm, tilt_um_per_mm or curvature_um_per_mm2"
        )

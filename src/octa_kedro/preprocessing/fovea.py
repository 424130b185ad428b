"""Where the fovea lies, by the dip of the inner retina."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

SMOOTH_MM, SURROUND_MM = 0.08, 0.6
BORDER_MM = 0.4
PIT_UM = 20.0  # a shallower dip of the retina is no fovea to centre on


@dataclass(frozen=True)
class Pit:
    """The deepest dip of the inner retina against its surroundings, and its place (x, y) from the scan's middle; NaN in
    a scan too small for one."""

    depth_um: float
    x_mm: float
    y_mm: float

    @property
    def found(self) -> bool:
        """Whether the dip is deep enough to be a fovea."""
        return self.depth_um >= PIT_UM

    @property
    def decentration_mm(self) -> float:
        """Its distance from the scan's middle."""
        return float(np.hypot(self.x_mm, self.y_mm))


def find_pit(inner_mm: NDArray, spacing_mm: tuple[float, float]) -> Pit:
    """The pit in a map ``[x, y]`` of the inner retina's thickness in millimetres."""
    thickness = np.nan_to_num(inner_mm, nan=float(np.nanmedian(inner_mm)))
    dip = _smooth(thickness, spacing_mm, SURROUND_MM) - _smooth(thickness, spacing_mm, SMOOTH_MM)
    x, y = places_mm(thickness.shape, spacing_mm)
    width, height = (n * step for n, step in zip(thickness.shape, spacing_mm, strict=True))
    # at the border there are no surroundings to be deeper than
    within = (np.abs(x) <= width / 2 - BORDER_MM) & (np.abs(y) <= height / 2 - BORDER_MM)
    if not within.any():
        return Pit(np.nan, np.nan, np.nan)
    at = np.unravel_index(int(np.where(within, dip, -np.inf).argmax()), dip.shape)
    return Pit(float(1000 * dip[at]), float(x[at]), float(y[at]))


def places_mm(shape: tuple[int, ...], spacing_mm: tuple[float, float]) -> tuple[NDArray, NDArray]:
    """Millimetres (x, y) of each A-scan ``[x, y]`` from the middle of the scan."""
    x, y = ((np.arange(n) - (n - 1) / 2) * step for n, step in zip(shape[:2], spacing_mm, strict=True))
    return np.meshgrid(x, y, indexing="ij")


def _smooth(plane: NDArray, spacing_mm: tuple[float, float], deviation_mm: float) -> NDArray:
    return gaussian_filter(plane, [deviation_mm / spacing for spacing in spacing_mm], mode="nearest")

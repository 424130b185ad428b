"""How a disease changes an eye, before anything is rendered."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from octa_kedro.phantom.fields import Grid, Map

FLUID_GREY = 85.0


class Finding(IntEnum):
    """Values of the lesion mask; 0 is healthy tissue."""

    CAPILLARY_DROPOUT = 1
    MICROANEURYSM = 2
    DRUSEN = 3
    CHORIOCAPILLARIS_DEFICIT = 4
    NEOVASCULAR = 5
    FLUID = 6
    EPIRETINAL_MEMBRANE = 7


@dataclass(frozen=True)
class Sheets:
    """Vessels woven into a layer: heights (N, X, Y) above its surface in micrometres, flow (N, X, Y) of each."""

    heights_um: Map
    nets: Map


@dataclass(frozen=True)
class TissueLayer:
    """Tissue or fluid between two heights above a surface of the (already lifted) retina.

    Maps are (X, Y) in micrometres, positive towards the vitreous; the layer is absent where `top_um` is not
    above `bottom_um`. `grey` is the OCT grey value inside, and `flow` (1 in a large vessel) replaces that of the
    tissue; None leaves either as it is. With `translucent`, tissue brighter than `grey` stays visible. `finding` is the
    layer's label, None if it is not a lesion.
    """

    finding: Finding | None
    surface: int
    bottom_um: Map
    top_um: Map
    grey: float | None = None
    flow: float | None = None
    sheets: Sheets | None = None
    translucent: bool = False


@dataclass(frozen=True)
class Balls:
    """Round bodies. Rows (x mm, y mm, place, lateral radius um, axial radius um, flow).

    `place` runs from 0 on the upper to 1 on the lower one of the two surfaces `between`, whose distance also limits
    their height. A flow of 0 replaces that of the tissue; of any other flow and that of the tissue, the larger counts.
    """

    finding: Finding | None
    between: tuple[int, int]
    rows: NDArray[np.float64]
    grey: float | None = None


@dataclass(frozen=True)
class Congestion:
    """Veins behind an occlusion: wider by the factor `dilation` and displaced by `tortuosity_mm` inside a sector.

    The sector opens from `apex_mm` (x, y) in the direction `angle` (radians) by `half_width` to both sides.
    """

    apex_mm: tuple[float, float]
    angle: float
    half_width: float
    dilation: float
    tortuosity_mm: float

    def share(self, x: NDArray, y: NDArray) -> NDArray:
        """1 well inside the sector, 0 outside, soft at its borders; for coordinates in millimetres."""
        dx, dy = x - self.apex_mm[0], y - self.apex_mm[1]
        off = np.abs(np.angle(np.exp(1j * (np.arctan2(dy, dx) - self.angle))))
        inside = np.hypot(dx, dy) * np.sin(np.clip(self.half_width - off, -np.pi / 2, np.pi / 2))
        return 0.5 * (1 + np.tanh(inside / 0.15))


@dataclass(frozen=True)
class Lesions:
    """Everything that a disease adds or removes; `none` gives those of a normal eye.

    `kept_*` is the share of capillary flow that is left: the superficial and the deep plexus on fine pixels, the
    choriocapillaris on A-scans. `lift_um` (6, X, Y) raises the surfaces towards the vitreous.
    """

    kept_superficial: Map
    kept_deep: Map
    kept_choriocapillaris: Map
    lift_um: Map
    layers: tuple[TissueLayer, ...] = ()
    balls: tuple[Balls, ...] = ()
    congestion: Congestion | None = None

    @classmethod
    def none(cls, grid: Grid) -> "Lesions":
        """The lesions of a normal eye: no change."""
        fine, coarse = grid.fine[0].shape, grid.coarse[0].shape
        ones = np.ones(fine, np.float32)
        return cls(ones, ones.copy(), np.ones(coarse, np.float32), np.zeros((6, *coarse), np.float32))

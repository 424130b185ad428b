"""Which sizes of a scan can be believed: one bound for every source, so that no unit is taken for another unnoticed.

The widest field that a device on the market scans is about 24 mm (wide-field swept source), the smallest raster for OCT
angiography 2 mm; ranges in depth are 2 to 6 mm. B-scans of a sparse raster lie .12 to .24 mm apart, and the finest
steps in depth are about 1.9 um.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from octa_kedro.errors import DataError

Anatomy = Literal["eye", "any"]
"""What the scans show: eyes, or anything else, whose size nothing is known about."""

log = logging.getLogger(__name__)

SWITCH = "if these are no eyes, say --params source.anatomy=any"
AXES = ("x", "y", "depth")
ROUNDING = 1e-6
DEPTH_STEPS = 2.0
"""Steps in depth are finer than lateral ones in every device; coarser ones by this factor mean that axes are mixed."""


@dataclass(frozen=True)
class Bounds:
    """Smallest and largest size of the field (x and y), of the depth, and of a voxel's edges, in millimetres."""

    field_mm: tuple[float, float] = (1.0, 30.0)
    depth_mm: tuple[float, float] = (0.5, 10.0)
    voxel_mm: tuple[float, float] = (0.0005, 0.5)

    def extent(self, axis: int) -> tuple[float, float]:
        """The bound of the whole scan along x (0), y (1) or depth (2)."""
        return self.depth_mm if axis == 2 else self.field_mm


BOUNDS: Mapping[Anatomy, Bounds | None] = MappingProxyType({"eye": Bounds(), "any": None})


def require_plausible(
    shape: tuple[int, ...],
    extent_mm: tuple[float, float, float],
    anatomy: Anatomy,
    *,
    where: object,
    correct: str,
    part: bool = False,
) -> tuple[float, float, float]:
    """`extent_mm` itself, if a scan (x, y, depth) of `shape` voxels can have this size.

    Else DataError names `where` (the file), the axis, its size and the bound, what has probably happened, and `correct`
    (where the right size has to be written). Nothing is bounded for an `anatomy` of any. `part`: the file of a device
    states the size of its voxels, so that a smaller whole may be a part that was cut out of a scan; a warning says so.
    """
    bounds = BOUNDS[anatomy]
    if bounds is None:
        return extent_mm
    for axis, (name, n, size) in enumerate(zip(AXES, shape, extent_mm, strict=True)):
        edge = size / n
        voxel_problem = _problem(edge * 1000, _times(bounds.voxel_mm, 1000), "voxels of an eye's scan have", "um")
        problem = _problem(size, bounds.extent(axis), "an eye's scan has", "mm") or voxel_problem
        if part and problem and not voxel_problem and size < bounds.extent(axis)[0]:
            log.warning("%s: along %s it measures only %s mm; taken for a part of a scan", where, name, _mm(size))
            continue
        if problem:
            cause = _cause(n, edge, axis, bounds)
            raise DataError(
                f"{where}: along {name} it measures {_mm(size)} mm ({n} voxels of {_mm(edge)} mm), but {problem}"
                f"{cause and '; ' + cause}; correct {correct}, or, {SWITCH}"
            )
    return extent_mm


def require_depth_last(spacing: tuple[float, float, float], anatomy: Anatomy, *, where: object) -> None:
    """DataError if steps along z (in mm) are so much coarser than lateral ones that z cannot be an eye's depth."""
    x, y, depth = spacing
    if anatomy == "eye" and depth > DEPTH_STEPS * min(x, y):
        raise DataError(
            f"{where}: along z, which has to be the depth, voxels measure {depth:.4g} mm, but {x:.4g} mm along x and "
            f"{y:.4g} mm along y; steps in depth are the finest in OCT, so the axes, or the spacings in its header, "
            f"seem to be stored in another order; correct the header; {SWITCH}"
        )


def _problem(value: float, bound: tuple[float, float], what: str, unit: str) -> str:
    low, high = bound
    inside = low * (1 - ROUNDING) <= value <= high * (1 + ROUNDING)  # false for NaN
    return "" if inside else f"{what} {low:g} to {high:g} {unit}"


def _cause(n: int, edge: float, axis: int, bounds: Bounds) -> str:
    """What has probably happened, if other readings of the number would be plausible."""

    def plausible(other: float) -> bool:
        return not (_problem(other, bounds.voxel_mm, "", "") or _problem(other * n, bounds.extent(axis), "", ""))

    if abs(edge - 1) < ROUNDING:
        return "a spacing of 1 is what programs write that do not know it"
    readings = {
        "micrometres labelled millimetres": edge / 1000,
        "metres labelled millimetres (or millimetres labelled micrometres)": edge * 1000,
        "the size of the whole scan given as the size of a voxel": edge / n,
        "the size of a voxel given as the size of the whole scan": edge * n,
    }
    likely = [words for words, other in readings.items() if plausible(other)]
    return "looks like " + ", or ".join(likely) if likely else ""


def _times(bound: tuple[float, float], factor: float) -> tuple[float, float]:
    return bound[0] * factor, bound[1] * factor


def _mm(value: float) -> str:
    return f"{value:.4g}"

"""From the places of frames to a raster ``[x, y, z]``: their order, their direction and the distance between them.

A frame is a B-scan ``[depth, column]``. Its place is a line on the fundus picture (Ophthalmic Frame Location, PS3.3
C.8.17.10.1) or a plane in the patient's coordinates (Plane Position and Orientation, C.7.6.16.2.3 and .4).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.vendor_scan import Axis

FEW = 8  # fewer B-scans are a line scan; rasters of 5 and 7 lines are common, volumes have 19 and more
PARALLEL = 3.0  # degrees between B-scans that count as parallel
SLANT = 5.0  # degrees against the edge of the fundus picture; a head is held with less
UNEVEN = 0.2  # of the distance between B-scans that one may lie away from its place
SAME = 0.05  # of a B-scan's length by which lengths and beginnings may differ
ONLY = "only rasters of parallel B-scans are read; leave it out"


class Layout(NamedTuple):
    """How frames ``[frame, depth, column]`` become ``[x, y, z]``.

    `order` are the frames along y (from inferior), or along x (from the left) if they are `vertical`. `turned` are the
    frames whose columns run the other way. `step` is the distance between neighbours: in lengths of a B-scan if
    `relative`, else in millimetres; None if no place is stated.
    """

    order: NDArray[np.intp]
    turned: NDArray[np.bool_]
    vertical: bool = False
    step: float | None = None
    relative: bool = False
    unstated: tuple[Axis, ...] = ()


def arrange(frames: NDArray, layout: Layout) -> NDArray:
    """Frames ``[frame, depth, column]`` as ``[x, y, z]``; a view of them where their order allows it."""
    n = len(frames)
    if np.array_equal(layout.order, np.arange(n)[::-1]):
        frames = frames[::-1]
    elif not np.array_equal(layout.order, np.arange(n)):
        frames = frames[layout.order]
    turned = layout.turned[layout.order]
    if turned.all():
        frames = frames[..., ::-1]
    elif turned.any():
        frames = frames.copy()
        frames[turned] = frames[turned][..., ::-1]
    return frames.transpose(0, 2, 1) if layout.vertical else frames.transpose(2, 0, 1)


def require_many(path: Path, n: int) -> None:
    """DataError if a file has so few B-scans that it is no volume."""
    if n < FEW:
        raise DataError(f"{path}: line scan of {n} B-scans, not a volume; {ONLY}")


def fundus_layout(path: Path, lines: NDArray[np.float64]) -> Layout:
    """Layout of B-scans whose first and last columns lie at `lines` ``[frame, end, (row, column)]`` of the picture.

    Rows of the picture run from superior to inferior, its columns from left to right. DataError for stars, lines,
    slanted and uneven rasters.
    """
    direction = lines[:, 1] - lines[:, 0]
    length = np.hypot(direction[:, 0], direction[:, 1])
    middle = lines.mean(axis=1)
    typical = float(np.median(length))
    if not np.isfinite(lines).all() or length.min() <= 0:
        raise DataError(f"{path}: B-scan {int(np.argmin(length)) + 1} has no length on the fundus picture; {ONLY}")
    _require_parallel(path, direction, middle, typical)
    require_many(path, len(lines))
    along = _mean_direction(direction)
    vertical = bool(abs(along[0]) > abs(along[1]))
    slant = np.degrees(np.arcsin(min(abs(along))))
    if slant > SLANT:
        raise DataError(f"{path}: B-scans slanted by {slant:.0f} degrees against the fundus picture; {ONLY}")
    along = along * (-np.sign(along[0]) if vertical else np.sign(along[1]))  # to superior, or to the right
    across = np.array([along[1], -along[0]] if vertical else [-along[1], along[0]])  # to the right, or to superior
    shift = middle @ along
    if max(np.ptp(length), np.ptp(shift)) > 2 * SAME * typical:
        raise DataError(f"{path}: B-scans of different lengths, or shifted against each other; {ONLY}")
    rounded = 0.51 if np.array_equal(lines, np.rint(lines)) else 0.0  # places in whole pixels
    order, step = even_order(path, middle @ across, extent=typical, rounded=rounded)
    return Layout(order, direction @ along < 0, vertical, step / typical, relative=True)


def _mean_direction(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vector of lines whose two senses count as one: the mean of their doubled angles, halved."""
    angle = np.arctan2(direction[:, 0], direction[:, 1])
    mean = float(np.angle(np.exp(2j * angle).mean())) / 2
    return np.array([np.sin(mean), np.cos(mean)])


def _require_parallel(path: Path, direction: NDArray[np.float64], middle: NDArray[np.float64], length: float) -> None:
    mean = _mean_direction(direction)
    sine = (direction[:, 0] * mean[1] - direction[:, 1] * mean[0]) / np.hypot(direction[:, 0], direction[:, 1])
    if np.degrees(np.arcsin(np.clip(np.abs(sine), 0, 1))).max() <= PARALLEL:
        return
    apart = np.linalg.norm(middle - middle.mean(axis=0), axis=1).max()
    what = f"star (radial) scan of {len(direction)} B-scans" if apart < length / 4 else "B-scans that are not parallel"
    raise DataError(f"{path}: {what}, not a raster; {ONLY}")


def even_order(
    path: Path, places: NDArray[np.float64], *, extent: float, rounded: float = 0.0
) -> tuple[NDArray[np.intp], float]:
    """Frames by their `places` along one axis, and the distance between neighbours.

    `extent` is the length of a B-scan in the same unit, `rounded` an error of the places that is no unevenness.
    DataError if frames lie at one place or not at equal distances.
    """
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    step = float(ordered[-1] - ordered[0]) / (len(places) - 1)
    if step <= 0 or step * len(places) < 0.01 * extent:
        raise DataError(f"{path}: line scan: its {len(places)} B-scans lie at one place, not a volume; {ONLY}")
    gaps = np.diff(ordered)
    if gaps.min() < 0.01 * step:
        twice = int(np.argmin(gaps))
        a, b = sorted((int(order[twice]) + 1, int(order[twice + 1]) + 1))
        raise DataError(f"{path}: frames {a} and {b} lie at the same place; export each B-scan once")
    away = np.abs(ordered - ordered[0] - step * np.arange(len(places)))
    if away.max() > max(UNEVEN * step, rounded):
        where = int(order[np.argmax(gaps)]) + 1
        raise DataError(
            f"{path}: the distances between its B-scans are not equal ({gaps.min() / step:.2g} to "
            f"{gaps.max() / step:.2g} of their mean, at frame {where}); {ONLY}"
        )
    return order, step


def patient_layout(
    path: Path, positions: NDArray[np.float64], orientation: NDArray[np.float64], *, extent: float, anatomical: bool
) -> Layout:
    """Layout of frames in millimetres at `positions` ``[frame, 3]`` with one `orientation` (along a row, a column).

    The patient's axes run to the left, to posterior and to the head (C.7.6.2.1.1), so a fundus picture shows +x to the
    right and +z upwards. Only if the frames have a frame of reference (`anatomical`) and their columns run to
    posterior, as depth does, are directions taken from it; else x and y are `unstated` and only the order is.
    """
    row, column = orientation[:3], orientation[3:]
    normal = np.cross(row, column)
    require_many(path, len(positions))
    order, step = even_order(path, positions @ normal, extent=extent)
    if np.ptp(positions @ row) > 2 * SAME * extent:
        raise DataError(f"{path}: B-scans shifted against each other; {ONLY}")
    none = np.zeros(len(positions), bool)
    across, along = (np.argmax(np.abs(vector)) for vector in (normal, row))
    near = np.cos(np.radians(SLANT))
    told = anatomical and column[1] > near and min(np.abs(normal).max(), np.abs(row).max()) > near
    if not told:
        return Layout(_as_stored(order), none, step=step, unstated=("x", "y"))
    vertical = bool(along == 2)
    return Layout(order[:: 1 if normal[across] > 0 else -1], none | (row[along] < 0), vertical, step)


def _as_stored(order: NDArray[np.intp]) -> NDArray[np.intp]:
    """The order whose direction is that of the file, where the file does not say which end is which."""
    return order[::-1] if order[0] > order[-1] else order

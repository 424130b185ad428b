"""From the places of frames to a raster ``[x, y, z]``: their order, their direction and the distance between them.

A frame is a B-scan ``[depth, column]``. Its place is a line on the fundus picture (Ophthalmic Frame Location, PS3.3
C.8.17.10.1) or a plane in the patient's coordinates (Plane Position and Orientation, C.7.6.16.2.3 and .4).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.raster import FEW, SLOPE, Raster, even_distance, lay_out
from octa_kedro.io.vendor_scan import Axis

ROUNDED = 0.51  # pixels by which whole coordinates may be off


class Layout(NamedTuple):
    """How frames ``[frame, depth, column]`` become ``[x, y, z]``.

    `step` is the distance between neighbours: in lengths of a B-scan if `relative`, else in millimetres; None if no
    place is stated. `unstated` are the axes whose direction is the file's order.
    """

    raster: Raster
    step: float | None = None
    relative: bool = False
    unstated: tuple[Axis, ...] = ()


def arrange(frames: NDArray, layout: Layout) -> NDArray:
    """Frames ``[frame, depth, column]`` as ``[x, y, z]``; a view of them if they are in order, or in reverse order."""
    order = np.asarray(layout.raster.order)
    if np.array_equal(order, np.arange(len(frames))[::-1]):
        frames = frames[::-1]
    elif not np.array_equal(order, np.arange(len(frames))):
        frames = frames[order]
    return layout.raster.upright(frames)


def require_many(path: Path, n: int) -> None:
    """DataError if a file has so few B-scans that it is no volume."""
    if n < FEW:
        raise DataError(f"{path}: line scan of {n} B-scans, not a volume scan; leave it out")


def fundus_layout(path: Path, lines: NDArray[np.float64]) -> Layout:
    """Layout of B-scans whose first and last columns lie at `lines` ``[frame, end, (row, column)]`` of the picture.

    DataError as for `raster.lay_out`.
    """
    across_then_down = lines[..., ::-1]
    rounded = ROUNDED if np.array_equal(lines, np.rint(lines)) else 0.0  # places in whole pixels
    raster = lay_out(path, across_then_down[:, 0], across_then_down[:, 1], rounded=rounded)
    return Layout(raster, raster.distance / raster.length, relative=True)


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
    places = positions @ normal
    order = np.argsort(places, kind="stable")
    step = even_distance(path, np.diff(places[order]), order)
    if np.ptp(positions @ row) > SLOPE * max(extent, float(np.ptp(places))):
        raise DataError(f"{path}: its B-scans do not begin at one edge of the field; leave it out")
    near = np.cos(np.arctan(SLOPE))
    along, across = int(np.argmax(np.abs(row))), int(np.argmax(np.abs(normal)))
    if not anatomical or column[1] < near or min(abs(row[along]), abs(normal[across])) < near:
        kept = order[::-1] if order[0] > order[-1] else order  # the file does not say which end is which
        return Layout(_raster(kept, step, extent), step, unstated=("x", "y"))
    ascending = order if normal[across] > 0 else order[::-1]
    vertical, backwards = along == 2, bool(row[along] < 0)
    return Layout(_raster(ascending, step, extent, vertical=vertical, backwards=backwards), step)


def stored_layout(order: NDArray[np.intp]) -> Layout:
    """Layout of frames whose places are not stated, in this order."""
    return Layout(_raster(order, np.nan, np.nan), unstated=("x", "y"))


def _raster(
    order: NDArray[np.intp], distance: float, length: float, *, vertical: bool = False, backwards: bool = False
) -> Raster:
    return Raster(tuple(int(index) for index in order), vertical, backwards, distance, length)

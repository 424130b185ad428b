"""How B-scans lie on the fundus picture, from the positions of their two ends; what is not a plain raster is refused.

Positions are (x to the right, y downwards) on the fundus picture, in any unit: millimetres in Heidelberg ``.vol``
files, degrees in ``.e2e`` files.
"""

from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError

TILT_DEGREES = 2.0  # a raster this oblique is displaced by 3.5 % of its length at its corners
SLOPE = float(np.tan(np.radians(TILT_DEGREES)))
UNEQUAL = 0.1  # distances and lengths may differ from their median by this share; eyepy warns at 4 %
SAME = 0.01  # of the distance between B-scans: nearer ones lie at one place
FEW, PER_BSCAN = 8, 16

Number = TypeVar("Number", int, float)


class Raster(NamedTuple):
    """Parallel, equally spaced B-scans along one axis of the fundus picture.

    `order`: indices of the B-scans, from inferior to superior, or from left to right if they are `vertical`.
    `backwards`: A-scans run from right to left (vertical: from superior to inferior). `distance` between B-scans and
    `length` of a B-scan are in the unit of the positions.
    """

    order: tuple[int, ...]
    vertical: bool
    backwards: bool
    distance: float
    length: float

    def upright(self, stack: NDArray) -> NDArray:
        """A stack (B-scan in `order`, depth or surface, A-scan) as a view ``[x, y, depth or surface]``."""
        stack = stack[..., ::-1] if self.backwards else stack
        return stack.transpose(0, 2, 1) if self.vertical else stack.transpose(2, 0, 1)

    def along_x_and_y(self, ascans: Number, bscans: Number) -> tuple[Number, Number]:
        """What belongs to x and to y: a number of A-scans and B-scans, or their spacings."""
        return (bscans, ascans) if self.vertical else (ascans, bscans)


def lay_out(path: Path, starts: NDArray[np.float64], ends: NDArray[np.float64], *, rounded: float = 0.0) -> Raster:
    """The raster of B-scans that begin at `starts` (n, 2) and end at `ends` (n, 2).

    `rounded` is the error of positions in whole units, which does not make distances unequal. DataError names `path` if
    there are no positions, if the B-scans are not parallel (star, circle, alternating directions), slanted by more than
    `TILT_DEGREES`, of unequal length or distance, staggered, or at one place.
    """
    along = ends - starts
    lengths = np.hypot(*along.T)
    if not np.isfinite(along).all() or not np.isfinite(starts).all() or lengths.min() <= 0:
        raise DataError(f"{path}: does not say where its B-scans lie on the fundus picture; export the eye again")
    directions = along / lengths[:, None]
    typical, centres = directions[0], (starts + ends) / 2
    if (cosines := directions @ typical).min() < np.cos(np.radians(TILT_DEGREES)):
        if np.abs(cosines).min() >= np.cos(np.radians(TILT_DEGREES)):
            raise DataError(f"{path}: its B-scans run in alternating directions; export them all in one direction")
        apart = np.linalg.norm(centres - centres.mean(axis=0), axis=1).max()
        star = f"star (radial) scan of {len(starts)} B-scans: " if apart < np.median(lengths) / 4 else ""
        raise DataError(f"{path}: {star}its B-scans are not parallel, as in a star or circle scan; leave it out")
    vertical = bool(abs(typical[1]) > abs(typical[0]))
    axis, across = (1, 0) if vertical else (0, 1)
    if abs(typical[across]) > SLOPE * abs(typical[axis]):
        degrees = np.degrees(np.arctan2(abs(typical[across]), abs(typical[axis])))
        raise DataError(
            f"{path}: its B-scans are slanted by {degrees:.0f} degrees; only rasters along the edges of the fundus "
            "picture are read, leave it out"
        )
    order = np.argsort(centres[:, across] if vertical else -centres[:, across], kind="stable")
    gaps = np.abs(np.diff(centres[order, across]))
    length = float(np.median(lengths))
    if np.ptp(centres[:, axis]) > SLOPE * max(length, float(gaps.sum())):
        raise DataError(f"{path}: its B-scans do not begin at one edge of the field; leave it out")
    _require_equal(path, "length", lengths, length)
    distance = even_distance(path, gaps, order, rounded)
    backwards = bool(typical[1] > 0 if vertical else typical[0] < 0)
    return Raster(tuple(int(index) for index in order), vertical, backwards, distance, length)


def even_distance(path: Path, gaps: NDArray[np.float64], order: NDArray[np.intp], rounded: float = 0.0) -> float:
    """The one distance between the B-scans of `order`, from the `gaps` between them; see `lay_out` for `rounded`.

    DataError if B-scans lie at one place or the gaps are not equal.
    """
    if gaps.max() <= 0:
        raise DataError(
            f"{path}: line scan: its {len(order)} B-scans lie at one place, at no equal distance; leave it out"
        )
    if gaps.min() < SAME * gaps.mean():
        twice = int(np.argmin(gaps))
        first, second = sorted((int(order[twice]) + 1, int(order[twice + 1]) + 1))
        raise DataError(
            f"{path}: B-scans {first} and {second} lie at the same place, at no equal distance; export each B-scan once"
        )
    even = np.arange(1, len(gaps) + 1) * gaps.mean()
    if max(np.ptp(gaps), np.abs(np.cumsum(gaps) - even).max()) <= 2 * rounded:
        return float(gaps.mean())
    distance = float(np.median(gaps))
    _require_equal(path, "distance", gaps, distance)
    return distance


def _require_equal(path: Path, what: str, values: NDArray[np.float64], usual: float) -> None:
    if usual <= 0 or np.abs(values - usual).max() > UNEQUAL * usual:
        raise DataError(
            f"{path}: its B-scans have no equal {what} (from {values.min():.4g} to {values.max():.4g}); only regular "
            "rasters are read, leave it out"
        )


def require_volume(path: Path, ascans: int, bscans: int) -> None:
    """DataError if the scan is a line scan: a single B-scan, or few B-scans of very many A-scans each; or none."""
    if min(bscans, ascans) < 1:
        raise DataError(f"{path}: its header states {bscans} B-scans of {ascans} A-scans each; export the eye again")
    if bscans == 1:
        raise DataError(f"{path}: a single B-scan, not a volume scan; leave it out")
    if bscans < FEW and ascans > PER_BSCAN * bscans:
        raise DataError(
            f"{path}: line scan of {bscans} B-scans ({ascans} A-scans each), not a volume scan; leave it out"
        )

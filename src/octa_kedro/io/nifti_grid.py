"""The grid of a raw NIfTI volume: its axes in the order and direction of the scan's, as the file's affine states them.

**What is assumed of a file**: the world that its affine leads to is the frame of `io.volume`: x along the A-scans of a
B-scan, y from B-scan to B-scan, from inferior to superior, z into the eye. It is not the anatomy of a head. Axes that
are stored in another order or backwards are transposed and reversed, voxels and affine together.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from nibabel.orientations import io_orientation
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.millimetres import SWITCH, Anatomy
from octa_kedro.io.nifti import map_nifti
from octa_kedro.io.nifti_header import Header, read_header
from octa_kedro.io.volume import Frame, scan_affine

TILT_VOXELS = 1e-3
"""How far a voxel may lie from where axes along the world's would have it: rounding, and no tilt."""
TILT_ROUNDING = 1e-6  # of the largest edge: what 32-bit quaternions cannot tell
SAME_VOXELS = 0.1
"""How far, in voxels, corners of two volumes may be apart that are said to lie on one grid."""


@dataclass(frozen=True)
class NiftiGrid:
    """How the voxels of a file come to lie as a scan's, ``[x, y, z]``.

    `order` is the stored axis of each of x, y and z; those of `backwards` are reversed. `placed` is the affine of the
    turned voxels by the file, tilt included. If the file states none, none was turned, and the corner is the origin.
    """

    header: Header
    order: tuple[int, int, int]
    backwards: tuple[bool, bool, bool]
    placed: NDArray[np.float64]

    @classmethod
    def of(cls, where: Path, affine: NDArray[np.float64], shape: tuple[int, int, int]) -> Self:
        """The grid of a scan at `where` that is no NIfTI file, to compare those of NIfTI files with."""
        x, y, z = map(float, np.diag(affine)[:3])
        return cls(Header(where, shape, (x, y, z), affine), (0, 1, 2), (False, False, False), affine)

    @property
    def stated(self) -> bool:
        """Whether the file states where its voxels lie."""
        return self.header.affine is not None

    @property
    def turned(self) -> bool:
        """Whether the voxels are stored in another order than that of the scan."""
        return self.order != (0, 1, 2) or any(self.backwards)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        x, y, z = (self.header.shape[axis] for axis in self.order)
        return x, y, z

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel edge lengths along x, y and z in millimetres."""
        x, y, z = (self.header.spacing[axis] for axis in self.order)
        return x, y, z

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Edge lengths of the whole scan in millimetres."""
        x, y, z = (n * step for n, step in zip(self.shape, self.spacing, strict=True))
        return x, y, z

    @property
    def affine(self) -> NDArray[np.float64]:
        """The affine of the turned voxels, along the world's axes; of tilted ones, along their own."""
        if _tilt_voxels(self.placed, self.shape) > 1:
            return scan_affine(self.shape, self.extent_mm)
        affine = np.diag([*self.spacing, 1.0])
        affine[:3, 3] = self.placed[:3, 3]
        return affine

    @property
    def frame(self) -> Frame:
        """How the axes of a tilted volume lie in the world of its file; that world itself, if it is not tilted."""
        if _tilt_voxels(self.placed, self.shape) > 1:
            return Frame(self.placed @ np.linalg.inv(self.affine))
        return Frame()

    def read(self) -> NDArray:
        """The turned values: a view of the file (on disk, where that is not compressed) if they are not scaled, else
        float32. They have this machine's byte order."""
        numbers, slope, inter = map_nifti(self.header.path)
        for _ in range(numbers.ndim - 3):
            numbers = numbers[..., 0]
        array = numbers.transpose(self.order)
        array = array[tuple(slice(None, None, -1 if back else 1) for back in self.backwards)]
        if (slope, inter) != (1, 0):
            with np.errstate(over="ignore"):  # what becomes infinite is refused as that
                return array.astype(np.float32) * np.float32(slope) + np.float32(inter)
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def read_grid(path: Path, anatomy: Anatomy = "eye", *, planes: bool = False) -> NiftiGrid:
    """The grid that the header of a NIfTI file states; see `read_header` for what is refused.

    DataError if the axes of an eye's scan are tilted against the world's by more than rounding. The third axis of
    `planes` has no place in the world: it stays the third.
    """
    header = read_header(path)
    if header.affine is None:
        extent = tuple(n * step for n, step in zip(header.shape, header.spacing, strict=True))
        placed = scan_affine(header.shape, (extent[0], extent[1], extent[2]))
        return NiftiGrid(header, (0, 1, 2), (False, False, False), placed)
    affine = header.affine.copy()
    if planes and not (abs(affine[2, :2]) > abs(affine[:2, :2]).max(axis=0)).any():
        affine[:3, 2], affine[2, :2] = (0, 0, 1), 0
    directions = io_orientation(affine)  # for each stored axis: the world's axis, and -1 if it runs against it
    if np.isnan(directions).any() or (planes and affine[2, :2].any()):
        raise DataError(f"{path}: its first two axes are not x and y of the world; correct its affine")
    order = np.argsort(directions[:, 0])
    backwards = directions[order, 1] < 0
    placed = _turn(affine, header.shape, order, backwards)
    grid = NiftiGrid(
        header,
        (int(order[0]), int(order[1]), int(order[2])),
        (bool(backwards[0]), bool(backwards[1]), bool(backwards[2])),
        placed,
    )
    if anatomy == "eye" and (tilt := _tilt_voxels(placed, grid.shape)) > 1:
        raise DataError(
            f"{path}: its axes are tilted or sheared against x, y and z, by {tilt * TILT_VOXELS:.2g} voxels over the "
            f"volume; write the header of the scan's own axes (a diagonal affine), or resample it to them; {SWITCH}"
        )
    return grid


def require_same_grid(grid: NiftiGrid, scan: NiftiGrid, *, what: str, subject: str, axes: int = 3) -> None:
    """DataError if voxels of `grid` do not lie on those of the `scan`, by shape or by affine, along the first `axes`.

    If only one of the two files states where it lies, voxels have to be stored in the scan's order and need its
    spacing. A difference of 1e-1 voxels at a corner is rounding.
    """
    path, other = grid.header.path, scan.header.path
    if grid.shape[:axes] != scan.shape[:axes]:
        raise DataError(f"{path}: {what} of shape {grid.shape[:axes]}, but the scan of {subject} has {scan.shape}")
    if grid.stated != scan.stated and (grid.turned or scan.turned):
        silent, told = (path, other) if scan.stated else (other, path)
        raise DataError(
            f"{silent}: states no directions, but {told} states that its axes are turned, so the two of {subject} "
            "cannot be laid over each other; write the affine into both"
        )
    one, two = grid.placed.copy(), scan.placed.copy()
    if not (grid.stated and scan.stated):
        one[:3, 3] = two[:3, 3] = 0
    last = np.array(scan.shape[:axes]) - 1
    corners = np.array(np.meshgrid(*([0, n] for n in last), indexing="ij")).reshape(axes, -1)
    points = [affine[:axes, :axes] @ corners + affine[:axes, 3:] for affine in (one, two)]
    apart = abs(points[0] - points[1]) / np.array(scan.spacing[:axes])[:, None]
    if apart.max() > SAME_VOXELS:
        axis = int(apart.max(axis=1).argmax())
        raise DataError(
            f"{path}: {what} that its header lays up to {apart.max():.3g} voxels along {'xyz'[axis]} from where the "
            f"scan {other} of {subject} lies; write the affine of the scan it was drawn on, or resample it to that"
        )


def _turn(
    affine: NDArray[np.float64], shape: tuple[int, ...], order: NDArray[np.intp], backwards: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The affine of voxels whose axes are taken in `order`, those that run `backwards` reversed."""
    turned = affine.copy()
    turned[:3, :3] = affine[:3, order]
    for axis in np.flatnonzero(backwards):
        turned[:3, 3] += turned[:3, axis] * (shape[order[axis]] - 1)
        turned[:3, axis] *= -1
    return turned


def _tilt_voxels(placed: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    """How far the farthest voxel lies off axes along the world's, in units of what is tolerated."""
    steps = np.diag(placed)[:3]
    reach = abs(placed[:3, :3]) * (np.array(shape) - 1)
    off = reach.sum(axis=1) - np.diag(reach)
    tolerated = np.maximum(TILT_VOXELS * steps, TILT_ROUNDING * np.diag(reach).max())
    return float((off / tolerated).max())

"""Where an eye's voxels lie: fields of view cut and resampled to one grid, with affines that follow."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.preprocessing.resampling import resample_axes

FINER = 0.99  # a scan this much finer than the sampling to match is thinned out; nearly equal ones are left alone


@dataclass(frozen=True)
class Grid:
    """A box in one scan's world frame, divided into voxels: `origin_mm` is its outer corner."""

    shape: tuple[int, ...]
    origin_mm: tuple[float, ...]
    extent_mm: tuple[float, ...]

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Voxel edge lengths in millimetres."""
        return np.asarray(self.extent_mm, float) / np.asarray(self.shape, float)

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel index -> millimetres; the corner voxel's centre lies half a voxel inside the box."""
        affine = np.diag([*self.spacing, 1.0])
        affine[:3, 3] = np.asarray(self.origin_mm, float) + self.spacing / 2
        return affine


def scan_box(shape: tuple[int, ...], affine: NDArray[np.float64]) -> Grid:
    """The box that a scan of `shape` with a diagonal `affine` fills."""
    spacing = np.diag(affine)[:3]
    if not np.allclose(affine[:3, :3], np.diag(spacing)) or (spacing <= 0).any():
        raise DataError("the scan's axes are not along the world's; resample it to a plain grid first")
    origin = affine[:3, 3] - spacing / 2
    extent = spacing * np.asarray(shape[:3])
    return Grid(tuple(shape[:3]), tuple(map(float, origin)), tuple(map(float, extent)))


def coarse_box(box: Grid, sampling_mm: float | None) -> Grid:
    """`box` divided laterally as a scan of `sampling_mm` would be, where it is finer."""
    if sampling_mm is None:
        return box
    counts = [
        max(1, round(box.extent_mm[axis] / sampling_mm)) if box.spacing[axis] < FINER * sampling_mm else box.shape[axis]
        for axis in (0, 1)
    ]
    return replace(box, shape=(*counts, box.shape[2]))


def processing_grid(
    box: Grid,
    shape: tuple[int, int, int],
    *,
    field_mm: tuple[float, float] | None,
    depth_mm: float | None,
    centre_depth_mm: float | None,
) -> Grid:
    """The grid of `shape` that an eye is resampled to: the centre `field_mm` of the scan, and `depth_mm`
    round `centre_depth_mm`; None keeps the scan's whole width, or whole depth.

    The depth may reach beyond the scan (it is filled with zeros); a field larger than the scan is an error,
    since no such pixels were ever measured.
    """
    origin, extent = list(box.origin_mm), list(box.extent_mm)
    for axis, size in enumerate(field_mm or ()):
        if size > extent[axis] * 1.001:
            raise DataError(
                f"the scan is {extent[axis]:.2f} mm wide, processing.field_mm asks for {size:g}; "
                "lower it or leave the eye out"
            )
        origin[axis] += (extent[axis] - size) / 2
        extent[axis] = size
    if depth_mm is not None:
        centre = origin[2] + extent[2] / 2 if centre_depth_mm is None else centre_depth_mm
        origin[2], extent[2] = centre - depth_mm / 2, depth_mm
    return Grid(shape, tuple(origin), tuple(extent))


def axis_weights(n_in: int, edges: NDArray[np.float64]) -> NDArray[np.float32]:
    """Weights ``(n_out, n_in)`` that resample one axis; `edges` are n_out + 1 positions in input voxel units
    (input voxel i covers i .. i + 1).

    Where output voxels are larger than input voxels each is the mean over the length it covers, so that
    nothing aliases; where they are smaller, linear interpolation at its centre. Weights that fall outside
    the input are dropped, so values fade to zero there.
    """
    step = float(edges[1] - edges[0])
    index = np.arange(n_in)
    if step >= 1:
        overlap = np.minimum(edges[1:, None], index + 1) - np.maximum(edges[:-1, None], index)
        weights = np.clip(overlap, 0, None) / step
    else:
        centres = (edges[1:] + edges[:-1]) / 2 - 0.5
        inside = (centres > -0.5) & (centres < n_in - 0.5)
        weights = linear_weights(n_in, centres) * inside[:, None]
    return weights.astype(np.float32)


def linear_weights(n_in: int, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights ``(len(positions), n_in)`` of linear interpolation at `positions`, in units of the input's index;
    beyond the ends the end value holds."""
    distance = np.abs(np.clip(positions, 0, n_in - 1)[:, None] - np.arange(n_in))
    return np.clip(1 - distance, 0, None)


def apply_weights(array: NDArray, weights: list[NDArray]) -> NDArray:
    """Multiply each axis of `array` by its matrix ``(n_out, n_in)``."""
    for matrix in weights:
        # Each product takes the first axis away and puts the new one at the back: after all, order is restored.
        array = np.tensordot(array, matrix, axes=(0, 1))
    return array


def axis_matrices(box: Grid, grid: Grid) -> list[NDArray[np.float32]]:
    """The matrices ``(n_out, n_in)``, axis by axis, that bring the scan filling `box` to `grid`.

    DataError if the grid lies outside the scan.
    """
    matrices = []
    for axis, count in enumerate(grid.shape):
        start = (grid.origin_mm[axis] - box.origin_mm[axis]) / box.spacing[axis]
        length = grid.extent_mm[axis] / box.spacing[axis]
        matrix = axis_weights(box.shape[axis], start + np.linspace(0, length, count + 1))
        if not matrix.any():
            raise DataError("the processing grid lies outside the scan; look at the retina's depth")
        matrices.append(matrix)
    return matrices


def resample(array: NDArray, affine: NDArray[np.float64], grid: Grid) -> NDArray[np.float32]:
    """`array` ``[x, y, z]`` (or ``[x, y]``) on `grid`, mean- or linearly interpolated axis by axis.

    Only the part of the input that the grid touches is read, so a memory-mapped scan stays on disk.
    """
    box = scan_box((*array.shape, 1)[:3], affine)
    if array.ndim == 2:
        flat = Grid(grid.shape[:2], grid.origin_mm[:2], grid.extent_mm[:2])
        return resample_axes(array[:, :, None], [*axis_matrices(box, flat), np.ones((1, 1), np.float32)])[:, :, 0]
    return resample_axes(array, axis_matrices(box, grid))


def resample_nearest(array: NDArray, affine: NDArray[np.float64], grid: Grid) -> NDArray:
    """`array` on `grid` by nearest neighbour, for labels; zero outside the scan."""
    box = scan_box(array.shape, affine)
    picks, inside = [], []
    for axis in range(array.ndim):
        centres = np.diag(grid.affine)[axis] * np.arange(grid.shape[axis]) + grid.affine[axis, 3]
        index = np.floor((centres - box.origin_mm[axis]) / box.spacing[axis]).astype(int)
        inside.append((index >= 0) & (index < array.shape[axis]))
        picks.append(np.clip(index, 0, array.shape[axis] - 1))
    picked = np.asarray(array)[np.ix_(*picks)]
    for axis, there in enumerate(inside):
        picked = picked * there.reshape([-1 if a == axis else 1 for a in range(array.ndim)])
    return picked

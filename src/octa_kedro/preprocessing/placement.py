"""Where an eye's voxels come from: crop, resize, flattening and registration in one resampling."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from octa_kedro.errors import DataError
from octa_kedro.io.volume import Frame, PlaneStack
from octa_kedro.preprocessing.geometry import (
    Grid,
    axis_matrices,
    coarse_box,
    linear_weights,
    resample_nearest,
    scan_box,
)
from octa_kedro.preprocessing.resampling import (
    BLOCK_POINTS,
    inside,
    resample_axes,
    sample_points,
    slide_depth,
    window_taps,
)
from octa_kedro.preprocessing.transform import Transform

LATERAL, DEPTH = slice(0, 2), slice(2, 3)
SETTLED_MM, MAX_ROUNDS, LOST_MM = 1e-4, 30, 0.01  # of the search for a surface along a column
OUTSIDE = "the processing grid lies outside the scan; look at the retina's depth and the registration"


@dataclass(frozen=True, eq=False)
class Placement:
    """How an output voxel finds its place in the scan: centre -> plus `flatten_mm` in z -> `transform` -> scan.

    `grid` is the output in the target frame; `flatten_mm` ``[x, y]`` on its lateral raster is what flattening
    moved each column up by. `sampling_mm` is the lateral sampling to match: a finer scan is read
    as one of that sampling would show the eye, so that the field of view cannot be told by the texture.
    """

    grid: Grid
    transform: Transform = field(default_factory=Transform)
    flatten_mm: NDArray[np.floating] | None = None
    sampling_mm: float | None = None

    def __post_init__(self) -> None:
        if self.flatten_mm is not None and self.flatten_mm.shape != self.grid.shape[:2]:
            raise ValueError(f"flatten_mm of shape {self.flatten_mm.shape} for a grid of {self.grid.shape}")

    def frame(self, scan: Frame) -> Frame:
        """The frame of `grid` where the placed scan lies in the frame `scan`: all of the placement that is affine."""
        bent = self.transform.displacement is not None
        left_out = [name for name, there in (("flattening", self.flatten_mm is not None), ("bending", bent)) if there]
        note = f"position without {' and '.join(left_out)}; restore_to_scan is exact" if left_out else ""
        return scan.after(self.transform.matrix, note)

    def plane_frame(self, scan: Frame) -> Frame:
        """As `frame`, for maps over the en-face plane: they lie where `place_plane` looks, in the middle of the depth,
        which counts where the eye is tilted."""
        deeper = np.eye(4)
        deeper[2, 3] = (self.grid.extent_mm[2] - self.grid.spacing[2]) / 2
        return self.frame(scan).after(deeper)

    def in_scan(self) -> Grid:
        """The box that an aligned transform makes of `grid` in the scan, before any flattening."""
        scale, shift = np.diag(self.transform.matrix)[:3], self.transform.matrix[:3, 3]
        origin = tuple(map(float, scale * self.grid.origin_mm + shift))
        return replace(self.grid, origin_mm=origin, extent_mm=tuple(map(float, scale * self.grid.extent_mm)))

    def columns(self) -> NDArray[np.float64]:
        """Lateral voxel centres ``(X * Y, 2)`` of the grid in millimetres."""
        axes = [self.grid.affine[a, 3] + self.grid.spacing[a] * np.arange(self.grid.shape[a]) for a in (0, 1)]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)

    def in_scan_at(self, depth_mm: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points ``(X * Y, 3)`` of the scan that each column shows at `depth_mm` ``(X * Y,)`` of the output."""
        shift = 0 if self.flatten_mm is None else self.flatten_mm.reshape(-1)
        return self.transform.apply(np.column_stack([self.columns(), depth_mm + shift]))


def place_volume(array: NDArray, affine: NDArray[np.float64], placement: Placement) -> NDArray[np.float32]:
    """`array` ``[x, y, z]`` on the placement's grid, interpolated once; zero outside the scan.

    Where output voxels are larger than the scan's, each is the mean over the length it covers, else linear
    interpolation. Axes that stay axes are worked off by matrix products; a rotated scan is sampled point by
    point, which agrees within the error of interpolation. DataError if the grid lies outside the scan.
    """
    box = scan_box(array.shape, affine)
    coarse = coarse_box(box, placement.sampling_mm)
    if placement.transform.is_aligned:
        return _place_aligned(array, box, coarse, placement)
    if coarse.shape != box.shape:
        array = resample_axes(array, [*_coarsening(box, coarse), np.eye(box.shape[2], dtype=np.float32)])
    return _place_rotated(array, coarse, placement)


def _place_aligned(array: NDArray, box: Grid, coarse: Grid, placement: Placement) -> NDArray[np.float32]:
    grid = placement.in_scan()
    lateral = axis_matrices(_axes(coarse, LATERAL), _axes(grid, LATERAL))
    lateral = [matrix @ binned for matrix, binned in zip(lateral, _coarsening(box, coarse), strict=True)]
    if placement.flatten_mm is None:
        return resample_axes(array, [*lateral, *axis_matrices(_axes(box, DEPTH), _axes(grid, DEPTH))])
    scale = float(placement.transform.matrix[2, 2])
    starts = (grid.origin_mm[2] + scale * placement.flatten_mm - box.origin_mm[2]) / box.spacing[2]
    step = float(grid.spacing[2] / box.spacing[2])
    first = max(int(starts.min()) - 1, 0)
    last = min(int(starts.max() + step * grid.shape[2]) + 2, box.shape[2])
    if first >= last:
        raise DataError(OUTSIDE)
    columns = resample_axes(array[:, :, first:last], [*lateral, np.eye(last - first, dtype=np.float32)])
    return slide_depth(columns, starts - first, step, grid.shape[2])


def _place_rotated(array: NDArray, box: Grid, placement: Placement) -> NDArray[np.float32]:
    to_index = np.linalg.inv(box.affine)
    edges = to_index[:3, :3] @ placement.transform.matrix[:3, :3] * placement.grid.spacing
    taps = window_taps(np.linalg.norm(edges, axis=0)) @ edges.T
    out = np.empty(placement.grid.shape, np.float32, order="F")
    found = False
    for slices, points in _blocks(placement):
        index = to_index[:3, :3] @ points.T + to_index[:3, 3:]
        found = found or bool(inside(index, array.shape).any())
        out[:, :, slices] = sample_points(array, index, taps).reshape(*out.shape[:2], -1)
    if not found:
        raise DataError(OUTSIDE)
    return out


def place_labels(array: NDArray, affine: NDArray[np.float64], placement: Placement) -> NDArray:
    """Labels ``[x, y, z]`` on the placement's grid by nearest neighbour, of the same type; zero outside the scan."""
    if placement.transform.is_aligned and placement.flatten_mm is None:
        return resample_nearest(array, affine, placement.in_scan())
    box = scan_box(array.shape, affine)
    to_index = np.linalg.inv(box.affine)
    out = np.zeros(placement.grid.shape, array.dtype, order="F")
    for slices, points in _blocks(placement):
        index = to_index[:3, :3] @ points.T + to_index[:3, 3:]
        nearest = tuple(np.clip(np.rint(i), 0, n - 1).astype(np.intp) for i, n in zip(index, array.shape, strict=True))
        values = np.where(inside(index, array.shape), array[nearest], array.dtype.type(0))
        out[:, :, slices] = values.reshape(*out.shape[:2], -1)
    return out


def place_plane(
    plane: NDArray,
    affine: NDArray[np.float64],
    placement: Placement,
    depth_mm: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """An en-face map ``[x, y]`` of the scan on the lateral raster of the placement's grid; zero outside the scan.

    A map has no depth, so a transform that rotates out of the en-face plane is followed at one depth a column:
    `depth_mm` ``[x, y]`` of the output frame (a placed surface), or else the middle of the grid, where the depth
    crop puts the retina. With a tilt of a few degrees a layer 0.1 mm off that depth is a few micrometres aside.
    """
    box = scan_box((*plane.shape, 1), affine)
    coarse = coarse_box(box, placement.sampling_mm)
    one = [np.ones((1, 1), np.float32)]
    if placement.transform.is_aligned:
        lateral = axis_matrices(_axes(coarse, LATERAL), _axes(placement.in_scan(), LATERAL))
        lateral = [matrix @ binned for matrix, binned in zip(lateral, _coarsening(box, coarse), strict=True)]
        return resample_axes(plane[:, :, None], lateral + one)[:, :, 0]
    binned_plane = resample_axes(plane[:, :, None], _coarsening(box, coarse) + one)
    middle = placement.grid.origin_mm[2] + placement.grid.extent_mm[2] / 2
    depth = np.full(placement.grid.shape[:2], middle) if depth_mm is None else depth_mm
    index = _lateral_index(placement.in_scan_at(depth.reshape(-1)), coarse)
    placed = sample_points(binned_plane, index, _lateral_taps(coarse, placement))
    return placed.reshape(placement.grid.shape[:2])


def place_surfaces(surfaces: PlaneStack, placement: Placement) -> PlaneStack:
    """The surfaces as the placed volume shows them: depths in millimetres of the output frame.

    In each column the depth is sought at which the placement points at the surface in the scan (a fixed-point
    iteration; one round where nothing is rotated), and beside the scan the surface is continued from its rim.
    DataError if it is not found.
    """
    box = scan_box((*surfaces.array.shape[:2], 1), surfaces.grid_affine)
    taps = _lateral_taps(box, placement)
    planes = [_place_depth(plane, box, taps, placement) for plane in np.moveaxis(surfaces.array, 2, 0)]
    stack = np.stack(planes, axis=2).astype(np.float32)
    if not np.isfinite(stack).all():
        raise DataError(f"{surfaces.source}: its surfaces cannot be followed through the transform; register it anew")
    frame = placement.plane_frame(surfaces.frame)
    return replace(surfaces, array=stack, grid_affine=placement.grid.affine, frame=frame)


def _place_depth(plane: NDArray, box: Grid, taps: NDArray[np.float64], placement: Placement) -> NDArray:
    slope = float(placement.transform.matrix[2, 2])
    depth = np.full(placement.grid.shape[0] * placement.grid.shape[1], float(np.median(plane)))
    source = np.asarray(plane, np.float64)
    for _ in range(MAX_ROUNDS):
        points = placement.in_scan_at(depth)
        index = _lateral_index(points, box)
        seen = [map_coordinates(source, index[:2] + tap[:2, None], order=1, mode="nearest") for tap in taps]
        missing = (np.mean(seen, axis=0) - points[:, 2]) / slope
        depth = depth + missing
        if np.abs(missing).max() < SETTLED_MM:
            break
    return np.where(np.abs(missing) < LOST_MM, depth, np.nan).reshape(placement.grid.shape[:2])


def _coarsening(box: Grid, coarse: Grid) -> list[NDArray[np.float32]]:
    """Lateral matrices that read the A-scans of `coarse` off those of `box`, linearly between neighbours.

    Not the mean over the coarser cell: a beam is as wide in a 3 mm scan as in a 6 mm one, which only steps
    further. On 30 real en-face maps of either field the power above the coarser scan's Nyquist frequency told
    3 mm from 6 mm with an AUC of .99 untouched, .05 after the mean (too smooth), .56 after this.
    """
    matrices = []
    for n, m in zip(box.shape[:2], coarse.shape[:2], strict=True):
        centres = (np.arange(m) + 0.5) * n / m - 0.5
        matrices.append(linear_weights(n, centres).astype(np.float32))
    return matrices


def _axes(box: Grid, kept: slice) -> Grid:
    return Grid(box.shape[kept], box.origin_mm[kept], box.extent_mm[kept])


def _lateral_index(points: NDArray[np.float64], box: Grid) -> NDArray[np.float64]:
    """Points of the scan as indices ``(3, N)`` of a map over `box`, which has one voxel in depth."""
    index = (points - np.asarray(box.origin_mm)) / box.spacing - 0.5
    index[:, 2] = 0
    return index.T


def _lateral_taps(box: Grid, placement: Placement) -> NDArray[np.float64]:
    edges = placement.transform.matrix[:2, :2] * placement.grid.spacing[:2] / box.spacing[:2, None]
    taps = window_taps(np.append(np.linalg.norm(edges, axis=0), 1.0))
    return np.column_stack([taps[:, :2] @ edges.T, np.zeros(len(taps))])


def _blocks(placement: Placement) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Runs of output slices in z, with the scan points ``(N, 3)`` of their voxels in order [x, y, z]."""
    columns, (nx, ny, nz) = placement.columns(), placement.grid.shape
    shift = np.zeros(nx * ny) if placement.flatten_mm is None else placement.flatten_mm.reshape(-1)
    size = max(1, BLOCK_POINTS // (nx * ny))
    for start in range(0, nz, size):
        slices = slice(start, min(start + size, nz))
        depth = placement.grid.affine[2, 3] + placement.grid.spacing[2] * np.arange(slices.start, slices.stop)
        points = np.empty((nx * ny, len(depth), 3))
        points[..., :2] = columns[:, None]
        points[..., 2] = shift[:, None] + depth
        yield slices, placement.transform.apply(points.reshape(-1, 3))

"""The way back: a map or a mask of a processed eye on the voxels of the raw scan that it was made of."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from octa_kedro.errors import DataError
from octa_kedro.io.volume import UNPLACED, Frame, PlaneStack, Volume
from octa_kedro.preprocessing.geometry import linear_weights, scan_box
from octa_kedro.preprocessing.placement_record import PlacementRecord, read_placement
from octa_kedro.preprocessing.resampling import BLOCK_POINTS, inside, resample_axes
from octa_kedro.preprocessing.transform import Displacement, Transform, inverse_of
from octa_kedro.results.stored import Stored

Eye = TypeVar("Eye", bound=Volume | PlaneStack)
Window = tuple[slice, slice, slice]

LATTICE_MM = 0.04  # between the points at which bending is undone; linear between them
AFFINE_MM = 1e-4  # a NIfTI file keeps an affine in single precision
SETTLED_VOXELS, MAX_ROUNDS = 1e-3, 50  # of the search for the depth that an en-face map was placed at


def restore_to_scan(
    item: Eye, record: PlacementRecord, flattening: PlaneStack | None = None, *, labels: bool = False
) -> Eye:
    """`item`, which lies on the processed grid of an eye, on the raw scan's own voxels, with the scan's affine.

    Crop, resampling, flattening, registration and mirroring are undone together, in one interpolation: linear
    (float32), or with `labels` by nearest neighbour (the type is kept). Voxels that were not processed are zero. A
    PlaneStack comes back on the scan's en-face raster. `flattening` is the eye's stored plane, needed
    if it was flattened. `item` may come from a file: its affine is that of the header. DataError if it does not lie on
    the record's grid or `flattening` is another eye's.
    """
    who = item.source or "the map"
    _require_on_grid(item, record, who)
    flatten_mm = record.flatten_mm(flattening, who=who)
    if isinstance(item, PlaneStack):
        array = _restore_planes(item.array, _WayBack(record, flatten_mm), labels=labels)
    elif flatten_mm is None and record.transform.is_aligned:
        array = _restore_aligned(item.array, record, labels=labels)
    else:
        array = _restore_volume(item.array, _WayBack(record, flatten_mm), labels=labels)
    return replace(item, array=array, grid_affine=record.scan_affine, frame=Frame(record.scan_to_world))


def map_over_scan(
    item: Stored, image: Stored, flattening: Stored | None = None, *, labels: bool = False
) -> Volume | PlaneStack:
    """A stored map or mask over the raw scan, by what is stored beside the `image` that it belongs to.

    `image` is the eye's processed volume or en-face maps, `flattening` its plane of that name where there is one. The
    result of a 3D network is a Volume ``[x, y, z]``, that of a 2D network a PlaneStack, both with the affine of the raw
    scan as `conversion` writes it. DataError as in `restore_to_scan` and `placement_record.read_placement`.
    """
    record = read_placement(image)
    loaded: Volume | PlaneStack = item()
    plane: PlaneStack | None = None if flattening is None else flattening()
    return restore_to_scan(loaded, record, plane, labels=labels)


def _require_on_grid(item: Volume | PlaneStack, record: PlacementRecord, who: str) -> None:
    grid, axes = record.grid, 3 if isinstance(item, Volume) else 2
    if item.frame.note == UNPLACED:  # its file has the affine of the grid
        off_mm = np.abs(item.grid_affine - grid.affine).max()
    else:
        off_mm = np.abs(item.affine - record.affine(flat=isinstance(item, PlaneStack))).max()
    if item.array.shape[:axes] != grid.shape[:axes] or off_mm > AFFINE_MM:
        raise DataError(
            f"{who}: it has {item.array.shape[:axes]} voxels and lies elsewhere than the processed image, which has "
            f"{grid.shape[:axes]}; give a map or mask on the grid and with the affine of that image, of one version"
        )


class _WayBack:
    """From voxels of the scan, counted as it was placed (mirrored if it was), to voxels of the processed grid."""

    def __init__(self, record: PlacementRecord, flatten_mm: NDArray[np.float32] | None) -> None:
        self.record, self.flatten_mm = record, flatten_mm
        self.window = _reached(record, flatten_mm)
        straight = Transform(record.transform.matrix).inverse().matrix
        self.matrix = inverse_of(record.grid.affine) @ straight @ record.scan_affine
        self.bending = _undone_bending(record, self.window)

    def __call__(self, *where: NDArray[np.float64]) -> NDArray[np.float64]:
        """Index ``(3, N)`` in the processed grid of the scan's voxels `where` (x, y, z, which may be broadcast)."""
        x, y, z = where
        index = np.stack([m[0] * x + m[1] * y + m[2] * z + m[3] for m in self.matrix[:3]]).reshape(3, -1)
        if self.bending is not None:
            voxels = np.stack([part.reshape(-1) for part in np.broadcast_arrays(x, y, z)], axis=1)
            affine = self.record.scan_affine
            moved = self.bending.at(voxels @ affine[:3, :3].T + affine[:3, 3])
            index += moved.T / self.record.grid.spacing[:, None]
        if self.flatten_mm is not None:
            up = map_coordinates(self.flatten_mm, index[:2], output=np.float64, order=1, mode="nearest")
            index[2] -= up / self.record.grid.spacing[2]
        return index


def _reached(record: PlacementRecord, flatten_mm: NDArray[np.float32] | None) -> Window:
    """The smallest box of the scan's voxels, as it was placed, that surely holds all of the processed grid."""
    low, high = np.array(record.grid.origin_mm), np.add(record.grid.origin_mm, record.grid.extent_mm)
    if flatten_mm is not None:
        low[2], high[2] = low[2] + flatten_mm.min(), high[2] + flatten_mm.max()
    bending = record.transform.displacement
    if bending is not None:
        furthest = np.abs(bending.shifts).max(axis=(0, 1, 2))
        low, high = low - furthest, high + furthest
    ends = np.stack([low, high])
    corners = np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1).reshape(-1, 3)
    in_scan = Transform(record.transform.matrix).apply(corners)
    voxels = Transform(inverse_of(record.scan_affine)).apply(in_scan)
    first = np.clip(np.floor(voxels.min(axis=0)), 0, record.scan_shape).astype(int)
    last = np.clip(np.ceil(voxels.max(axis=0)) + 1, 0, record.scan_shape).astype(int)
    if (first >= last).any():
        raise DataError("the processed grid lies outside the scan; the stored placement is of another eye")
    x, y, z = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return x, y, z


def _undone_bending(record: PlacementRecord, window: Window) -> Displacement | None:
    """What has to be added, in the target frame, to the inverse of the matrix alone; over `window`, in its frame."""
    if record.transform.displacement is None:
        return None
    box = scan_box(record.scan_shape, record.scan_affine)
    first = np.array([part.start for part in window])
    length = np.array([part.stop - part.start for part in window]) * box.spacing
    counts = np.ceil(length / LATTICE_MM).astype(int) + 1
    x, y, z = map(float, np.asarray(box.origin_mm) + first * box.spacing)
    dx, dy, dz = map(float, length / (counts - 1))
    lattice = Displacement(np.zeros((*counts, 3)), (x, y, z), (dx, dy, dz))
    nodes = lattice.nodes()
    back = record.transform.invert_points(nodes) - Transform(record.transform.matrix).inverse().apply(nodes)
    return replace(lattice, shifts=back.reshape(*counts, 3))


def _restore_aligned(array: NDArray, record: PlacementRecord, *, labels: bool) -> NDArray:
    """Where rows of voxels stay rows: axis by axis."""
    way = inverse_of(record.grid.affine) @ record.transform.inverse().matrix @ record.scan_affine
    positions = [way[axis, axis] * np.arange(n) + way[axis, 3] for axis, n in enumerate(record.scan_shape)]
    if record.mirrored:
        positions[0] = positions[0][::-1]
    within = [(p > -0.5) & (p < n - 0.5) for p, n in zip(positions, array.shape, strict=True)]
    if not labels:
        pairs = zip(array.shape, positions, within, strict=True)
        return resample_axes(array, [(linear_weights(n, p) * w[:, None]).astype(np.float32) for n, p, w in pairs])
    out = np.zeros(record.scan_shape, array.dtype, order="F")
    picks = [np.rint(p[w]).astype(np.intp) for p, w in zip(positions, within, strict=True)]
    out[np.ix_(*within)] = np.asarray(array)[np.ix_(*picks)]
    return out


def _restore_volume(array: NDArray, way: _WayBack, *, labels: bool) -> NDArray:
    """Voxel by voxel, as many of the scan's slices at a time as fit in a block."""
    record = way.record
    out = np.zeros(record.scan_shape, array.dtype if labels else np.float32, order="F")
    placed = out[::-1] if record.mirrored else out
    xs, ys, _ = way.window
    x, y = np.ogrid[xs.start : xs.stop, ys.start : ys.stop]
    for slices in _pieces(way.window[2], max(1, BLOCK_POINTS // (x.size * y.size))):
        index = way(x[..., None], y[..., None], np.arange(slices.start, slices.stop, dtype=float))
        placed[xs, ys, slices] = _sample(array, index, labels=labels).reshape(x.size, y.size, -1)
    return out


def _restore_planes(array: NDArray, way: _WayBack, *, labels: bool) -> NDArray:
    """En-face maps ``[x, y, plane]``: each column at the depth at which `placement.place_plane` looked at the scan."""
    record = way.record
    x, y = np.meshgrid(*(np.arange(n, dtype=float) for n in record.scan_shape[:2]), indexing="ij")
    middle = (record.grid_shape[2] - 1) / 2
    step = record.grid.spacing[2] * record.transform.matrix[2, 2] / record.scan_affine[2, 2]
    depth = np.full(x.shape, record.scan_shape[2] / 2)
    for _ in range(MAX_ROUNDS):
        index = way(x, y, depth)
        missing = middle - index[2].reshape(x.shape)
        if np.abs(missing).max() < SETTLED_VOXELS:
            break
        depth += step * missing
    else:
        raise DataError("the en-face maps cannot be followed back through the transform; register the eye anew")
    planes = [_sample(plane, index[:2], labels=labels) for plane in np.moveaxis(array, 2, 0)]
    stack = np.stack(planes, axis=1).reshape(*x.shape, -1)
    return stack[::-1] if record.mirrored else stack


def _sample(array: NDArray, index: NDArray[np.float64], *, labels: bool) -> NDArray:
    """`array` at `index` ``(axes, N)``, linear or nearest; the rim's value half a voxel beyond it, then zero."""
    within = inside(index, array.shape)
    if labels:
        pairs = zip(index, array.shape, strict=True)
        nearest = tuple(np.clip(np.rint(i), 0, n - 1).astype(np.intp) for i, n in pairs)
        return np.where(within, array[nearest], array.dtype.type(0))
    return map_coordinates(array, index, output=np.float32, order=1, mode="nearest") * within


def _pieces(whole: slice, size: int) -> Iterator[slice]:
    for start in range(whole.start, whole.stop, size):
        yield slice(start, min(start + size, whole.stop))

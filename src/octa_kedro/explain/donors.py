"""What tissue is replaced by: a healthy donor's, warped so that its layers lie on the eye's."""

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.slabs import slab_mask, surface_plane

ENDS = ("ILM", "BM")
"""Surfaces that both eyes must have: what lies beyond them is moved with them, neither stretched nor compressed."""


def donor_replacement(
    eye: Volume,
    surfaces: PlaneStack,
    donor: Volume,
    donor_surfaces: PlaneStack,
    *,
    mask_slab: str | None = None,
) -> NDArray[np.float32]:
    """The eye ``[x, y, z]`` with its tissue replaced by the donor's at the same A-scan, warped along depth so that
    the donor's surfaces lie on the eye's.

    Depth is mapped linearly between each two neighbouring surfaces that both eyes have, ILM to BM. Only voxels inside
    `mask_slab` (of a processed eye: `processing.mask_slab`; None is the whole scan) are replaced, and only from
    voxels inside the donor's; all other voxels, and A-scans where the donor has no tissue, keep the eye's values.
    Both eyes have to be on grids of the same shape and lateral voxel size; what was mirrored for one has to be mirrored
    for the other. DataError where that is not so, or where a surface is missing or not finite.
    """
    _require_same_grid(eye, donor)
    names = _common_names(surfaces, donor_surfaces)
    target, source = _ordered_depths(surfaces, names), _ordered_depths(donor_surfaces, names)
    inside, available = (_mask(one, its, mask_slab) for one, its in ((eye, surfaces), (donor, donor_surfaces)))
    depth_mm = _depths(eye)
    result = np.array(eye.array, np.float32)
    tissue = np.asarray(donor.array, np.float32)
    for x in range(len(result)):  # one B-scan at a time, so that memory stays small
        wanted_mm = warp_depths(depth_mm, target[x], source[x])
        index = (wanted_mm - donor.grid_affine[2, 3]) / donor.grid_affine[2, 2]
        values, known = _sample_columns(tissue[x], available[x], index)
        replaced = inside[x] & known[:, None]
        result[x][replaced] = values[replaced]
    return result


def warp_depths(depth_mm: NDArray, target: NDArray, source: NDArray) -> NDArray[np.float64]:
    """Depths ``(A, Z)`` in the donor that depths `depth_mm` ``(Z,)`` of the eye correspond to.

    `target` and `source` ``(A, S)`` are the depths of the same S surfaces in the eye and in the donor, in rising order.
    Piecewise linear between surfaces; above the first and below the last the distance to it is kept. Where two
    surfaces of the eye coincide, the donor's layer between them is skipped.
    """
    warped = source[:, :1] + np.minimum(depth_mm - target[:, :1], 0)
    for upper in range(target.shape[1] - 1):
        top, height = target[:, upper, None], np.diff(target[:, upper : upper + 2])
        below = depth_mm - top
        share = np.where(height > 0, below / np.where(height > 0, height, 1), below >= 0)
        warped = warped + np.clip(share, 0, 1) * np.diff(source[:, upper : upper + 2])
    return warped + np.maximum(depth_mm - target[:, -1:], 0)


def require_usable_surfaces(surfaces: PlaneStack) -> None:
    """DataError unless `surfaces` reach from ILM to BM, without gaps and in order."""
    _ordered_depths(surfaces, _common_names(surfaces, surfaces))


def _sample_columns(
    rows: NDArray[np.float32], available: NDArray[np.bool_], index: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Columns ``(A, Z)`` linearly interpolated at `index` ``(A, Z)``, and which columns have anything `available`.

    Beyond a column's first and last available voxel their value holds: what lies there is no tissue.
    """
    depth = rows.shape[1]
    first = np.argmax(available, axis=1)[:, None]
    last = depth - 1 - np.argmax(available[:, ::-1], axis=1)[:, None]
    position = np.clip(index, first, last)
    low = np.minimum(position.astype(int), depth - 1)
    high = np.minimum(low + 1, last)
    above, below = np.take_along_axis(rows, low, 1), np.take_along_axis(rows, high, 1)
    return (above + (position - low) * (below - above)).astype(np.float32), np.asarray(available.any(axis=1))


def _mask(volume: Volume, surfaces: PlaneStack | None, slab: str | None) -> NDArray[np.bool_]:
    shape: tuple[int, int, int] = volume.array.shape
    if slab is None:
        return np.ones(shape, bool)
    if surfaces is None:
        raise DataError(f"{volume.source}: the mask {slab} needs the eye's surfaces; supply them or use no mask")
    return slab_mask(surfaces, slab, shape, volume.grid_affine)


def _depths(volume: Volume) -> NDArray[np.float64]:
    return volume.grid_affine[2, 2] * np.arange(volume.array.shape[2]) + volume.grid_affine[2, 3]


def _common_names(surfaces: PlaneStack, donor: PlaneStack) -> tuple[str, ...]:
    for one in (surfaces, donor):
        for name in ENDS:
            surface_plane(one, name, who="replacement by a donor's tissue")
    between = [name for name in surfaces.names if name in donor.names and name not in ENDS]
    return (ENDS[0], *between, ENDS[1])


def _ordered_depths(surfaces: PlaneStack, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Depths ``[x, y, surface]`` of `names`, none above the one before it; those between the ends stay between them."""
    depths = surfaces.only(names).array.astype(np.float64)
    if not np.isfinite(depths).all():
        raise DataError(f"{surfaces.source}: a surface has gaps; fill them, or choose another eye")
    if (np.median(np.diff(depths, axis=2), axis=(0, 1)) < 0).any():
        raise DataError(f"{surfaces.source}: surfaces {', '.join(names)} do not follow each other from ILM to BM")
    return np.minimum(np.maximum.accumulate(depths, axis=2), np.maximum(depths[..., -1:], depths[..., :1]))


def _require_same_grid(eye: Volume, donor: Volume) -> None:
    same_voxels = np.allclose(eye.spacing[:2], donor.spacing[:2], rtol=1e-3)
    if eye.array.shape[:2] != donor.array.shape[:2] or not same_voxels:
        raise DataError(
            f"{donor.source}: a donor of {donor.array.shape[:2]} A-scans every {donor.spacing[0]:.4f} x "
            f"{donor.spacing[1]:.4f} mm, but {eye.source} has {eye.array.shape[:2]} every {eye.spacing[0]:.4f} x "
            f"{eye.spacing[1]:.4f}; process both with the same grid"
        )

"""How deep a slab reaches in each eye: the table by which the depth of the crop is chosen."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.volume import PlaneStack
from octa_kedro.preprocessing.slabs import slab_edges
from octa_kedro.results.config import OnError
from octa_kedro.results.guard import each_eye, tell_left_out

EDGE_PERCENT = 1.0
"""So many percent of the A-scans may reach above the first and as many below the last depth of a slab: a few are
wrong in most eyes."""
HEIGHT_COLUMNS = (
    "subject", "first_mm", "last_mm", "centre_mm", "needed_mm",
    "first_voxel", "last_voxel", "centre_voxel", "needed_voxels", "fits",
)  # fmt: skip


def tabulate_heights(
    surfaces: Mapping[str, Callable[[], PlaneStack]],
    slab: str = "ILM_BM",
    *,
    field_mm: tuple[float, float] | None = None,
    depth_mm: float | None = None,
    on_error: OnError = "stop",
) -> pd.DataFrame:
    """One row of HEIGHT_COLUMNS per eye, over the centre `field_mm` of its scan (None: all of it); `surfaces` are read
    one eye after the other.

    First and last are the 1st percentile of the slab's upper and the 99th of its lower edge, the centre is the
    median of its middle, and `needed` is the height round the centre that holds first and last. An eye fits if that
    is no more than `depth_mm` (None: always). Voxels are those of the eye's own scan, counted from 0.
    """
    rows = each_eye(surfaces, lambda subject: _row(subject, surfaces[subject](), slab, field_mm, depth_mm), on_error)
    tell_left_out(rows.failed, "the table of heights")
    return pd.DataFrame([*rows.done.values()], columns=list(HEIGHT_COLUMNS))


def slab_centre_mm(surfaces: PlaneStack, slab: str, field_mm: tuple[float, float] | None) -> float:
    """Median depth of the slab's middle over the centre `field_mm` of the scan (None: all of it), in millimetres.

    DataError if that is no number: an A-scan without a depth must not move an eye out of its grid."""
    top, bottom = (edge[_centre(surfaces, field_mm)] for edge in slab_edges(surfaces, slab))
    centre = float(np.median((top + bottom) / 2))
    if not np.isfinite(centre):
        raise DataError(f"{surfaces.source}: slab {slab} has A-scans without a depth; check its surfaces")
    return centre


def misfits(heights: pd.DataFrame) -> list[str]:
    """Subjects whose slab does not fit into the depth that `heights` was made for."""
    return heights.loc[~heights["fits"].astype(bool), "subject"].tolist()


def describe_misfits(heights: pd.DataFrame, depth_mm: float) -> str:
    """A warning that names the eyes that do not fit into `depth_mm` and the depth that would do; empty if all fit."""
    names = misfits(heights)
    if not names:
        return ""
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return (
        f"{len(names)} of {len(heights)} eyes reach beyond the {depth_mm:g} mm of depth that are kept: {shown}; "
        f"{heights['needed_mm'].max():.2f} mm would hold all"
    )


def _row(
    subject: str, surfaces: PlaneStack, slab: str, field_mm: tuple[float, float] | None, depth_mm: float | None
) -> dict[str, object]:
    top, bottom = (edge[_centre(surfaces, field_mm)] for edge in slab_edges(surfaces, slab))
    if not (np.isfinite(top).all() and np.isfinite(bottom).all()):
        if slab == "FULL":
            raise ConfigError("slab FULL has no height of its own; choose one between two surfaces")
        raise DataError(f"subject {subject}: slab {slab} has A-scans without a depth; check its surfaces")
    first, last = float(np.percentile(top, EDGE_PERCENT)), float(np.percentile(bottom, 100 - EDGE_PERCENT))
    centre = slab_centre_mm(surfaces, slab, field_mm)
    needed = 2 * max(centre - first, last - centre)
    step, start = float(surfaces.grid_affine[2, 2]), float(surfaces.grid_affine[2, 3])
    voxels = [(depth - start) / step for depth in (first, last, centre)]
    fits = depth_mm is None or needed <= depth_mm
    return dict(zip(HEIGHT_COLUMNS, (subject, first, last, centre, needed, *voxels, needed / step, fits), strict=True))


def _centre(surfaces: PlaneStack, field_mm: tuple[float, float] | None) -> tuple[NDArray[np.intp], ...]:
    """Index of the A-scans whose centre lies in the middle `field_mm` of the scan."""
    sizes, spacing = surfaces.array.shape[:2], np.diag(surfaces.grid_affine)[:2]
    picks = []
    for size, step, field in zip(sizes, spacing, field_mm or (np.inf, np.inf), strict=True):
        from_middle = np.abs((np.arange(size) - (size - 1) / 2) * step)
        picks.append(np.flatnonzero(from_middle <= field / 2))
    return np.ix_(*picks)

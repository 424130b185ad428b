"""Slabs of the retina by name: which surfaces bound each, and which voxels lie inside."""

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.volume import PlaneStack
from octa_kedro.preprocessing.projection import TIE


@dataclass(frozen=True)
class Slab:
    """What lies between two surfaces, each moved into the eye by so many micrometres; None is the scan's end."""

    upper: str | None
    lower: str | None
    upper_um: float = 0.0
    lower_um: float = 0.0


# The vascular slabs end on the anatomical borders: devices add offsets of 5 to 15 um, each maker its own.
_SUPERFICIAL = Slab("ILM", "IPL_INL")  # nerve fibres, ganglion cells, inner plexiform layer
_DEEP = Slab("IPL_INL", "OPL_ONL")  # the plexuses on both sides of the inner nuclear layer

SLABS: dict[str, Slab] = {
    "SVP": _SUPERFICIAL,
    "SRL": _SUPERFICIAL,
    "DVP": _DEEP,
    "DRL": _DEEP,
    # without vessels in a healthy eye: below the outer plexiform layer, the epithelium included, as OCTA-500's OPL_BM
    "outer_retina": Slab("OPL_ONL", "BM"),
    # one layer of capillaries right under BM, together with the blur of a scan's depth resolution
    "choriocapillaris": Slab("BM", "BM", 0.0, 30.0),
    "ILM_OPL": Slab("ILM", "OPL_ONL"),
    "OPL_BM": Slab("OPL_ONL", "BM"),
    "ILM_BM": Slab("ILM", "BM"),
    "FULL": Slab(None, None),
}
"""SRL and DRL are other names of SVP and DVP. ILM_OPL, OPL_BM and FULL are the projections OCTA-500 comes with."""


def find_slab(name: str) -> Slab:
    """The slab called `name`; ConfigError suggests the nearest names."""
    if name in SLABS:
        return SLABS[name]
    folded = {known.casefold(): known for known in SLABS}
    near = [folded[match] for match in get_close_matches(name.casefold(), folded, n=2, cutoff=0.5)]
    guess = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(SLABS)}"
    raise ConfigError(f"slab {name!r} is unknown; {guess}")


def slab_edges(surfaces: PlaneStack, slab: str) -> tuple[NDArray, NDArray]:
    """Depths in millimetres ``[x, y]`` between which `slab` lies: upper edge inside, lower edge outside.

    The end of the scan is minus or plus infinity, which `project_mean` and `slab_mask` clip to the voxels there
    are. DataError names a surface that the eye lacks.
    """
    bounds = find_slab(slab)
    top = _edge(surfaces, bounds.upper, bounds.upper_um, -np.inf, slab)
    return top, _edge(surfaces, bounds.lower, bounds.lower_um, np.inf, slab)


def slab_mask(
    surfaces: PlaneStack, slab: str, shape: tuple[int, int, int], affine: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which voxels ``[x, y, z]`` of a scan of `shape` have their centre inside `slab`; `surfaces` are on its
    A-scans."""
    if surfaces.array.shape[:2] != shape[:2]:
        raise DataError(
            f"{surfaces.source}: surfaces of {surfaces.array.shape[:2]} A-scans, but the scan has {shape[:2]}; "
            "resample them together"
        )
    depth_mm = affine[2, 2] * np.arange(shape[2]) + affine[2, 3]
    top, bottom = slab_edges(surfaces, slab)
    tie = TIE * affine[2, 2]  # as in `project_mean`
    return (depth_mm >= top[..., None] - tie) & (depth_mm < bottom[..., None] - tie)


def remove_stray(mask: NDArray, gap_voxels: int = 10) -> NDArray:
    """`mask` ``[x, y, z]`` without what lies below a gap: going down each column, the first voxel that is more than
    `gap_voxels` deeper than the one before it is removed, with all below it."""
    kept = np.zeros_like(mask)
    depth = np.arange(mask.shape[2], dtype=np.int32)
    for x, column in enumerate(mask):  # one B-scan's worth at a time: depth indices of a whole scan need 400 MB
        there = column != 0
        last = np.maximum.accumulate(np.where(there, depth, np.int32(-1)), axis=1)
        before = np.pad(last[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
        stray = there & (before >= 0) & (depth - before > gap_voxels)
        kept[x] = np.where(np.logical_or.accumulate(stray, axis=1), 0, column)
    return kept


def surface_plane(surfaces: PlaneStack, name: str, *, who: str) -> NDArray:
    """Depths ``[x, y]`` of surface `name`; DataError says that `who` needs it, and what there is."""
    if name not in surfaces.names:
        raise DataError(
            f"{surfaces.source}: {who} needs surface {name}, but there are only {', '.join(surfaces.names)}; supply "
            "it, or remove the layer file so that surfaces are estimated"
        )
    return surfaces.plane(name)


def _edge(surfaces: PlaneStack, name: str | None, offset_um: float, end: float, slab: str) -> NDArray:
    if name is None:
        return np.full(surfaces.array.shape[:2], end)
    plane = surface_plane(surfaces, name, who=f"slab {slab}")
    return plane + offset_um / 1000 if offset_um else plane

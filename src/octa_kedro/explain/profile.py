"""At which depth, and in which slab of the retina, the evidence of a 3D map lies."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.projection import TIE

EDGES = ("ILM", "IPL_INL", "OPL_ONL", "BM")
SLAB_NAMES = ("above ILM", "ILM-IPL", "IPL-OPL", "OPL-BM", "below BM")
"""The slabs that the surfaces `EDGES` divide a scan into, from the vitreous to the choroid."""
UNKNOWN = len(SLAB_NAMES)


@dataclass(frozen=True)
class SlabEvidence:
    """Per slab of `SLAB_NAMES`: `share` of the map's sum, `mean` per voxel in the map's unit, and `volume`, the
    slab's share of the voxels, which `share` equals where a map is even.

    NaN: a slab that one of its surfaces is missing for; `share` of an empty map; `mean` of a slab without voxels.
    `unknown` is the share of the map's sum in A-scans without surfaces and in slabs that are NaN.
    """

    share: NDArray[np.float64]
    mean: NDArray[np.float64]
    volume: NDArray[np.float64]
    unknown: float


@dataclass(frozen=True)
class DepthEvidence:
    """Per depth, in steps of one voxel: `share` of the map's sum, and `mean` per voxel in the map's unit.

    `depth_um` counts from `zero`, downwards: from each A-scan's own ILM or, without surfaces, from the first
    voxel's centre. `voxels` is how many voxels of the eye lie at that depth.
    """

    zero: Literal["ILM", "first voxel"]
    depth_um: NDArray[np.float64]
    share: NDArray[np.float64]
    mean: NDArray[np.float64]
    voxels: NDArray[np.int64]


def slab_labels(surfaces: PlaneStack | None, like: Volume) -> NDArray[np.uint8]:
    """The slab of each voxel ``[x, y, z]`` of `like`, as an index of `SLAB_NAMES`, or `UNKNOWN`.

    Borders are those of `preprocessing.slabs.slab_mask`: a voxel belongs where its centre is, a centre on a surface
    belongs below it. UNKNOWN are the slabs that a surface is missing for, and A-scans in which one is NaN.
    DataError if `surfaces` have other A-scans than `like`.
    """
    labels = np.full(like.array.shape, UNKNOWN, np.uint8)
    known = () if surfaces is None else tuple(name for name in EDGES if name in surfaces.names)
    if surfaces is None or not known:
        return labels
    _require_same(surfaces, like)
    edges = np.stack([surfaces.plane(name) for name in known], axis=2).astype(float)
    depth, tie = _depth_mm(like), TIE * like.grid_affine[2, 2]
    # How many of the known surfaces lie above a voxel says between which two of them it is.
    above = np.zeros(like.array.shape, np.uint8)
    for k in range(len(known)):
        above += depth >= edges[:, :, k, None] - tie
    bounds = [-1, *(EDGES.index(name) for name in known), len(EDGES)]
    for count, (upper, lower) in enumerate(pairwise(bounds)):
        if lower == upper + 1:
            labels[above == count] = lower
    labels[~np.isfinite(edges).all(axis=2)] = UNKNOWN
    return labels


def evidence_by_slab(heat: Volume, surfaces: PlaneStack | None) -> SlabEvidence:
    """How the evidence of a raw map is divided among the slabs; all NaN where no surface is known."""
    labels = slab_labels(surfaces, heat).ravel()
    n = UNKNOWN + 1
    sums = np.bincount(labels, weights=heat.array.ravel().astype(float), minlength=n)
    voxels = np.bincount(labels, minlength=n)
    named = _slabs_with_both_edges(surfaces)
    total = float(sums.sum())
    share = np.where(named, sums[:UNKNOWN] / total, np.nan) if total > 0 else np.full(UNKNOWN, np.nan)
    return SlabEvidence(
        share,
        np.where(named, _ratio(sums, voxels)[:UNKNOWN], np.nan),
        np.where(named, voxels[:UNKNOWN] / heat.array.size, np.nan),
        float(sums[UNKNOWN] / total) if total > 0 else math.nan,
    )


def evidence_by_depth(heat: Volume, surfaces: PlaneStack | None) -> DepthEvidence:
    """The evidence of a raw map at each depth below the ILM; A-scans whose ILM is NaN count nowhere.

    Without an ILM, depth counts from the first voxel; see `zero` of the result. `share` is NaN for an empty map,
    and `mean` at depths without a voxel.
    """
    step = heat.grid_affine[2, 2]
    index = np.broadcast_to(np.arange(heat.array.shape[2]), heat.array.shape)
    has_ilm = surfaces is not None and "ILM" in surfaces.names
    if surfaces is not None and has_ilm:
        _require_same(surfaces, heat)
        ilm = surfaces.plane("ILM")
        known = np.isfinite(ilm)
        offset = np.rint((heat.grid_affine[2, 3] - ilm[known]) / step).astype(int)
        index, values = index[known] + offset[:, None], heat.array[known]
    else:
        values = heat.array
    if not index.size:
        raise DataError(f"{heat.source or 'map'}: its ILM is unknown in every A-scan; supply surfaces, or none")
    first = int(index.min())
    places = (index - first).ravel()
    sums, voxels = np.bincount(places, weights=values.ravel().astype(float)), np.bincount(places)
    total = float(heat.array.sum(dtype=float))
    return DepthEvidence(
        "ILM" if has_ilm else "first voxel",
        1000 * step * (first + np.arange(len(sums))),
        sums / total if total > 0 else np.full(len(sums), np.nan),
        _ratio(sums, voxels),
        voxels,
    )


def slab_at(surfaces: PlaneStack | None, like: Volume, voxel: tuple[int, int, int]) -> str:
    """The name of the slab that a voxel lies in, or "" where that is unknown."""
    label = int(slab_labels(surfaces, like)[voxel])
    return "" if label == UNKNOWN else SLAB_NAMES[label]


def _slabs_with_both_edges(surfaces: PlaneStack | None) -> NDArray[np.bool_]:
    known = [surfaces is not None and name in surfaces.names for name in EDGES]
    return np.array([upper and lower for upper, lower in pairwise([known[0], *known, known[-1]])])


def _depth_mm(like: Volume) -> NDArray[np.float64]:
    return like.grid_affine[2, 2] * np.arange(like.array.shape[2]) + like.grid_affine[2, 3]


def _require_same(surfaces: PlaneStack, like: Volume) -> None:
    if surfaces.array.shape[:2] != like.array.shape[:2]:
        raise DataError(
            f"{surfaces.source}: surfaces of {surfaces.array.shape[:2]} A-scans, but the map has "
            f"{like.array.shape[:2]}; resample them together"
        )


def _ratio(sums: NDArray, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

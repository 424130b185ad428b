"""Does a 3D map point at the lesion: in depth, and voxel by voxel? Scores of ONE map against ONE mask."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.explain.overlap import Mask, otsu_threshold, overlap_scores, scale_to_unit, voxel_precision
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.slabs import slab_edges, slab_mask

RETINA = "ILM_BM"
SAME_PLACE_MM = 1e-3
"""Affines that differ by less than this are the same: NIfTI stores them in single precision."""
PLATEAU = 1e-6
"""Values within this share of the maximum belong to its plateau."""

SCORE_COLUMNS = (
    "peak_x_mm", "peak_y_mm", "peak_z_mm", "peak_below_ilm_mm", "peak_value", "plateau_voxels",
    "peak_in_slab", "slab_share_of_retina", "centre_in_slab", "mass_in_slab",
    "peak_in_lesion", "mass_in_lesion", "lesion_share_of_grid", "lesion_mm3", "lesion_outside_retina",
    "voxel_ap", "prevalence", "otsu", "iou_otsu", "dice_otsu", "ioa_otsu", "wioa_otsu",
)  # fmt: skip


def peak_voxel(array: NDArray, spacing: tuple[float, ...] | None = None) -> tuple[int, ...]:
    """Index of the map's maximum; of several equal ones (a plateau), the one nearest to their centroid.

    `spacing` are the voxels' edges in millimetres, in which that distance is measured. An up-sampled map of a coarse
    layer ends in plateaus at the borders, of which the first voxel would be a corner.
    """
    top = float(array.max())
    tied = np.argwhere(array >= top - PLATEAU * abs(top))
    places = tied * np.asarray(spacing or (1.0,) * array.ndim)
    distance = ((places - places.mean(axis=0)) ** 2).sum(axis=1)
    # Rounded, so that of voxels equally far off the first is taken on every machine.
    return tuple(int(i) for i in tied[int(np.argmin(distance.round(9)))])


def score_map(
    heat: Volume, surfaces: PlaneStack | None, lesion: Volume | None, slab: str | None, *, subject: str = ""
) -> dict[str, float]:
    """Scores of one raw map, SCORE_COLUMNS; what cannot be said (no lesion, no surfaces, an empty map) is NaN.

    Depth hit (`peak_in_slab`): the peak lies in the lesion's `slab`; its chance levels are the slab's share of the
    retina between ILM and BM, and whether the grid's very centre would have hit (a centre prior). Pointing game
    (`peak_in_lesion`): the peak lies in the lesion (Zhang et al. 2018, doi 10.1007/s11263-017-1059-x). `mass_in_slab`
    and `mass_in_lesion`: the share of the map's sum inside. `voxel_ap` and its chance level `prevalence` are over
    `scored_voxels`; `lesion_outside_retina` is the share of the lesion that is not between ILM and BM, NaN where
    there are no surfaces. `otsu` is a threshold of the map scaled to [0, 1], the scores after it are those at it
    (`overlap_scores`), over the whole grid.

    DataError names `subject` where the mask or the surfaces are on another grid than the map, where the mask holds
    anything but whole numbers, and for a map with values that are negative or not finite.
    """
    who = subject or heat.source or "map"
    check_map(heat, who)
    scores = dict.fromkeys(SCORE_COLUMNS, math.nan)
    scores["peak_value"] = float(heat.array.max())
    if surfaces is not None:
        _require_same_columns(heat, surfaces, who)
    mask = None if lesion is None else lesion_mask(heat, lesion, who)
    total = float(heat.array.sum(dtype=np.float64))
    if total <= 0:
        return scores
    peak = peak_voxel(heat.array, heat.spacing)
    x, y, z = (float(mm) for mm in (heat.affine @ [*peak, 1.0])[:3])
    scores |= {"peak_x_mm": x, "peak_y_mm": y, "peak_z_mm": z}
    top = scores["peak_value"]
    scores["plateau_voxels"] = float((heat.array >= top - PLATEAU * top).sum())
    if surfaces is not None:
        depth = float((heat.grid_affine @ [*peak, 1.0])[2])
        scores["peak_below_ilm_mm"] = depth - float(surfaces.plane("ILM")[peak[:2]])
        if slab is not None:
            scores |= _slab_scores(heat, surfaces, slab, peak, total)
    if mask is not None and mask.any():
        scores |= _lesion_scores(heat, surfaces, mask, peak, total)
    return scores


def score_findings(
    heat: Volume,
    surfaces: PlaneStack | None,
    lesion: Volume,
    names: Mapping[int, str] | None = None,
    *,
    subject: str = "",
) -> list[dict[str, Any]]:
    """Scores of one map for each value of its mask apart, one row each.

    A row: finding (its name in `names`, or the value as text), finding_mm3, voxel_ap, prevalence, peak_in_finding,
    mass_in_finding. Voxels of the eye's other findings are left out of AP and prevalence: a map that marks them is not
    wrong. An empty map has NaN. DataError as in `score_map`.
    """
    who = subject or heat.source or "map"
    check_map(heat, who)
    whole = lesion_mask(heat, lesion, who)
    domain = scored_voxels(heat, surfaces, whole)
    total = float(heat.array.sum(dtype=np.float64))
    peak = peak_voxel(heat.array, heat.spacing) if total > 0 else None
    rows = []
    for value in np.unique(lesion.array[whole]):
        mask = np.asarray(lesion.array) == value
        precision, prevalence = voxel_precision(heat.array, mask, domain & (mask | ~whole))
        rows.append(
            {
                "finding": (names or {}).get(int(value), str(int(value))),
                "finding_mm3": float(mask.sum() * math.prod(heat.spacing)),
                "voxel_ap": math.nan if peak is None else precision,
                "prevalence": prevalence,
                "peak_in_finding": math.nan if peak is None else float(mask[peak]),
                "mass_in_finding": math.nan if peak is None else float(heat.array[mask].sum(dtype=np.float64) / total),
            }
        )
    return rows


def scored_voxels(heat: Volume, surfaces: PlaneStack | None, lesion: Mask) -> Mask:
    """The voxels that a map ranks: those of the retina (ILM to BM), or the whole grid where no surfaces are known.

    Where the lesion reaches above ILM or below BM, all A-scans are taken as far beyond as it does at its farthest, so
    that no lesion voxel is lost and there are voxels beside it that could be marked wrongly.
    """
    if surfaces is None:
        return np.ones(heat.array.shape, bool)
    top, bottom = slab_edges(surfaces, RETINA)
    step, origin = heat.grid_affine[2, 2], heat.grid_affine[2, 3]
    depth = origin + step * np.arange(heat.array.shape[2])
    x, y, z = np.nonzero(lesion)
    above = max(float(np.nanmax(top[x, y] - depth[z], initial=0.0)), 0.0)
    below = max(float(np.nanmax(depth[z] - bottom[x, y], initial=0.0)), 0.0)
    tie = step / 100
    inside = (depth >= (top - above)[..., None] - tie) & (depth <= (bottom + below)[..., None] + tie)
    return inside | lesion  # A-scans whose surfaces are NaN keep their lesion


def check_map(heat: Volume, who: str) -> None:
    """DataError unless every value is finite and none is negative."""
    low = float(heat.array.min())
    if not (math.isfinite(low) and math.isfinite(float(heat.array.max()))):
        raise DataError(f"{who}: its map holds NaN or infinite values; make the map again")
    if low < 0:
        raise DataError(f"{who}: its map has negative values (lowest {low:g}); keep the positive part, then score it")


def lesion_mask(heat: Volume, lesion: Volume, who: str) -> Mask:
    """Which voxels are lesion; DataError if the mask is not on the map's grid or not of whole numbers."""
    if lesion.array.shape != heat.array.shape:
        raise DataError(
            f"{who}: its lesion mask has {lesion.array.shape} voxels, but its map {heat.array.shape}; process the mask "
            "with the volume, so that both are on one grid"
        )
    if not np.allclose(lesion.affine, heat.affine, atol=SAME_PLACE_MM):
        raise DataError(
            f"{who}: the voxels of its lesion mask lie elsewhere than those of its map (the affines differ); process "
            "the mask with the volume, or correct its header"
        )
    array = np.asarray(lesion.array)
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and (array == np.rint(array)).all()):
        raise DataError(f"{who}: its lesion mask holds values that are no whole numbers; give each finding a number")
    if (array < 0).any():
        raise DataError(f"{who}: its lesion mask has negative values; 0 is healthy, findings are 1, 2, ...")
    return array > 0


def _require_same_columns(heat: Volume, surfaces: PlaneStack, who: str) -> None:
    same_shape = surfaces.array.shape[:2] == heat.array.shape[:2]
    if not same_shape or not np.allclose(surfaces.grid_affine[:2], heat.grid_affine[:2], atol=SAME_PLACE_MM):
        raise DataError(f"{who}: its surfaces are not on the A-scans of its map; process them with the volume")


def _slab_scores(
    heat: Volume, surfaces: PlaneStack, slab: str, peak: tuple[int, ...], total: float
) -> dict[str, float]:
    nx, ny, nz = heat.array.shape
    inside, retina = (slab_mask(surfaces, name, (nx, ny, nz), heat.grid_affine) for name in (slab, RETINA))
    scores = {
        "peak_in_slab": float(inside[peak]),
        "centre_in_slab": float(inside[tuple(n // 2 for n in heat.array.shape)]),
        "mass_in_slab": float(heat.array[inside].sum(dtype=np.float64) / total),
    }
    if retina.any() and not (inside & ~retina).any():  # of a slab below BM it would be no chance level
        scores["slab_share_of_retina"] = float(inside.sum() / retina.sum())
    return scores


def _lesion_scores(
    heat: Volume, surfaces: PlaneStack | None, mask: Mask, peak: tuple[int, ...], total: float
) -> dict[str, float]:
    precision, prevalence = voxel_precision(heat.array, mask, scored_voxels(heat, surfaces, mask))
    scores = {
        "peak_in_lesion": float(mask[peak]),
        "mass_in_lesion": float(heat.array[mask].sum(dtype=np.float64) / total),
        "lesion_share_of_grid": float(mask.mean()),
        "lesion_mm3": float(mask.sum() * math.prod(heat.spacing)),
        "voxel_ap": precision,
        "prevalence": prevalence,
    }
    if surfaces is not None:
        nx, ny, nz = mask.shape
        retina = slab_mask(surfaces, RETINA, (nx, ny, nz), heat.grid_affine)
        scores["lesion_outside_retina"] = float((mask & ~retina).sum() / mask.sum())
    unit = scale_to_unit(heat.array)
    if unit is None:
        return scores
    scores["otsu"] = threshold = otsu_threshold(unit)
    return scores | {f"{name}_otsu": value for name, value in overlap_scores(unit, mask, threshold).items()}

"""Does a 3D map point at the lesion: in depth, and voxel by voxel?"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.evaluation.intervals import wilson_interval
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.slabs import slab_mask

SCORE_COLUMNS = (
    "peak_x_mm", "peak_y_mm", "peak_z_mm", "peak_below_ilm_mm", "peak_value",
    "peak_in_slab", "slab_share_of_retina", "centre_in_slab", "mass_in_slab",
    "peak_in_lesion", "mass_in_lesion", "lesion_share_of_grid",
)  # fmt: skip
SUMMARY_COLUMNS = (
    "model", "part", "disease", "cell_depth_mm", "n", "hits", "rate", "low", "high",
    "chance_slab_share", "chance_centre_prior", "mean_mass_in_lesion", "mean_lesion_share",
)  # fmt: skip


def peak_voxel(array: NDArray) -> tuple[int, ...]:
    """Index of the map's maximum."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(array)), array.shape))


def score_map(heat: Volume, surfaces: PlaneStack | None, lesion: Volume | None, slab: str | None) -> dict[str, float]:
    """Scores of one raw map; what cannot be said (no lesion, no surfaces, an empty map) is NaN.

    Depth hit: the peak lies in the lesion's `slab`; its chance levels are the slab's share of the retina
    between ILM and BM, and whether the grid's very centre would have hit (a centre prior). Mass: the share
    of the map's sum inside the slab, or inside the lesion mask.
    """
    scores = dict.fromkeys(SCORE_COLUMNS, math.nan)
    total = float(heat.array.sum())
    scores["peak_value"] = float(heat.array.max())
    if total <= 0:
        return scores
    peak = peak_voxel(heat.array)
    x, y, z = (heat.affine @ [*peak, 1.0])[:3]
    scores |= {"peak_x_mm": x, "peak_y_mm": y, "peak_z_mm": z}
    if surfaces is not None:
        scores["peak_below_ilm_mm"] = z - float(surfaces.plane("ILM")[peak[:2]])
    if surfaces is not None and slab is not None:
        nx, ny, nz = heat.array.shape
        inside, retina = (slab_mask(surfaces, name, (nx, ny, nz), heat.affine) for name in (slab, "ILM_BM"))
        centre = tuple(n // 2 for n in heat.array.shape)
        scores["peak_in_slab"] = float(inside[peak])
        if retina.any() and not (inside & ~retina).any():  # of a slab below BM it would be no chance level
            scores["slab_share_of_retina"] = float(inside.sum() / retina.sum())
        scores["centre_in_slab"] = float(inside[centre])
        scores["mass_in_slab"] = float(heat.array[inside].sum() / total)
    if lesion is not None and lesion.array.any():
        mask = np.asarray(lesion.array) > 0
        scores["peak_in_lesion"] = float(mask[peak])
        scores["mass_in_lesion"] = float(heat.array[mask].sum() / total)
        scores["lesion_share_of_grid"] = float(mask.mean())
    return scores


def summarise_hits(scores: pd.DataFrame, cell_depth_mm: Mapping[str, float]) -> pd.DataFrame:
    """Depth hits of correctly classified diseased eyes, per model, part and disease, and both parts pooled.

    Columns: SUMMARY_COLUMNS, where low and high are Wilson's 95 % interval of the rate. Eyes without a slab to
    hit are left out, and a group without eyes has no row: it is never reported as 0.
    """
    usable = scores[scores["correct"] & (scores["target"] == 1) & scores["peak_in_slab"].notna()]
    rows: list[dict[str, Any]] = []
    pooled = usable.assign(part="all")
    for (model, part, disease), group in pd.concat([usable, pooled]).groupby(["model", "part", "disease"], sort=True):
        hits, n = int(group["peak_in_slab"].sum()), len(group)
        low, high = wilson_interval(hits, n)
        cell = cell_depth_mm.get(str(model), math.nan)
        rows.append(
            {
                "model": model, "part": part, "disease": disease, "cell_depth_mm": cell,
                "n": n, "hits": hits, "rate": hits / n, "low": low, "high": high,
                "chance_slab_share": group["slab_share_of_retina"].mean(),
                "chance_centre_prior": group["centre_in_slab"].mean(),
                "mean_mass_in_lesion": group["mass_in_lesion"].mean(),
                "mean_lesion_share": group["lesion_share_of_grid"].mean(),
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def format_hits(summary: pd.DataFrame) -> str:
    """The summary as lines to read: rate, n, interval, chance levels and cell size together."""
    if summary.empty:
        return "no correctly classified diseased eye has a slab to hit: nothing to score"
    lines = []
    for row in summary.to_dict("records"):
        lines.append(
            f"{row['model']}, {row['disease']}, {row['part']}: peak in the lesion's slab in {row['hits']} "
            f"of {row['n']} correctly classified eyes, {row['rate']:.2f} [{row['low']:.2f}, {row['high']:.2f}]; chance "
            f"{row['chance_slab_share']:.2f} (slab's share of the retina), {row['chance_centre_prior']:.2f} (centre of "
            f"the grid); cells {row['cell_depth_mm']:.3f} mm deep"
        )
    return "\n".join(lines)

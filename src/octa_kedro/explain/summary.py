"""Scores of many eyes put together: per model, method, part and disease, by finding and by lesion size."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from octa_kedro.evaluation.intervals import mean_interval
from octa_kedro.evaluation.predictions import patients_behind
from octa_kedro.evaluation.proportions import proportion_interval
from octa_kedro.explain.scoring import MAP
from octa_kedro.explain.target import EXPLAINED, PREDICTED
from octa_kedro.explain.verdict import NO_VERDICT, judge

MEANS = ("voxel_ap", "mass_in_lesion", "iou_otsu", "dice_otsu", "ioa_otsu", "wioa_otsu", "iou_chosen", "dice_chosen")
"""Scores whose mean is given with an interval."""
WITH_INTERVALS = tuple(f"{name}{end}" for name in MEANS for end in ("", "_low", "_high"))
SUMMARY_COLUMNS = (
    "model", "method", "part", "disease", "cell_depth_mm", "eyes", "empty_maps",
    "n", "hits", "rate", "low", "high", "chance_slab_share", "chance_centre_prior",
    "n_lesion", "lesion_hits", "lesion_rate", "lesion_low", "lesion_high", "prevalence", "lesion_share_of_grid",
    *WITH_INTERVALS, "judged_by", "rival", "gain", "gain_low", "gain_high",
    "peak_rival", "peak_gain", "peak_gain_low", "peak_gain_high", "conclusion",
)  # fmt: skip
FINDING_COLUMNS = (
    "model", "method", "disease", "finding", "eyes", "hits", "rate", "low", "high",
    "voxel_ap", "voxel_ap_low", "voxel_ap_high", "prevalence", "mass_in_finding",
)  # fmt: skip
SIZES = ("small", "medium", "large")
SIZE_COLUMNS = ("model", "method", "disease", "size", "eyes", "from_mm3", "to_mm3", "hits", "rate", "low", "high",
                "voxel_ap", "voxel_ap_low", "voxel_ap_high", "prevalence")  # fmt: skip
POOLED = "all"
"""The part that both parts are pooled in."""


@dataclass(frozen=True)
class Bootstrap:
    """How intervals of means are drawn."""

    resamples: int = 2000
    seed: int = 0
    level: float = 0.95

    def mean(self, values: pd.Series, rows: pd.DataFrame) -> tuple[float, float, float]:
        """Mean, low and high of `values` of the eyes in `rows`, over patients."""
        return mean_interval(values, patients_behind(rows), resamples=self.resamples, seed=self.seed, level=self.level)


def summarise_hits(
    scores: pd.DataFrame,
    cell_depth_mm: Mapping[str, float],
    bootstrap: Bootstrap | None = None,
    *,
    target_class: int | str = 1,
) -> pd.DataFrame:
    """The scores of correctly classified eyes of the class with index `target_class`, which maps show evidence for, per
    model, method, part and disease, and both parts pooled. With PREDICTED, an eye counts if the class that its map
    explains (column `explained`) is its own. Evidence for the first, negative class marks no lesion: it is not scored.

    Columns: SUMMARY_COLUMNS. Of `n` eyes with a slab, `hits` peaks lay in it (rate, low, high), and of `n_lesion` eyes
    with a mask `lesion_hits` in the lesion, with or without a slab (lesion_rate, ...): Wilson's intervals. MEANS
    have bootstrap intervals over patients; those at a chosen threshold are over held-out eyes only. Rows of the
    network's own map carry the verdict of `verdict.judge`. An eye with neither slab nor mask is left out, and a group
    without eyes has no row: it is never reported as 0. So is an eye with an empty map; `empty_maps` counts these.
    """
    draw = bootstrap or Bootstrap()
    usable = _judged(scores, target_class)
    if usable.empty:
        return pd.DataFrame(columns=list(SUMMARY_COLUMNS))
    rows: list[dict[str, Any]] = []
    pooled = pd.concat([usable, usable.assign(part=POOLED)], ignore_index=True)
    empty = scores[explained_rightly(scores, target_class) & (scores["peak_value"] <= 0)]
    for (model, part, disease), group in pooled.groupby(["model", "part", "disease"], sort=True):
        for method in _map_first(group):
            chosen = group[group["method"] == method]
            own = method == MAP
            row: dict[str, Any] = {"model": model, "method": method, "part": part, "disease": disease}
            row |= {"cell_depth_mm": cell_depth_mm.get(str(model), math.nan) if own else math.nan}
            row["empty_maps"] = len(_matching(empty, row))
            row |= _hit_columns(chosen, draw.level) | _mean_columns(chosen, draw)
            rows.append(row | (judge(group, draw.mean, draw.level) if own else dict(NO_VERDICT)))
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def summarise_findings(
    findings: pd.DataFrame, bootstrap: Bootstrap | None = None, *, target_class: int | str = 1
) -> pd.DataFrame:
    """The scores by finding (`cohort.score_findings`) of the same eyes, per model, method, disease and finding, over
    both parts: FINDING_COLUMNS."""
    draw = bootstrap or Bootstrap()
    rows: list[dict[str, Any]] = []
    usable = findings[explained_rightly(findings, target_class)]
    for (model, method, disease, finding), group in usable.groupby(["model", "method", "disease", "finding"]):
        row = {"model": model, "method": method, "disease": disease, "finding": finding}
        row |= _proportion("peak_in_finding", group, ("eyes", "hits", "rate", "low", "high"), draw.level)
        row |= _with_interval("voxel_ap", group, draw)
        row |= {name: _mean(group, name) for name in ("prevalence", "mass_in_finding")}
        rows.append(row)
    return pd.DataFrame(rows, columns=list(FINDING_COLUMNS))


def summarise_sizes(
    scores: pd.DataFrame, bootstrap: Bootstrap | None = None, *, target_class: int | str = 1
) -> pd.DataFrame:
    """Pointing game and voxel AP by thirds of lesion volume within each disease, over both parts: SIZE_COLUMNS.

    Thirds are those of the eyes of the network's own map, so that all methods of a disease are judged on the same
    eyes. A disease with fewer than three eyes, or lesions of one size, is left out.
    """
    draw = bootstrap or Bootstrap()
    rows: list[dict[str, Any]] = []
    usable = _judged(scores, target_class)
    usable = usable[usable["lesion_mm3"].notna()] if len(usable) else usable
    for (model, disease), eyes in usable.groupby(["model", "disease"]):
        cuts = np.quantile(eyes.loc[eyes["method"] == MAP, "lesion_mm3"], [1 / 3, 2 / 3]) if len(eyes) else np.zeros(2)
        if eyes["subject"].nunique() < len(SIZES) or cuts[0] == cuts[1]:
            continue
        sizes = pd.Series(np.asarray(SIZES)[np.searchsorted(cuts, eyes["lesion_mm3"])], eyes.index)
        for method in _map_first(eyes):
            for size in SIZES:
                group = eyes[(eyes["method"] == method) & (sizes == size)]
                if group.empty:
                    continue
                row: dict[str, Any] = {"model": model, "method": method, "disease": disease, "size": size}
                row |= _proportion("peak_in_lesion", group, ("eyes", "hits", "rate", "low", "high"), draw.level)
                row |= {"from_mm3": group["lesion_mm3"].min(), "to_mm3": group["lesion_mm3"].max()}
                rows.append(row | _with_interval("voxel_ap", group, draw) | {"prevalence": _mean(group, "prevalence")})
    return pd.DataFrame(rows, columns=list(SIZE_COLUMNS))


def explained_rightly(rows: pd.DataFrame, target_class: int | str) -> pd.Series:
    """Which rows are of correctly classified eyes of the class that their maps explain, and not of the negative one."""
    explained = rows[EXPLAINED] if target_class == PREDICTED else target_class
    return rows["correct"].astype(bool) & (rows["target"] == explained) & (rows["target"] != 0)


def _judged(scores: pd.DataFrame, target_class: int | str) -> pd.DataFrame:
    """Rows of correctly classified eyes of a class in which there is something to hit."""
    if scores.empty or "peak_in_slab" not in scores:
        return scores.iloc[:0]
    something = scores["peak_in_slab"].notna() | scores["peak_in_lesion"].notna()
    return scores[explained_rightly(scores, target_class) & something]


def _matching(rows: pd.DataFrame, group: Mapping[str, Any]) -> pd.DataFrame:
    """Those of `rows` that belong to the model, method, disease and part of a summary's row."""
    same = (rows["part"] == group["part"]) | (group["part"] == POOLED)
    for name in ("model", "method", "disease"):
        same &= rows[name] == group[name]
    return rows[same]


def _map_first(group: pd.DataFrame) -> list[str]:
    """The methods in order of appearance, the network's own map first."""
    return sorted(group["method"].unique(), key=lambda method: method != MAP)


def _hit_columns(rows: pd.DataFrame, level: float) -> dict[str, float]:
    names = ("n_lesion", "lesion_hits", "lesion_rate", "lesion_low", "lesion_high")
    return {
        "eyes": len(rows),
        **_proportion("peak_in_slab", rows, ("n", "hits", "rate", "low", "high"), level),
        "chance_slab_share": _mean(rows, "slab_share_of_retina"),
        "chance_centre_prior": _mean(rows, "centre_in_slab"),
        **_proportion("peak_in_lesion", rows, names, level),
        "prevalence": _mean(rows, "prevalence"),
        "lesion_share_of_grid": _mean(rows, "lesion_share_of_grid"),
    }


def _mean_columns(rows: pd.DataFrame, draw: Bootstrap) -> dict[str, float]:
    return {key: value for name in MEANS for key, value in _with_interval(name, rows, draw).items()}


def _with_interval(name: str, rows: pd.DataFrame, draw: Bootstrap) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), draw.mean(rows[name], rows), strict=True))


def _proportion(column: str, rows: pd.DataFrame, names: Sequence[str], level: float) -> dict[str, float]:
    """Trials, successes, their share and Wilson's interval, by `names`; NaN are no trials."""
    tried = rows[rows[column].notna()]
    hits = tried[column].to_numpy(dtype=bool)
    low, high, _ = proportion_interval(hits, patients_behind(tried), level)
    share = float(hits.mean()) if len(hits) else math.nan
    return dict(zip(names, (len(hits), int(hits.sum()), share, low, high), strict=True))


def _mean(rows: pd.DataFrame, name: str) -> float:
    return float(rows[name].mean())

"""The main metrics of every model within groups of eyes."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.estimates import Estimate, auroc_estimate, balanced_estimate, proportion_estimate
from octa_kedro.evaluation.groups import divisions, in_order, known_of_eyes
from octa_kedro.evaluation.predictions import (
    OUT_OF_FOLD,
    REQUIRED_COLUMNS,
    class_columns,
    detection,
    patients_behind,
    require_columns,
)
from octa_kedro.evaluation.scores import judge_rows
from octa_kedro.evaluation.thresholds import OPTIMISTIC, Threshold, thresholds_of

METRICS = ("auroc", "sensitivity", "specificity", "balanced_accuracy")
SMALL = 10
"""Patients of a class; with fewer a value is too uncertain to be compared between groups."""
ALL = "all eyes"
"""Name and level of the group of all, to compare with."""


def subgroup_table(
    pooled: pd.DataFrame, splits: pd.DataFrame, quality: pd.DataFrame, config: EvaluationConfig
) -> pd.DataFrame:
    """Return METRICS of every model and part within groups of eyes, one per row.

    Input: the result of `pool_predictions`; splits and quality table say what is known of an eye. A disease is judged
    beside all eyes of the other side: its own eyes against all healthy ones, so that its sensitivity is that within the
    binary task. With more than two classes AUROC is of any class but the first, and sensitivity and specificity are
    those of each class.

    Columns: model, part, group (sex, ...), level (F, ...; ``not known``), metric, value, low, high, interval (how it
    was computed: DeLong, Wilson, ...), n_patients, n_eyes, n_positive, threshold, rule, small (bool: the metric rests
    on fewer than SMALL patients of a class), reason (why a value is NaN, or what to know of it). A threshold is that of
    all eyes. Groups overlap and are many: of twenty differences one exceeds its 95 % interval by chance.
    """
    require_columns(pooled, REQUIRED_COLUMNS, "predictions")
    thresholds = thresholds_of(pooled, config)
    known = known_of_eyes(pooled, splits, quality)
    groups = [*divisions(known)]
    found: list[dict[str, Any]] = []
    for (model, part), rows in pooled.groupby(["model", "part"], sort=False):
        threshold = thresholds[str(model)]
        about = {"model": model, "part": part}
        found += _judged(about | {"group": ALL, "level": ALL}, rows, threshold, config)
        for group in groups:
            levels = group.level.loc[rows.index]
            for level in in_order(levels):
                own = about | {"group": group.name, "level": level}
                found += _judged(own, rows[levels == level], threshold, config, missing=group.missing)
        for disease, chosen in _diseases(rows, known):
            found += _judged(about | {"group": "disease", "level": disease}, chosen, threshold, config)
    return pd.DataFrame(found)


def _diseases(rows: pd.DataFrame, known: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each disease with its eyes and all of the other side; several words of the negative side have their turn too."""
    words = rows["disease"] if "disease" in rows else known["disease"].loc[rows.index] if "disease" in known else None
    if words is None:
        return
    words = words.astype(str)
    positive = rows["target"] > 0
    healthy = sorted(set(words[~positive]))
    for disease in sorted(set(words[positive])):
        own = words == disease
        if not (own & ~positive).any():
            yield disease, rows[own | ~positive]
    for word in healthy if len(healthy) > 1 else []:
        own = words == word
        if not (own & positive).any():
            yield word, rows[own | positive]


def _judged(
    about: dict[str, Any], rows: pd.DataFrame, threshold: Threshold, config: EvaluationConfig, *, missing: str = ""
) -> list[dict[str, Any]]:
    """Rows of the table for the eyes `rows`; all values are NaN where what divides them is `missing`."""
    patients, target = patients_behind(rows), rows["target"].to_numpy(dtype=np.int64)
    sides = [int(patients[target > 0].nunique()), int(patients[target == 0].nunique())]
    counts = {
        "n_patients": int(patients.nunique()),
        "n_eyes": len(rows),
        "n_positive": int((target > 0).sum()),
        "threshold": threshold.value,
        "rule": threshold.rule,
    }
    found = []
    for metric, estimate, of_class in _estimates(rows, threshold, config):
        fewest = _patients_behind_metric(metric, of_class, patients, target, sides)
        small = fewest < SMALL
        notes = [missing or estimate.note]
        if not missing and not math.isnan(estimate.value):
            notes.append(_small_words(fewest) if small else "")
            chosen_here = threshold.chosen and rows["part"].iloc[0] == OUT_OF_FOLD and metric != "auroc"
            notes.append(OPTIMISTIC if chosen_here else "")
        value = Estimate(note="") if missing else estimate
        found.append(
            about
            | {"metric": metric, "value": value.value, "low": value.low, "high": value.high, "interval": value.interval}
            | counts
            | {"small": small, "reason": "; ".join(note for note in notes if note)}
        )
    return found


def _small_words(fewest: int) -> str:
    who = "1 patient" if fewest == 1 else f"{fewest} patients"
    return f"rests on {who} of a class, fewer than {SMALL}: too few to compare groups by"


def _patients_behind_metric(
    metric: str, of_class: int, patients: pd.Series, target: np.ndarray, sides: list[int]
) -> int:
    """How many patients the metric rests on; of two classes that it needs the fewer."""
    if metric.startswith("sensitivity"):
        return int(patients[target == of_class].nunique())
    if metric.startswith("specificity"):
        return int(patients[target != of_class].nunique())
    return min(sides)


def _estimates(
    rows: pd.DataFrame, threshold: Threshold, config: EvaluationConfig
) -> Iterator[tuple[str, Estimate, int]]:
    """Each metric with the class that it is of."""
    columns = class_columns(rows)
    yield "auroc", auroc_estimate(detection(rows) if columns else rows, config), 1
    judged = judge_rows(rows, threshold.value)
    for k in range(len(judged.names)) if columns else [1]:
        mark = f"_{judged.names[k]}" if columns else ""
        for side in ("sensitivity", "specificity"):
            name = f"{side}{mark}"
            yield name, proportion_estimate(name, rows, judged, config), k
    yield "balanced_accuracy", balanced_estimate(rows, judged, config), 1

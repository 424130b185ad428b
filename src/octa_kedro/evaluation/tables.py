"""The metrics of every model side by side, as data and as text."""

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.intervals import bootstrap_intervals, wilson_interval
from octa_kedro.evaluation.metrics import binary_metrics, confusion_counts
from octa_kedro.evaluation.multiclass import multiclass_metrics
from octa_kedro.evaluation.predictions import (
    CLASS_MARK,
    REQUIRED_COLUMNS,
    class_columns,
    patients_behind,
    require_columns,
)

PART_TITLES = {"out_of_fold": "Out of fold", "held_out": "Held out"}
# What one proportion counts: (successes, trials) from the confusion matrix [[tn, fp], [fn, tp]].
_PROPORTIONS = {
    "accuracy": (np.eye(2), np.ones((2, 2))),
    "sensitivity": (np.array([[0, 0], [0, 1]]), np.array([[0, 0], [1, 1]])),
    "specificity": (np.array([[1, 0], [0, 0]]), np.array([[1, 1], [0, 0]])),
    "precision": (np.array([[0, 0], [0, 1]]), np.array([[0, 1], [0, 1]])),
}


def metric_table(pooled: pd.DataFrame, config: EvaluationConfig) -> pd.DataFrame:
    """Return every metric of every model and part with its interval, one per row.

    Input: the result of `pool_predictions`. Columns: model, part, metric, value, low, high, n_patients
    (patients, where the table has that column), n_eyes, n_positive (eyes of any class but the first),
    threshold (NaN with more than two classes, where the highest probability decides), reason. `reason` says
    why a value is NaN, or what to know about its interval; it is empty otherwise. Models and parts keep their
    order of first appearance.
    """
    require_columns(pooled, REQUIRED_COLUMNS, "predictions")
    groups = pooled.groupby(["model", "part"], sort=False)
    return pd.concat([_group_metrics(group, config) for _, group in groups], ignore_index=True)


def format_metric_table(table: pd.DataFrame) -> str:
    """Return the metric table as aligned markdown: a block per part, metrics by models, notes below."""
    return "\n\n".join(_format_block(block) for _, block in table.groupby("part", sort=False)) + "\n"


def format_interval(value: float, low: float, high: float) -> str:
    """Return "0.91 [0.80, 0.98]", or "n/a" for a value that is NaN."""
    if math.isnan(value):
        return "n/a"
    if math.isnan(low):
        return f"{value:.2f} [n/a]"
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def format_counts(row: Mapping[Hashable, Any]) -> str:
    """Return how many subjects, eyes and positive eyes stand behind a row of the metric table."""
    return f"{row['n_patients']} patients, {row['n_eyes']} eyes, {row['n_positive']} positive"


def _group_metrics(group: pd.DataFrame, config: EvaluationConfig) -> pd.DataFrame:
    columns = class_columns(group)
    if columns:
        names = [column.removeprefix(CLASS_MARK) for column in columns]
        values = multiclass_metrics(group["target"], group[columns], names)
    else:
        values = binary_metrics(group["target"], group["probability"], config.threshold)
    intervals = bootstrap_intervals(
        group, config.threshold, resamples=config.resamples, seed=config.seed, level=config.level
    )
    rows = []
    for interval in intervals.to_dict("records"):
        value, reason = values[interval["metric"]].value, values[interval["metric"]].reason
        rows.append(
            {
                "model": group["model"].iloc[0],
                "part": group["part"].iloc[0],
                "metric": interval["metric"],
                "value": value,
                "low": interval["low"],
                "high": interval["high"],
                "n_patients": patients_behind(group).nunique(),
                "n_eyes": len(group),
                "n_positive": int((group["target"] > 0).sum()),
                "threshold": math.nan if columns else config.threshold,
                "reason": reason or _interval_note(interval, group, config),
            }
        )
    return pd.DataFrame(rows)


def _interval_note(interval: Mapping[Hashable, Any], group: pd.DataFrame, config: EvaluationConfig) -> str:
    """Say what a reader must know about an interval that exists but is not what it seems."""
    if interval["defined"] < config.resamples:
        return f"interval over the {interval['defined']} of {config.resamples} resamples that define it"
    if interval["low"] < interval["high"]:
        return ""
    note = "every resample gives the same value, so the interval has no width"
    # Wilson supposes independent trials, which two eyes of one subject are not.
    name = interval["metric"]
    if name not in _PROPORTIONS or class_columns(group) or patients_behind(group).duplicated().any():
        return note
    counts = confusion_counts(group["target"], group["probability"], config.threshold)
    successes, trials = (int((counts * mask).sum()) for mask in _PROPORTIONS[name])
    low, high = wilson_interval(successes, trials, config.level)
    return f"{note}; Wilson interval [{low:.2f}, {high:.2f}]"


def _format_block(block: pd.DataFrame) -> str:
    records = block.to_dict("records")
    cells = {(row["model"], row["metric"]): _cell(row) for row in records}
    counts = {row["model"]: format_counts(row) for row in records}
    lines = [["metric", *map(as_text, counts)], ["n", *counts.values()]]
    for metric in dict.fromkeys(block["metric"]):
        lines.append([as_text(metric), *(cells.get((model, metric), "-") for model in counts)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    texts = [_join(line, widths) for line in lines]
    texts.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    notes = _notes(records)
    part, threshold = block["part"].iloc[0], block["threshold"].iloc[0]
    rule = "highest probability" if math.isnan(threshold) else f"threshold {threshold:g}"
    title = f"## {PART_TITLES.get(part, part)} ({rule})"
    return "\n".join([title, "", *texts, *(["", "\\* Notes:", "", *notes] if notes else [])])


def _notes(records: Sequence[Mapping[Hashable, Any]]) -> list[str]:
    """Return one line for each reason of a model, naming the metrics that share it."""
    metrics: dict[tuple[str, str], list[str]] = {}
    for row in records:
        if row["reason"]:
            metrics.setdefault((row["model"], row["reason"]), []).append(row["metric"])
    return [as_text(f"- {model}, {', '.join(names)}: {reason}") for (model, reason), names in metrics.items()]


def as_text(words: str) -> str:
    """Words that may hold names of a user's, for Markdown: one line, in which neither a cell of a table ends nor HTML,
    code or a link begins."""
    return re.sub(r"([\\\\|`\[\]])", r"\\\1", " ".join(words.split())).replace("<", "&lt;")


def _cell(row: Mapping[Hashable, Any]) -> str:
    return format_interval(row["value"], row["low"], row["high"]) + (" *" if row["reason"] else "")


def _join(cells: list[str], widths: list[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

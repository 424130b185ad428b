"""The metrics of every model side by side, as data and as text."""

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.delong import TOO_FEW, delong, logit_interval, perfect_bound
from octa_kedro.evaluation.intervals import bootstrap_intervals, wilson_interval
from octa_kedro.evaluation.metrics import confusion_counts
from octa_kedro.evaluation.predictions import (
    OUT_OF_FOLD,
    REQUIRED_COLUMNS,
    class_columns,
    patients_behind,
    require_columns,
)
from octa_kedro.evaluation.scores import AT_PREVALENCE, AT_THRESHOLD, all_metrics, judge_rows
from octa_kedro.evaluation.thresholds import OPTIMISTIC, Threshold, thresholds_of

PART_TITLES = {"out_of_fold": "Out of fold", "held_out": "Held out", "external": "Second cohort"}
PERFECT = (
    "every pair of eyes gives the same, so the interval is the one-sided exact bound over pairs of patients, none used "
    "twice"
)
# What one proportion counts: (successes, trials) from the confusion matrix [[tn, fp], [fn, tp]].
_PROPORTIONS = {
    "accuracy": (np.eye(2), np.ones((2, 2))),
    "sensitivity": (np.array([[0, 0], [0, 1]]), np.array([[0, 0], [1, 1]])),
    "specificity": (np.array([[1, 0], [0, 0]]), np.array([[1, 1], [0, 0]])),
    "precision": (np.array([[0, 0], [0, 1]]), np.array([[0, 1], [0, 1]])),
    "npv": (np.array([[1, 0], [0, 0]]), np.array([[1, 0], [1, 0]])),
}


def metric_table(pooled: pd.DataFrame, config: EvaluationConfig) -> pd.DataFrame:
    """Return every metric of every model and part with its interval, one per row.

    Input: the result of `pool_predictions`. Columns: model, part, metric, value, low, high, n_patients
    (patients, where the table has that column), n_eyes, n_positive (eyes of any class but the first),
    threshold (NaN with more than two classes), rule (what chose it, `thresholds.thresholds_of`), reason. `reason` says
    why a value is NaN, or what to know about it or its interval; it is empty otherwise. Models and parts keep their
    order of first appearance.
    """
    require_columns(pooled, REQUIRED_COLUMNS, "predictions")
    thresholds = thresholds_of(pooled, config)
    groups = pooled.groupby(["model", "part"], sort=False)
    tables = [_group_metrics(group, config, thresholds[str(model)]) for (model, _), group in groups]
    return pd.concat(tables, ignore_index=True)


def format_metric_table(table: pd.DataFrame) -> str:
    """Return the metric table as aligned markdown: a block per part, metrics by models, notes below."""
    return "\n\n".join(_format_block(block) for _, block in table.groupby("part", sort=False)) + "\n"


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """Return cells, the first line of which is the head, as an aligned table."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    texts = [_join(line, widths) for line in lines]
    texts.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(texts)


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


def _group_metrics(group: pd.DataFrame, config: EvaluationConfig, threshold: Threshold) -> pd.DataFrame:
    values = all_metrics(judge_rows(group, threshold.value, config.prevalence))
    intervals = bootstrap_intervals(
        group,
        threshold.value,
        resamples=config.resamples,
        seed=config.seed,
        level=config.level,
        prevalence=config.prevalence,
    )
    rows = []
    for interval in intervals.to_dict("records"):
        name, value = interval["metric"], values[interval["metric"]]
        low, high, note = _interval(interval, value.value, group, config, threshold)
        notes = [value.reason or note, OPTIMISTIC if threshold.chosen and _chosen_on(group, name) else ""]
        rows.append(
            {
                "model": group["model"].iloc[0],
                "part": group["part"].iloc[0],
                "metric": name,
                "value": value.value,
                "low": low,
                "high": high,
                "n_patients": patients_behind(group).nunique(),
                "n_eyes": len(group),
                "n_positive": int((group["target"] > 0).sum()),
                "threshold": threshold.value,
                "rule": threshold.rule,
                "reason": "; ".join(note for note in notes if note),
            }
        )
    return pd.DataFrame(rows)


def _chosen_on(group: pd.DataFrame, metric: str) -> bool:
    return group["part"].iloc[0] == OUT_OF_FOLD and metric in {*AT_THRESHOLD, *AT_PREVALENCE}


def _interval(
    interval: Mapping[Hashable, Any],
    value: float,
    group: pd.DataFrame,
    config: EvaluationConfig,
    threshold: Threshold,
) -> tuple[float, float, str]:
    """Low, high, and what a reader must know about an interval that exists but is not what it seems."""
    low, high = interval["low"], interval["high"]
    if interval["metric"] == "auroc" and not math.isnan(value):
        return auroc_interval(value, low, high, group, config)
    if interval["defined"] < config.resamples:
        note = f"interval over the {interval['defined']} of {config.resamples} resamples that define it"
        return low, high, note
    if low < high:
        return low, high, ""
    note = "every resample gives the same value, so the interval has no width"
    # Wilson supposes independent trials, which two eyes of one subject are not.
    name = interval["metric"]
    if name in _PROPORTIONS and not class_columns(group) and not patients_behind(group).duplicated().any():
        counts = confusion_counts(group["target"], group["probability"], threshold.value)
        successes, trials = (int((counts * mask).sum()) for mask in _PROPORTIONS[name])
        note += "; Wilson interval [{:.2f}, {:.2f}]".format(*wilson_interval(successes, trials, config.level))
    return low, high, note


def auroc_interval(
    value: float, low: float, high: float, group: pd.DataFrame, config: EvaluationConfig
) -> tuple[float, float, str]:
    """That of DeLong if it is asked for and exists, else the bootstrap's; of a perfect AUROC the exact bound."""
    patients = patients_behind(group)
    if value in {0, 1}:
        bound = perfect_bound(group["target"], patients, config.level)
        ends = (bound, 1.0) if value == 1 else (0.0, 1 - bound)
        return *ends, PERFECT
    if config.auroc_interval == "delong":
        variance = delong(group["target"], group["probability"], patients).covariance[0, 0]
        by_delong = logit_interval(value, float(variance), config.level)
        if by_delong[0] < by_delong[1]:
            return *by_delong, ""
    if low < high:
        return low, high, f"{TOO_FEW}; bootstrap interval" if config.auroc_interval == "delong" else ""
    return math.nan, math.nan, TOO_FEW


def _format_block(block: pd.DataFrame) -> str:
    records = block.to_dict("records")
    cells = {(row["model"], row["metric"]): _cell(row) for row in records}
    counts = {row["model"]: format_counts(row) for row in records}
    lines = [["metric", *map(as_text, counts)], ["n", *counts.values()]]
    for metric in dict.fromkeys(block["metric"]):
        lines.append([as_text(metric), *(cells.get((model, metric), "-") for model in counts)])
    notes = _notes(records)
    part = block["part"].iloc[0]
    title = f"## {PART_TITLES.get(part, part)} ({_rule(records)})"
    return "\n".join([title, "", markdown_table(lines), *(["", "\\* Notes:", "", *notes] if notes else [])])


def _rule(records: Sequence[Mapping[Hashable, Any]]) -> str:
    """What decides, once where it is the same for all models."""
    texts = {row["model"]: str(Threshold(row["threshold"], row["rule"])) for row in records}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return ", ".join(f"{as_text(model)}: {text}" for model, text in texts.items())


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


def _join(cells: Sequence[str], widths: list[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

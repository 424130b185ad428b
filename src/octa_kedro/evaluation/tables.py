"""The metrics of every model side by side, as data and as text."""

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.estimates import metric_estimates
from octa_kedro.evaluation.predictions import (
    OUT_OF_FOLD,
    REQUIRED_COLUMNS,
    patients_behind,
    require_columns,
)
from octa_kedro.evaluation.scores import AT_PREVALENCE, AT_THRESHOLD, judge_rows
from octa_kedro.evaluation.thresholds import OPTIMISTIC, Threshold, thresholds_of

PART_TITLES = {"out_of_fold": "Out of fold", "held_out": "Held out", "external": "Second cohort"}


def metric_table(pooled: pd.DataFrame, config: EvaluationConfig) -> pd.DataFrame:
    """Return every metric of every model and part with its interval, one per row.

    Input: the result of `pool_predictions`. Columns: model, part, metric, value, low, high, interval
    (how it was computed: Wilson, DeLong, ...), n_patients, n_eyes, n_positive (eyes of any class but the first),
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
    judged = judge_rows(group, threshold.value, config.prevalence)
    rows = []
    for name, found in metric_estimates(group, judged, config).items():
        notes = [found.note, OPTIMISTIC if threshold.chosen and _chosen_on(group, name) else ""]
        rows.append(
            {
                "model": group["model"].iloc[0],
                "part": group["part"].iloc[0],
                "metric": name,
                "value": found.value,
                "low": found.low,
                "high": found.high,
                "interval": found.interval,
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
    how = _interval_words(block)
    return "\n".join([title, "", markdown_table(lines), "", how, *(["", "\\* Notes:", "", *notes] if notes else [])])


def _interval_words(rows: pd.DataFrame) -> str:
    """Which method gave the intervals of which metrics."""
    known = rows[rows["interval"] != ""].groupby("interval", sort=False)["metric"].unique()
    each = [f"{how} ({', '.join(map(as_text, metrics))})" for how, metrics in known.items()]
    return f"Intervals: {'; '.join(each) or 'none'}."


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

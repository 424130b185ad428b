"""Names and numbers of an evaluation as a reader takes them."""

import math
import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import pandas as pd

from octa_kedro.evaluation.names import is_floor, readable_model
from octa_kedro.evaluation.tables import PART_TITLES, format_interval

TEXTS = ("reason", "reasons", "rule", "interval", "test", "non_inferior", "step", "left_at")
"""Columns of words that may be empty."""
FLOORS = {
    "depth_profile": "a linear model on the mean brightness at each depth",
    "biomarkers": "a linear model on what clinicians measure (vessel density, avascular zone, thickness, ...)",
    "enface_histogram": "a linear model on the grey levels of the en-face maps, wherever they lie",
    "confounders": "a linear model on field of view, age, sex, side and quality of the scan, without a look at the eye",
    "majority": "the most frequent class, whatever the eye",
}
"""What each floor is."""
METRICS = {
    "auroc": "AUROC", "auprc": "AUPRC", "macro_auroc": "macro AUROC", "macro_auprc": "macro AUPRC",
    "balanced_accuracy": "balanced accuracy", "npv": "NPV", "mcc": "MCC", "f1": "F1", "macro_f1": "macro F1",
    "brier": "Brier score", "ece": "calibration error (ECE)", "log_loss": "log loss",
    "ppv_at_prevalence": "PPV at the stated prevalence", "npv_at_prevalence": "NPV at the stated prevalence",
}  # fmt: skip


def with_readable(text: str, models: Iterable[str]) -> str:
    """`text` with each of the `models` by its readable name; of a name within a longer word nothing changes."""
    names = sorted(set(models), key=len, reverse=True)
    if not names:
        return text
    return re.sub(rf"\b({'|'.join(map(re.escape, names))})\b", lambda found: readable_model(found[1]), text)


def metric_words(metric: str) -> str:
    """balanced_accuracy -> balanced accuracy."""
    return METRICS.get(metric, metric.replace("_", " "))


def network_words(key: str) -> str:
    """training_3d__fold_1 -> 3D network, fold 1."""
    model, _, which = key.partition("__")
    return f"{readable_model(model)}, {which.replace('__', ', ').replace('_', ' ')}"


def with_texts(table: pd.DataFrame) -> pd.DataFrame:
    """The table with empty texts where a CSV file left nothing of them."""
    empty = {name: table[name].astype(object).where(table[name].notna(), "") for name in TEXTS if name in table}
    return table.assign(**empty)


def notes_words(rows: pd.DataFrame) -> str:
    """A line for each reason, with the models and metrics that it holds for; empty where there is none."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows.to_dict("records"):
        if row["reason"]:
            of_model = found.setdefault(str(row["reason"]), {}).setdefault(readable_model(str(row["model"])), [])
            of_model.append(metric_words(str(row["metric"])))
    lines = []
    for reason, models in found.items():
        alike: dict[str, list[str]] = {}
        for model, metrics in models.items():
            alike.setdefault(", ".join(metrics), []).append(model)
        who = "; ".join(f"{' and '.join(names)}: {metrics}" for metrics, names in alike.items())
        lines.append(f"* {reason[0].upper()}{reason[1:]} ({who}).")
    return "\n".join(lines)


def part_words(part: str) -> str:
    """held_out -> Held out."""
    return PART_TITLES.get(part, part.replace("_", " "))


def p_words(p: float) -> str:
    """A p with two digits, or three where it is small; n/a of NaN."""
    if math.isnan(p):
        return "n/a"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def counted(row: Mapping[Hashable, Any]) -> str:
    """12 eyes of 10 patients."""
    return f"{row['n_eyes']} eyes of {row['n_patients']} patients"


def two_digits(number: float) -> str:
    """0.91, or n/a."""
    return "n/a" if math.isnan(number) else f"{number:.2f}"


def whole(number: float) -> str:
    """12 345, or n/a."""
    return "n/a" if math.isnan(number) else f"{number:,.0f}"


def are_floors(models: pd.Series) -> "pd.Series[bool]":
    """Which models are floors."""
    return models.astype(str).map(is_floor).astype(bool)


def with_level(word: str, level: float) -> str:
    """difference -> difference [95 %], the head of a column of intervals."""
    return f"{word} [{100 * level:g} %]"


def signed(value: float, low: float, high: float) -> str:
    """+0.12 [-0.07, 0.33]."""
    text = format_interval(value, low, high)
    return f"+{text}" if value > 0 else text

"""How well models are: metrics, calibration, floors and label permutation, as sections."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from octa_kedro.evaluation.names import readable_model
from octa_kedro.evaluation.tables import format_interval
from octa_kedro.evaluation.thresholds import Threshold
from octa_kedro.identifiers import FLOOR_MARK
from octa_kedro.report.sections import Section, Table, eyes_once
from octa_kedro.report.words import (
    FLOORS,
    are_floors,
    counted,
    metric_words,
    notes_words,
    p_words,
    part_words,
    two_digits,
    with_level,
)

FIRST = (
    *("auroc", "macro_auroc", "auprc", "macro_auprc", "balanced_accuracy", "sensitivity", "specificity", "macro_f1"),
    *("quadratic_kappa", "brier"),
)
"""Metrics of the table that is not folded, in their order."""
Row = Mapping[Hashable, Any]
JUDGED = (
    "Out of fold: each development eye is judged by the network that was not trained on it. Held out: eyes that no "
    "network was trained or chosen on, judged by the mean of all of a model."
)
"""Who judged the eyes of each part of an evaluation."""


def metric_section(metrics: pd.DataFrame, level: float, judged: str = JUDGED) -> Section:
    """The networks' metrics: the ones most asked for, and all at a click."""
    own = metrics[~are_floors(metrics["model"])]
    tables = []
    for part, rows in own.groupby("part", sort=False):
        first = [name for name in FIRST if name in set(rows["metric"])]
        tables.append(_by_model(rows[rows["metric"].isin(first)], first, f"{part_words(str(part))}, {_rule(rows)}"))
    for part, rows in own.groupby("part", sort=False):
        tables.append(_by_metric(rows, f"All metrics, {part_words(str(part)).lower()}"))
    text = [
        f"In brackets: {100 * level:g} % intervals; folded tables say how each was computed. {judged} A star refers to "
        "the note below the table."
    ]
    return Section("Metrics", text, tables=tables)


def _by_model(rows: pd.DataFrame, metrics: Sequence[str], title: str) -> Table:
    lines = []
    for model, own in rows.groupby("model", sort=False):
        records = {row["metric"]: row for row in own.to_dict("records")}
        counts = next(iter(records.values()))
        n = f"{counts['n_eyes']} eyes ({counts['n_positive']} positive) of {counts['n_patients']} patients"
        lines.append([readable_model(str(model)), n, *(_cell(records.get(name)) for name in metrics)])
    return eyes_once(Table(("model", "eyes", *map(metric_words, metrics)), lines, title, notes_words(rows), names=2))


def _by_metric(rows: pd.DataFrame, title: str) -> Table:
    models = list(dict.fromkeys(rows["model"]))
    cells = {(row["model"], row["metric"]): row for row in rows.to_dict("records")}
    lines = [
        [metric_words(metric), *(_cell(cells.get((model, metric))) for model in models), _methods(rows, metric)]
        for metric in dict.fromkeys(rows["metric"])
    ]
    counts = {model: counted(cells[model, rows["metric"].iloc[0]]) for model in models if len(rows)}
    columns = ("metric", *(f"{readable_model(str(model))}, {counts[model]}" for model in models), "interval")
    return Table(columns, lines, title, notes_words(rows), folded=True)


def _methods(rows: pd.DataFrame, metric: str) -> str:
    return "; ".join(dict.fromkeys(str(how) for how in rows.loc[rows["metric"] == metric, "interval"] if how)) or "-"


def _rule(rows: pd.DataFrame) -> str:
    rules = dict.fromkeys(str(Threshold(row["threshold"], row["rule"])) for row in rows.to_dict("records"))
    return ", ".join(rules)


def _cell(row: Row | None) -> str:
    return "-" if row is None else format_interval(row["value"], row["low"], row["high"]) + " *" * bool(row["reason"])


def calibration_section(calibration: pd.DataFrame, level: float) -> Section:
    """How good probabilities are, before and after temperature scaling."""
    tables = []
    for part, rows in calibration[~are_floors(calibration["model"])].groupby("part", sort=False):
        lines = [
            [readable_model(str(row["model"])), metric_words(str(row["metric"])), counted(row),
             format_interval(row["before"], row["before_low"], row["before_high"]),
             format_interval(row["after"], row["after_low"], row["after_high"]) + " *" * bool(row["reason"]),
             two_digits(row["temperature"])]
            for row in rows.to_dict("records")
        ]  # fmt: skip
        columns = ("model", "measure", "eyes", with_level("before", level), with_level("after", level), "temperature")
        tables.append(Table(columns, lines, part_words(str(part)), notes_words(rows), names=3))
    text = [
        "One temperature per model was fitted on out-of-fold eyes and applied to all: above 1 the network was too "
        "sure of itself. A calibration slope of 1 and an intercept of 0 are right; of the other measures less is "
        "better. No order of the eyes changes, so neither does AUROC."
    ]
    return Section("Calibration", text, tables=tables)


def floor_section(metrics: pd.DataFrame, level: float) -> Section:
    """What models score that know next to nothing: the bar for every network."""
    own = metrics[are_floors(metrics["model"])]
    tables = []
    for part, rows in own.groupby("part", sort=False):
        first = [name for name in FIRST if name in set(rows["metric"])]
        tables.append(_by_model(rows[rows["metric"].isin(first)], first, part_words(str(part))))
    text = [
        "Floors are plain models on plain features, judged on the same eyes in the same folds. A network that does not "
        f"exceed the best of them has not been shown to need the image. In brackets: {100 * level:g} % intervals."
    ]
    models = (str(model).removeprefix(FLOOR_MARK) for model in dict.fromkeys(own["model"]))
    terms = [(name.replace("_", " "), FLOORS.get(name, "a floor")) for name in models]
    return Section("Floors", text, tables=tables, terms=terms)


def permutation_section(table: pd.DataFrame, level: float) -> Section:
    """What AUROC chance gives."""
    lines = [
        [part_words(str(row["part"])), readable_model(str(row["model"])),
         f"{row['eyes']} eyes of {row['patients']} patients", two_digits(row["auroc"]),
         format_interval(row["null_mean"], row["null_lower"], row["null_upper"]), p_words(row["p_value"]),
         str(row["reason"])]
        for row in table.to_dict("records")
    ]  # fmt: skip
    text = [
        "The same predictions, judged by labels that were exchanged between patients at random. p is the share of such "
        "labellings that reach the AUROC found. A small p says that predictions and labels are related, by the disease "
        "or by anything else; intervals of the AUROC found are in the tables above."
    ]
    columns = ("part", "model", "eyes", "AUROC found", f"by chance [middle {100 * level:g} %]", "p", "note")
    return Section("Could it be chance?", text, tables=[Table(columns, lines, names=3)])

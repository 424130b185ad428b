"""How well models are: verdict, paired differences, metrics, calibration, floors and label permutation, as sections."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.names import readable_model
from octa_kedro.evaluation.predictions import FLOOR_MARK
from octa_kedro.evaluation.tables import format_interval
from octa_kedro.evaluation.thresholds import Threshold
from octa_kedro.evaluation.verdict import part_verdicts
from octa_kedro.report.sections import Conclusions, Section, Table
from octa_kedro.report.words import (
    FLOORS,
    counted,
    metric_words,
    notes_words,
    p_words,
    part_words,
    two_digits,
    whole,
    with_readable,
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
NOTHING = "There is one model alone, so nothing is compared; its metrics are below."


def verdicts(comparisons: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig) -> list[Conclusions]:
    """The verdict of held-out eyes, then that of out-of-fold ones; in each the floors come before the pairs of
    networks. How each network stands beside each floor is in the table of all pairs."""
    models = [*comparisons["first"], *comparisons["second"]]
    found = sorted(part_verdicts(comparisons, metrics, config), key=lambda one: one.part != "held_out")
    said = []
    for one in found:
        pairs = [words for words in one.of_pairs if FLOOR_MARK not in words]
        sentences = [_sentence(with_readable(words, models)) for words in (*one.beside_plain, *pairs)]
        said.append(Conclusions(sentences, f"{part_words(one.part)}, {one.n_eyes} eyes of {one.n_patients} patients"))
    return said or [Conclusions([NOTHING])]


def _sentence(words: str) -> str:
    """What follows "the best floor" need not be called a floor again."""
    return f"{words[0].upper()}{words[1:].replace('(floor) (', '(')}."


def dimension_section(comparisons: pd.DataFrame, dims: Mapping[str, int], level: float) -> Section:
    """AUROC of each 3D network less that of each 2D network, on the same eyes."""
    rows = []
    of_auroc = comparisons[comparisons["metric"] == "auroc"].sort_values("part", kind="stable")  # held out comes first
    for row in of_auroc.to_dict("records"):
        first, second = (dims.get(str(row[side])) for side in ("first", "second"))
        if {first, second} == {2, 3}:
            rows.append(_less(row, turned=first == 2))
    title = "3D less 2D, on the same eyes"
    if not rows:
        return Section(title, ["There is no network of each dimension, so this difference does not exist."])
    columns = ("compared", "eyes", "AUROC 3D", "AUROC 2D", _with("difference", level), "p", "p, all pairs")
    text = [
        "A difference above 0 is for the volume. Both networks of a row judged the same eyes, and eyes of one patient "
        "are drawn together. The last p is corrected for all pairs of models (Holm)."
    ]
    return Section(title, text, tables=[Table(columns, rows, names=2)])


def _less(row: Row, *, turned: bool) -> list[str]:
    names = [str(row["first"]), str(row["second"])]
    values, difference = [row["first_value"], row["second_value"]], [row["difference"], row["low"], row["high"]]
    if turned:
        names.reverse()
        values.reverse()
        difference = [-row["difference"], -row["high"], -row["low"]]
    pair = " less ".join(map(readable_model, names))
    return [
        f"{part_words(str(row['part']))}: {pair}", counted(row), *map(two_digits, values),
        _signed(*difference), p_words(row["p"]), p_words(row["p_holm"]),
    ]  # fmt: skip


def metric_section(metrics: pd.DataFrame, level: float, judged: str = JUDGED) -> Section:
    """The networks' metrics: the ones most asked for, and all at a click."""
    own = metrics[~_is_floor(metrics["model"])]
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
    return _eyes_once(Table(("model", "eyes", *map(metric_words, metrics)), lines, title, notes_words(rows), names=2))


def _eyes_once(table: Table) -> Table:
    """The table with the eyes in its title, and no column of them, where they are the same in all rows."""
    at = [*table.columns].index("eyes")
    said = {str(row[at]) for row in table.rows}
    if len(said) != 1:
        return table
    columns, *rows = ([*row[:at], *row[at + 1 :]] for row in (table.columns, *table.rows))
    title = ", ".join(filter(None, (table.title, *said)))
    return replace(table, columns=[str(name) for name in columns], rows=rows, title=title, names=table.names - 1)


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


def comparison_section(comparisons: pd.DataFrame, level: float) -> Section:
    """Every pair of models, but for those of two floors, of which nothing is claimed."""
    floors = _is_floor(comparisons["first"]) & _is_floor(comparisons["second"])
    tables = []
    for (part, metric), rows in comparisons[~floors].groupby(["part", "metric"], sort=False):
        title = f"{part_words(str(part))}, {metric_words(str(metric))}"
        tables.append(_pairs(rows, title, level, folded=metric != "auroc"))
    text = [
        f"First less second, on the same eyes; in brackets {100 * level:g} % intervals. The corrected p counts all "
        "pairs of a table (Holm). The number of eyes is about what a study would need to show a difference of this "
        "size with a power of 80 %."
    ]
    tables.sort(key=lambda table: table.folded)
    return Section("Comparisons of all pairs", text, tables=tables)


def _pairs(rows: pd.DataFrame, title: str, level: float, *, folded: bool) -> Table:
    auroc = not folded
    columns = ["first", "second", "eyes", "first's", "second's", _with("difference", level), "test", "p", "corrected"]
    columns += ["not inferior", "eyes needed"] if auroc else []
    lines = []
    for row in rows.to_dict("records"):
        line = [
            readable_model(str(row["first"])), readable_model(str(row["second"])), counted(row),
            two_digits(row["first_value"]), two_digits(row["second_value"]),
            _signed(row["difference"], row["low"], row["high"]), str(row["test"]),
            p_words(row["p"]), p_words(row["p_holm"]),
        ]  # fmt: skip
        lines.append([*line, str(row["non_inferior"]) or "n/a", whole(row["eyes_needed"])] if auroc else line)
    return _eyes_once(Table(columns, lines, title, _pair_notes(rows), names=3, folded=folded))


def _pair_notes(rows: pd.DataFrame) -> str:
    """A line for each reason, with the pairs that it holds for."""
    found: dict[str, list[str]] = {}
    for row in rows.to_dict("records"):
        if row["reason"]:
            pair = f"{readable_model(str(row['first']))} and {readable_model(str(row['second']))}"
            found.setdefault(str(row["reason"]), []).append(pair)
    return "\n".join(f"{reason[0].upper()}{reason[1:]}: {'; '.join(pairs)}." for reason, pairs in found.items())


def calibration_section(calibration: pd.DataFrame, level: float) -> Section:
    """How good probabilities are, before and after temperature scaling."""
    tables = []
    for part, rows in calibration[~_is_floor(calibration["model"])].groupby("part", sort=False):
        lines = [
            [readable_model(str(row["model"])), metric_words(str(row["metric"])), counted(row),
             format_interval(row["before"], row["before_low"], row["before_high"]),
             format_interval(row["after"], row["after_low"], row["after_high"]) + " *" * bool(row["reason"]),
             two_digits(row["temperature"])]
            for row in rows.to_dict("records")
        ]  # fmt: skip
        columns = ("model", "measure", "eyes", _with("before", level), _with("after", level), "temperature")
        tables.append(Table(columns, lines, part_words(str(part)), notes_words(rows), names=3))
    text = [
        "One temperature per model was fitted on out-of-fold eyes and applied to all: above 1 the network was too "
        "sure of itself. A calibration slope of 1 and an intercept of 0 are right; of the other measures less is "
        "better. No order of the eyes changes, so neither does AUROC."
    ]
    return Section("Calibration", text, tables=tables)


def floor_section(metrics: pd.DataFrame, level: float) -> Section:
    """What models score that know next to nothing: the bar for every network."""
    own = metrics[_is_floor(metrics["model"])]
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


def _is_floor(models: pd.Series) -> "pd.Series[bool]":
    return models.astype(str).str.startswith(FLOOR_MARK)


def _with(word: str, level: float) -> str:
    return f"{word} [{100 * level:g} %]"


def _signed(value: float, low: float, high: float) -> str:
    text = format_interval(value, low, high)
    return f"+{text}" if value > 0 else text

"""How models compare: the verdict, 3D less 2D, and every pair, as sections."""

import re
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.names import readable_model
from octa_kedro.evaluation.tables import format_interval
from octa_kedro.evaluation.verdict import AUROCS, part_verdicts
from octa_kedro.identifiers import FLOOR_MARK
from octa_kedro.report.sections import Conclusions, Section, Table, eyes_once
from octa_kedro.report.words import (
    are_floors,
    counted,
    metric_words,
    p_words,
    part_words,
    signed,
    two_digits,
    whole,
    with_level,
    with_readable,
)

Row = Mapping[Hashable, Any]
NOTHING = "There is one model alone, so nothing is compared; its metrics are below."


def verdicts(comparisons: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig) -> list[Conclusions]:
    """The verdict of held-out eyes, then that of out-of-fold ones; in each the networks' AUROCs come first, and the
    floors before the pairs of networks. How each network stands beside each floor is in the table of all pairs."""
    models = [*comparisons["first"], *comparisons["second"]]
    found = sorted(part_verdicts(comparisons, metrics, config), key=lambda one: one.part != "held_out")
    said = []
    for one in found:
        pairs = [words for words in one.of_pairs if not re.search(rf"\b{FLOOR_MARK}", words)]
        sentences = [_sentence(with_readable(words, models)) for words in (*one.beside_plain, *pairs)]
        sentences.insert(0, _aurocs(metrics[metrics["part"] == one.part], config.level))
        if comparisons.empty:
            sentences.append(NOTHING)
        said.append(Conclusions(sentences, f"{part_words(one.part)}, {one.n_eyes} eyes of {one.n_patients} patients"))
    return said


def _aurocs(metrics: pd.DataFrame, level: float) -> str:
    """The networks' AUROCs with their intervals, as one sentence."""
    rows = metrics[metrics["metric"].isin(AUROCS) & ~are_floors(metrics["model"])].to_dict("records")
    values = [
        f"{readable_model(str(row['model']))} {format_interval(row['value'], row['low'], row['high'])}" for row in rows
    ]
    return f"AUROC [{100 * level:g} % interval]: {', '.join(values)}."


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
    columns = ("compared", "eyes", "AUROC 3D", "AUROC 2D", with_level("difference", level), "p", "p, all pairs")
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
        signed(*difference), p_words(row["p"]), p_words(row["p_holm"]),
    ]  # fmt: skip


def comparison_section(comparisons: pd.DataFrame, level: float) -> Section:
    """Every pair of models, but for those of two floors, of which nothing is claimed."""
    floors = are_floors(comparisons["first"]) & are_floors(comparisons["second"])
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
    columns = [
        "first",
        "second",
        "eyes",
        "first's",
        "second's",
        with_level("difference", level),
        "test",
        "p",
        "corrected",
    ]
    columns += ["not inferior", "eyes needed"] if auroc else []
    lines = []
    for row in rows.to_dict("records"):
        line = [
            readable_model(str(row["first"])), readable_model(str(row["second"])), counted(row),
            two_digits(row["first_value"]), two_digits(row["second_value"]),
            signed(row["difference"], row["low"], row["high"]), str(row["test"]),
            p_words(row["p"]), p_words(row["p_holm"]),
        ]  # fmt: skip
        lines.append([*line, str(row["non_inferior"]) or "n/a", whole(row["eyes_needed"])] if auroc else line)
    return eyes_once(Table(columns, lines, title, _pair_notes(rows), names=3, folded=folded))


def _pair_notes(rows: pd.DataFrame) -> str:
    """A line for each reason, with the pairs that it holds for."""
    found: dict[str, list[str]] = {}
    for row in rows.to_dict("records"):
        if row["reason"]:
            pair = f"{readable_model(str(row['first']))} and {readable_model(str(row['second']))}"
            found.setdefault(str(row["reason"]), []).append(pair)
    return "\n".join(f"{reason[0].upper()}{reason[1:]}: {'; '.join(pairs)}." for reason, pairs in found.items())

"""What a comparison of models comes to, in plain words."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.names import is_floor
from octa_kedro.evaluation.tables import PART_TITLES, as_text

MANY = 100_000
AUROCS = ("auroc", "macro_auroc")
"""The metric that verdicts are about: of two classes, and of more."""
Row = Mapping[Hashable, Any]


@dataclass(frozen=True)
class PartVerdict:
    """What the eyes of one part show, a sentence each: how networks stand beside chance and beside the best floor
    (empty where there is nothing to say), and the pairs."""

    part: str
    n_patients: int
    n_eyes: int
    beside_plain: tuple[str, ...]
    of_pairs: tuple[str, ...]


def part_verdicts(comparisons: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig) -> list[PartVerdict]:
    """The verdict of each part as plain sentences without a full stop: first which networks are not better than chance,
    and whether one exceeds the best floor, then the pairs of networks, and each network beside the best floor. Of a
    single model there is something to say only if it is not better than chance.

    A difference of AUROCs is shown if its interval does not hold 0 and its p, corrected for all pairs, is below
    1 - `config.level`. A network is better than chance if the interval of its AUROC lies above 0.5.
    """
    pairs = comparisons[comparisons["metric"] == "auroc"]
    aurocs = metrics[metrics["metric"].isin(AUROCS)]
    return [
        _of_part(str(part), pairs[pairs["part"] == part], rows, config)
        for part, rows in aurocs.groupby("part", sort=False)
    ]


def verdict_text(comparisons: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig) -> str:
    """Return `part_verdicts` as Markdown, a paragraph per part; an empty text where there is nothing to say."""
    found = part_verdicts(comparisons, metrics, config)
    blocks = [_as_markdown(one) for one in found if one.beside_plain or one.of_pairs]
    return "\n".join(["# What the comparison shows\n", *blocks]) if blocks else ""


def _as_markdown(one: PartVerdict) -> str:
    title = f"## {PART_TITLES.get(one.part, one.part)} ({one.n_patients} patients, {one.n_eyes} eyes)\n"
    head = [f"**{as_text(words)}.**\n" for words in one.beside_plain]
    return "\n".join([title, *head, *(f"- {as_text(words)}" for words in one.of_pairs), ""])


def pair_verdict(row: Row, config: EvaluationConfig) -> str:
    """One pair in one sentence: which exceeds the other and by how much, or what would show it."""
    first, second, difference = str(row["first"]), str(row["second"]), float(row["difference"])
    if math.isnan(difference):
        return f"{first} and {second} cannot be compared: {row['reason']}"
    low, high = float(row["low"]), float(row["high"])
    if difference < 0:
        first, second, difference, low, high = second, first, -difference, -high, -low
    interval = f"{100 * config.level:g} % interval {_number(low)} to {_number(high)}"
    if exceeds(row, config):
        return f"{first} exceeds {second} by {_number(difference)} AUROC, {interval}"
    what = f"{first} exceeds {second}" if round(difference, 2) else f"{first} and {second} differ"
    text = f"not shown that {what}: difference {_number(difference)} AUROC, {interval}"
    return f"{text}; {_what_would_show_it(row)}{_not_inferior(row, config)}"


def exceeds(row: Row, config: EvaluationConfig) -> bool:
    """Whether a row's difference is shown, in either direction."""
    apart = row["low"] > 0 or row["high"] < 0
    return bool(apart and row["p_holm"] < 1 - config.level)


def _of_part(part: str, pairs: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig) -> PartVerdict:
    aurocs = metrics.to_dict("records")
    networks = [row for row in aurocs if not is_floor(str(row["model"]))]
    floors = [row for row in aurocs if is_floor(str(row["model"]))]
    best = max(floors, key=lambda row: -1.0 if math.isnan(row["value"]) else row["value"], default=None)
    others = {row["model"] for row in floors if row is not best}
    shown = [
        row
        for row in pairs.to_dict("records")
        if _names(row) & {network["model"] for network in networks} and not _names(row) & others
    ]
    head = _beside_chance(networks, config)
    if best is not None and networks:
        head += (_beside_floor(best, shown, config),)
    said = tuple(pair_verdict(row, config) for row in shown)
    return PartVerdict(part, int(aurocs[0]["n_patients"]), int(aurocs[0]["n_eyes"]), head, said)


def _beside_chance(networks: Sequence[Row], config: EvaluationConfig) -> tuple[str, ...]:
    """Nothing where all networks are better than chance."""
    lost = [row for row in networks if not row["low"] > 0.5]  # an interval that is not known shows nothing
    if not lost:
        return ()
    who = "; ".join(f"{row['model']}, {_auroc(row, config)}" for row in lost)
    one_of = "No network is" if len(lost) == len(networks) else "Not"
    return (f"{one_of} shown to be better than chance, which is an AUROC of .50: {who}",)


def _auroc(row: Row, config: EvaluationConfig) -> str:
    if math.isnan(row["value"]):
        return "AUROC unknown"
    if math.isnan(row["low"]):
        return f"AUROC {_number(row['value'])} without an interval"
    interval = f"{100 * config.level:g} % interval {_number(row['low'])} to {_number(row['high'])}"
    return f"AUROC {_number(row['value'])}, {interval}"


def _beside_floor(floor_row: Row, rows: Sequence[Row], config: EvaluationConfig) -> str:
    """Whether a network exceeds the best floor."""
    floor = floor_row["model"]
    better = [
        (_names(row) - {floor}).pop()
        for row in rows
        if floor in _names(row) and exceeds(row, config) and (row["difference"] > 0) == (row["second"] == floor)
    ]
    about = f"the best floor, {floor} ({_auroc(floor_row, config)})"
    if better:
        return f"Better than {about}: {', '.join(map(str, better))}"
    return f"No network is shown to be better than {about}"


def _names(row: Row) -> set[Any]:
    return {row["first"], row["second"]}


def _what_would_show_it(row: Row) -> str:
    if math.isnan(row["p_holm"]):
        return "these are too few eyes to test it"
    if row["low"] > 0 or row["high"] < 0:
        return "the interval alone would, but not after the correction for all pairs"
    needed = row["eyes_needed"]
    if math.isnan(needed):
        return "no number of eyes can be named that would show it"
    if needed > MANY:
        return f"more than {MANY:,} eyes would be needed to show it"
    return f"about {needed:.0f} eyes would show a difference of this size"


def _not_inferior(row: Row, config: EvaluationConfig) -> str:
    which = {"first": row["first"], "second": row["second"]}.get(row["non_inferior"])
    margin = f"by a margin of {_number(config.margin)}"
    if row["non_inferior"] == "both":
        return f"; neither is inferior {margin}"
    return f"; {which} is not inferior {margin}" if which else ""


def _number(value: float) -> str:
    """.12, -.05, 1.00: two digits, and no zero before the point."""
    text = f"{round(value, 2) + 0.0:.2f}"
    return text.replace("0.", ".", 1) if abs(value) < 0.995 else text

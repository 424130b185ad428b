"""What a comparison of models comes to, in plain words."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.predictions import FLOOR_MARK
from octa_kedro.evaluation.tables import PART_TITLES, as_text

MANY = 100_000
Row = Mapping[Hashable, Any]


@dataclass(frozen=True)
class PartVerdict:
    """What the eyes of one part show: how networks stand beside the best floor (empty where there is no floor, or no
    network), and the pairs, a sentence each."""

    part: str
    n_patients: int
    n_eyes: int
    beside_floor: tuple[str, ...]
    of_networks: tuple[str, ...]


def part_verdicts(comparisons: pd.DataFrame, config: EvaluationConfig) -> list[PartVerdict]:
    """The verdict of each part as plain sentences without a full stop: first whether a network exceeds the best floor,
    then the pairs of networks, and each network beside the best floor. No verdict for a single model.

    A difference of AUROCs is shown if its interval does not hold 0 and its p, corrected for all pairs, is below
    1 - `config.level`.
    """
    rows = comparisons[comparisons["metric"] == "auroc"]
    return [_of_part(str(part), table, config) for part, table in rows.groupby("part", sort=False)]


def verdict_text(comparisons: pd.DataFrame, config: EvaluationConfig) -> str:
    """Return `part_verdicts` as Markdown, a paragraph per part; an empty text for a single model."""
    blocks = [_as_markdown(one) for one in part_verdicts(comparisons, config)]
    return "\n".join(["# What the comparison shows\n", *blocks]) if blocks else ""


def _as_markdown(one: PartVerdict) -> str:
    title = f"## {PART_TITLES.get(one.part, one.part)} ({one.n_patients} patients, {one.n_eyes} eyes)\n"
    head = [f"**{as_text(words)}.**\n" for words in one.beside_floor]
    return "\n".join([title, *head, *(f"- {as_text(words)}" for words in one.of_networks), ""])


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


def _of_part(part: str, rows: pd.DataFrame, config: EvaluationConfig) -> PartVerdict:
    records = rows.to_dict("records")
    values = {row[side]: row[f"{side}_value"] for row in records for side in ("first", "second")}
    floors = {model: value for model, value in values.items() if str(model).startswith(FLOOR_MARK)}
    best = max(floors, key=lambda model: -1.0 if math.isnan(floors[model]) else floors[model], default=None)
    shown = [row for row in records if _names(row) - floors.keys() and not _names(row) & (floors.keys() - {best})]
    judged = best is not None and len(floors) < len(values)
    head = (_beside_floor(str(best), values, shown, config),) if judged else ()
    first, pairs = records[0], tuple(pair_verdict(row, config) for row in shown)
    return PartVerdict(part, int(first["n_patients"]), int(first["n_eyes"]), head, pairs)


def _beside_floor(floor: str, values: Mapping[Any, float], rows: Sequence[Row], config: EvaluationConfig) -> str:
    """The sentence that comes first."""
    auroc = "unknown" if math.isnan(values[floor]) else _number(values[floor])
    better = [
        (_names(row) - {floor}).pop()
        for row in rows
        if floor in _names(row) and exceeds(row, config) and (row["difference"] > 0) == (row["second"] == floor)
    ]
    about = f"the best floor, {floor} (AUROC {auroc})"
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

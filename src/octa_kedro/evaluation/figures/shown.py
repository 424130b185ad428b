"""What figures show of a predictions table: its parts, its models in their looks, and how many eyes there are."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.estimates import EXACT
from octa_kedro.evaluation.figures.style import BEST_FLOOR_LOOK, FLOOR_LOOK, Look, network_look
from octa_kedro.evaluation.names import FLOOR, is_floor, model_titles
from octa_kedro.evaluation.predictions import CLASS_MARK, PARTS, REQUIRED_COLUMNS, detection, require_columns
from octa_kedro.evaluation.predictions import class_columns as class_columns_of
from octa_kedro.evaluation.tables import PART_TITLES, format_counts, format_interval, metric_table

Row = Mapping[Hashable, Any]


@dataclass(frozen=True)
class Drawn:
    """One model in one part: its rows of the predictions, its row of the metric table, its title and its look."""

    model: str
    title: str
    rows: pd.DataFrame
    metric: Row
    look: Look
    is_floor: bool
    is_best_floor: bool = False

    @property
    def two_lines(self) -> str:
        """The title above a narrow panel: what stands in brackets, if there is such, has a line of its own."""
        first, mark, second = self.title.partition(" (")
        return f"{first}\n{mark.strip()}{second}"

    @property
    def in_legend(self) -> str:
        """The title beside networks, where at most one floor is named: the best."""
        return f"best floor, {self.title.removesuffix(FLOOR)}" if self.is_floor else self.title

    @property
    def value(self) -> str:
        """The metric with its interval, marked where that is the exact bound, or why there is none."""
        text = format_interval(self.metric["value"], self.metric["low"], self.metric["high"])
        if np.isnan(self.metric["value"]):
            return f"{text} ({self.metric['reason']})"
        if np.isnan(self.metric["low"]):
            return f"{self.metric['value']:.2f} (no interval)"
        return f"{text} exact bound" if is_exact(self.metric) else text


def is_exact(metric: Row) -> bool:
    """Whether an interval is the one-sided exact bound of an AUROC of 0 or 1."""
    return bool(metric["interval"] == EXACT)


def present_parts(pooled: pd.DataFrame) -> list[str]:
    """The parts that the table has, out of fold first."""
    return [part for part in PARTS if (pooled["part"] == part).any()]


def of_two_classes(
    pooled: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Predictions and their metrics as those of two classes, and which eyes count as positive, in words.

    With more than two classes these are all but the first, and the metrics are computed anew.
    """
    require_columns(pooled, REQUIRED_COLUMNS, "predictions")
    if not (columns := class_columns_of(pooled)):
        return pooled, metrics, ""
    two = detection(pooled)
    return two, metric_table(two, config), f" of any class but {columns[0].removeprefix(CLASS_MARK)}"


def drawn_models(pooled: pd.DataFrame, metrics: pd.DataFrame, part: str, metric: str) -> list[Drawn]:
    """The models of one part in the table's order, with their values of `metric`; the floor with the highest value is
    the best one. A model has the same look in every part."""
    titles = model_titles(pooled)
    networks = [model for model in titles if not is_floor(model)]
    rows = metrics[(metrics["part"] == part) & (metrics["metric"] == metric)]
    values: dict[str, Row] = {str(row["model"]): row for row in rows.to_dict("records")}
    best = best_floor(values)
    found = []
    for model, title in titles.items():
        own = pooled[(pooled["model"] == model) & (pooled["part"] == part)]
        if own.empty or model not in values:
            continue
        floor, chosen = is_floor(model), model == best
        look = (BEST_FLOOR_LOOK if chosen else FLOOR_LOOK) if floor else network_look(networks.index(model))
        found.append(Drawn(model, title, own, values[model], look, floor, chosen))
    return found


def best_floor(values: Mapping[str, Row]) -> str | None:
    """The floor with the highest value, None if there is none."""
    floors = [model for model in values if is_floor(model)]
    return max(floors, key=lambda model: np.nan_to_num(float(values[model]["value"]), nan=-1.0), default=None)


def networks_and_best_floor(drawn: list[Drawn]) -> list[Drawn]:
    """Those that are looked at closely."""
    return [one for one in drawn if not one.is_floor or one.is_best_floor]


def panel_title(part: str, drawn: list[Drawn]) -> str:
    """The part, and how many eyes of how many patients it has."""
    texts = {format_counts(one.metric) for one in drawn}
    counts = texts.pop() if len(texts) == 1 else "n differs between models"
    return f"{PART_TITLES[part]}\n{counts}"


def auroc_words(config: EvaluationConfig, drawn: list[Drawn]) -> str:
    """How the intervals of AUROCs were computed."""
    level = f"{100 * config.level:g} %"
    how = "DeLong with a logit" if config.auroc_interval == "delong" else _bootstrap_words(config)
    words = f"AUROC with its {level} interval: {how}"
    if any(is_exact(one.metric) for one in drawn):
        words += (
            "; exact bound: the one-sided Clopper-Pearson bound of an AUROC of 1.00 over disjoint pairs of patients"
        )
    return f"{words}."


def bootstrap_words(config: EvaluationConfig) -> str:
    """How bands were computed."""
    return f"Bands: pointwise {100 * config.level:g} % {_bootstrap_words(config)}, drawn for networks alone."


def _bootstrap_words(config: EvaluationConfig) -> str:
    return f"percentile bootstrap over patients, stratified by class ({config.resamples} resamples)"

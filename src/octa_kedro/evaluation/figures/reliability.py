"""Reliability diagrams: how often it happened where a probability was stated, before and after a temperature."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.figures.shown import Drawn, drawn_models, networks_and_best_floor, present_parts
from octa_kedro.evaluation.figures.style import SMALL, WIDE, dress, entitle, sheet
from octa_kedro.evaluation.metrics import FloatArray
from octa_kedro.evaluation.predictions import class_columns, patients_behind
from octa_kedro.evaluation.probabilities import tempered
from octa_kedro.evaluation.proportions import proportion_interval
from octa_kedro.evaluation.scores import judge_rows
from octa_kedro.evaluation.tables import PART_TITLES
from octa_kedro.panels import plain

EYES_A_BIN = 6
"""A bin has about so many eyes; there are at most MOST_BINS."""
MOST_BINS = 8


class Bin(NamedTuple):
    """Eyes of similar probability: its mean, the share of them that it happened to, the interval of that share."""

    stated: float
    share: float
    low: float
    high: float


def reliability_figure(
    pooled: pd.DataFrame, metrics: pd.DataFrame, calibration: pd.DataFrame, config: EvaluationConfig
) -> Figure:
    """Return a diagram per part and model (networks and the best floor), with a histogram of probabilities below.

    Input: the result of `pool_predictions`, its `metric_table` and its `calibration_table`. Bins hold equally many
    eyes. With more than two classes the probability is that of the class that was called, and what happens is that it
    is right.
    """
    ranked_by = "macro_auroc" if class_columns(pooled) else "auroc"
    shown = {
        part: networks_and_best_floor(drawn_models(pooled, metrics, part, ranked_by)) for part in present_parts(pooled)
    }
    across = max(len(drawn) for drawn in shown.values())
    figure = sheet(66 * len(shown) + 20, max(85.0, min(WIDE, 45 * across)))
    grid = figure.subplots(2 * len(shown), across, squeeze=False, height_ratios=[3.2, 1] * len(shown), sharex=True)
    for row, (part, drawn) in enumerate(shown.items()):
        pair = grid[2 * row : 2 * row + 2]
        for panel in pair[:, len(drawn) :].flat:
            panel.set_axis_off()
        for column, one in enumerate(drawn):
            known = calibration[(calibration["model"] == one.model) & (calibration["part"] == part)]
            _draw(pair[:, column], one, known, part, config, first=column == 0)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), fontsize=SMALL, frameon=False)
    stated = "the called class" if class_columns(pooled) else "the positive class"
    entitle(
        figure,
        "Reliability",
        f"Probability of {stated}, in bins of equally many eyes (about {EYES_A_BIN}); vertical lines: "
        f"{100 * config.level:g} % Wilson intervals. Below: how many eyes have which probability before the "
        "temperature. T was fitted on out-of-fold eyes, so that what it gives there is optimistic. ECE: expected "
        "calibration error, above 0 by chance with few eyes.",
    )
    return figure


def _draw(
    axes: np.ndarray, one: Drawn, known: pd.DataFrame, part: str, config: EvaluationConfig, *, first: bool
) -> None:
    judged, patients = judge_rows(one.rows, config.threshold), patients_behind(one.rows)
    temperature = float(known["temperature"].iloc[0]) if len(known) else math.nan
    upper, lower = axes
    upper.plot([0, 1], [0, 1], color="0.75", linewidth=0.8, linestyle=":")
    stated, happened = _stated(judged.shares, judged.target, judged.called)
    _draw_bins(upper, bins_of(stated, happened, patients, config.level), "0.45", "o", "before", filled=False)
    if not math.isnan(temperature):
        after, happened_after = _stated(tempered(judged.shares, temperature), judged.target, judged.called)
        bins = bins_of(after, happened_after, patients, config.level)
        _draw_bins(upper, bins, one.look.colour, "s", "after temperature")
    upper.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    dress(upper, title=plain(f"{one.two_lines}\n{PART_TITLES[part]}, {len(one.rows)} eyes"), y="Share" if first else "")
    upper.title.set_fontsize(SMALL + 0.5)
    upper.text(0.97, 0.03, _numbers(known, temperature), fontsize=SMALL - 0.5, ha="right", transform=upper.transAxes)
    lower.hist(stated, bins=np.linspace(0, 1, 11), color=one.look.colour, alpha=0.55)
    dress(lower, x="Probability", y="Eyes" if first else "")


def _numbers(known: pd.DataFrame, temperature: float) -> str:
    error = known[known["metric"] == "ece"]
    if error.empty:
        return ""
    before, after = float(error["before"].iloc[0]), float(error["after"].iloc[0])
    if math.isnan(temperature):
        return f"no temperature\nECE {before:.2f}"
    return f"T {temperature:.2f}\nECE {before:.2f} \N{RIGHTWARDS ARROW} {after:.2f}"


def _stated(shares: FloatArray, target: np.ndarray, called: np.ndarray) -> tuple[FloatArray, np.ndarray]:
    """The probability of each eye, and whether what it is of has happened."""
    if shares.shape[1] == 2:
        return shares[:, 1], target == 1
    return shares.max(axis=1), called == target


def bins_of(stated: FloatArray, happened: np.ndarray, patients: pd.Series, level: float) -> list[Bin]:
    """Bins of equally many eyes of `patients` (N,) by `stated` (N,); equal probabilities share a bin."""
    number = int(np.clip(len(stated) // EYES_A_BIN, 1, MOST_BINS))
    edges = np.unique(np.quantile(stated, np.linspace(0, 1, number + 1)[1:-1]))
    place = np.searchsorted(edges, stated, side="right")
    found = []
    for k in np.unique(place):
        own = place == k
        low, high, _ = proportion_interval(happened[own], patients[own], level)
        found.append(Bin(float(stated[own].mean()), float(happened[own].mean()), low, high))
    return found


def _draw_bins(axes: Axes, bins: list[Bin], colour: str, marker: str, label: str, *, filled: bool = True) -> None:
    x, y = [one.stated for one in bins], [one.share for one in bins]
    axes.vlines(x, [one.low for one in bins], [one.high for one in bins], color=colour, linewidth=0.8, alpha=0.7)
    face = colour if filled else "white"
    axes.plot(x, y, marker, color=colour, markerfacecolor=face, markersize=4, label=label, linestyle="-", linewidth=0.8)

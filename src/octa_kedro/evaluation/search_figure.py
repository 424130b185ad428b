"""One figure of a hyper-parameter search; it touches no global state."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from octa_kedro.evaluation.plots import COLOURS

COLUMNS = 4  # slices in a row
PANEL = 3.0
ORDER = colormaps["viridis"]
MARKERS = {"complete": "o", "pruned": "x"}


def search_figure(
    trials: pd.DataFrame,
    *,
    model: str,
    metric: str,
    maximise: bool,
    logarithmic: Mapping[str, bool],
    importances: Mapping[str, float],
) -> Figure:
    """The value over trials, the importance of each parameter, and the value over each parameter.

    `trials` has the columns trial, state, value and one per parameter; `logarithmic` says, for each parameter in the
    order of the panels, whether its axis is. Colour is the order of trials, dark first.
    """
    paths = list(logarithmic)
    rows = -(-len(paths) // COLUMNS)
    figure = Figure(figsize=(PANEL * COLUMNS + 1, PANEL * (rows + 1) + 0.6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1, rows], squeeze=False)[:, 0]
    left, right = above.subplots(1, 2, width_ratios=[2.2, 1])
    _draw_history(left, trials, metric, maximise)
    _draw_importances(right, importances)
    grid = below.subplots(rows, COLUMNS, squeeze=False, sharey=True)
    for axes, path in zip(grid.flat, paths, strict=False):
        _draw_slice(axes, trials, path, logarithmic=logarithmic[path])
    for axes in grid.flat[len(paths) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel(metric)
    figure.suptitle(f"Search for {model}: {metric}, mean over validation folds", fontsize=13)
    return figure


def _draw_history(axes: Axes, trials: pd.DataFrame, metric: str, maximise: bool) -> None:
    complete = trials[trials["state"] == "complete"]
    best = complete["value"].cummax() if maximise else complete["value"].cummin()
    axes.step(complete["trial"], best, where="post", color=COLOURS[1], label="best so far")
    for state, marker in MARKERS.items():
        rows = trials[trials["state"] == state]
        if len(rows):
            axes.scatter(rows["trial"], rows["value"], marker=marker, color=COLOURS[0], label=state, zorder=3)
    failed = trials[trials["state"] == "failed"]
    for place, trial in enumerate(failed["trial"]):
        axes.axvline(trial, color="0.7", linestyle=":", label="failed" if place == 0 else None)
    axes.set(xlabel="Trial", ylabel=metric, xlim=(0.5, len(trials) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="0.94")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.14), ncols=4, frameon=False, fontsize=9)


def _draw_importances(axes: Axes, importances: Mapping[str, float]) -> None:
    axes.set_title("Importance (share of the variance)", fontsize=10)
    if not importances:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "too few different trials", ha="center", va="center", transform=axes.transAxes)
        return
    names, shares = list(importances), list(importances.values())
    axes.barh(names, shares, color=COLOURS[0])
    axes.set_xlim(0, 1)
    axes.invert_yaxis()


def _draw_slice(axes: Axes, trials: pd.DataFrame, path: str, *, logarithmic: bool) -> None:
    shown = trials[trials["state"].isin(MARKERS)]
    places, labels = _places(shown[path])
    order = Normalize(1, max(2, len(trials)))
    for state, marker in MARKERS.items():
        chosen = (shown["state"] == state).to_numpy()
        colours = ORDER(order(shown.loc[chosen, "trial"].to_numpy(float)))
        axes.scatter(places[chosen], shown.loc[chosen, "value"], marker=marker, c=colours, s=28)
    axes.set_xlabel(path)
    axes.grid(color="0.94")
    if labels:
        axes.set_xticks(range(len(labels)), labels, fontsize=9)
        axes.set_xlim(-0.6, len(labels) - 0.4)
    elif logarithmic:
        axes.set_xscale("log")


def _places(values: pd.Series) -> tuple[np.ndarray[Any, np.dtype[np.float64]], Sequence[str]]:
    """Numbers as they are; anything else as its place among the different values, which are the labels."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.to_numpy(float), []
    words = values.astype(str)
    labels = sorted(set(words))
    return words.map(labels.index).to_numpy(float), labels

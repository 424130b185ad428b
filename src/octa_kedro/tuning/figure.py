"""One figure of a hyper-parameter search; it changes no global state of matplotlib."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from octa_kedro.evaluation.figures.style import COLOURS
from octa_kedro.panels import plain
from octa_kedro.tuning.config import TuningConfig
from octa_kedro.tuning.result import SearchResult

COLUMNS = 4  # slices in a row
PANEL = 3.0
ORDER = colormaps["viridis"]
LIGHTEST = 0.85  # beyond it viridis is a yellow that vanishes on white
MARKERS = {"complete": "o", "pruned": "x"}


@dataclass(frozen=True)
class Searched:
    """What a parameter could be: the ends of its range, or its `choices`."""

    ends: Sequence[Any]
    log: bool = False
    choices: bool = False


def result_figure(found: SearchResult, model: str, tuning: TuningConfig) -> Figure:
    """`search_figure` of a search's result."""
    space = {path: Searched(one.ends, one.log, one.choices is not None) for path, one in sorted(tuning.space.items())}
    return search_figure(
        found.trials,
        space,
        model=model,
        metric=tuning.metric,
        maximise=tuning.goal == "maximise",
        importances=found.importances,
    )


def search_figure(
    trials: pd.DataFrame,
    space: Mapping[str, Searched],
    *,
    model: str,
    metric: str,
    maximise: bool,
    importances: Mapping[str, float],
) -> Figure:
    """The value over trials, the importance of each parameter where it is known, and the value over each parameter.

    `trials` has the columns trial, state, value and one per parameter of `space`, whose panels are in that order.
    """
    columns = min(COLUMNS, len(space))
    rows = -(-len(space) // columns)
    figure = Figure(figsize=(PANEL * COLUMNS + 1, PANEL * (rows + 1) + 0.9), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1, rows], squeeze=False)[:, 0]
    if importances:
        history, shares = above.subplots(1, 2, width_ratios=[2.2, 1])
        _draw_importances(shares, importances)
    else:
        history = above.subplots()
    _draw_history(history, trials, metric, maximise)
    grid = below.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, (path, searched) in zip(grid.flat, space.items(), strict=False):
        _draw_slice(axes, trials, path, searched)
    for axes in grid.flat[len(space) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel(metric)
    above.suptitle(f"Search for {plain(model)}: {metric}, mean over validation folds", fontsize=13)
    below.suptitle("By parameter; dark: first trials, light: last", fontsize=11)
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
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.98), ncols=4, frameon=False, fontsize=9)


def _draw_importances(axes: Axes, importances: Mapping[str, float]) -> None:
    axes.set_title("What sets the best quarter apart (share)", fontsize=10)
    axes.barh(list(importances), list(importances.values()), color=COLOURS[0])
    axes.set_xlim(0, 1)
    axes.invert_yaxis()


def _draw_slice(axes: Axes, trials: pd.DataFrame, path: str, searched: Searched) -> None:
    order = Normalize(1, max(2, len(trials)) / LIGHTEST)
    labels = [str(choice) if isinstance(choice, str) else json.dumps(choice) for choice in searched.ends]
    for state, marker in MARKERS.items():
        rows = trials[trials["state"] == state]
        places = [labels.index(_word(value)) for value in rows[path]] if searched.choices else rows[path].astype(float)
        colours = ORDER(order(rows["trial"].to_numpy(float)))
        axes.scatter(places, rows["value"], marker=marker, c=colours, s=28, zorder=3)
    axes.set_xlabel(path)
    axes.grid(color="0.94")
    if searched.choices:
        axes.set_xticks(range(len(labels)), [plain(label) for label in labels], fontsize=9)
        axes.set_xlim(-0.6, len(labels) - 0.4)
        return
    low, high = (float(end) for end in searched.ends)
    if searched.log:
        axes.set_xscale("log")
        margin = (high / low) ** 0.04
        axes.set_xlim(low / margin, high * margin)
        if high >= 10 * low:
            axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(low - 0.04 * (high - low), high + 0.04 * (high - low))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=pd.api.types.is_integer_dtype(trials[path])))


def _word(value: Any) -> str:
    """A value of the trials' table as its choice is written: the table holds lists as text, and numbers of numpy."""
    plain = value.item() if hasattr(value, "item") else value
    return plain if isinstance(plain, str) else json.dumps(plain)

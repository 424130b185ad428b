"""ROC and precision-recall curves: a panel per part, networks in colour with their bands, floors in grey."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.figures.bands import (
    Band,
    precision_recall_band,
    precision_recall_points,
    roc_band,
    roc_points,
)
from octa_kedro.evaluation.figures.shown import (
    Drawn,
    auroc_words,
    bootstrap_words,
    drawn_models,
    of_two_classes,
    panel_title,
    present_parts,
)
from octa_kedro.evaluation.figures.style import FLOOR, dress, entitle, legend_below, sheet
from octa_kedro.evaluation.metrics import FloatArray
from octa_kedro.evaluation.tables import format_counts
from octa_kedro.panels import plain

Points = Callable[[pd.DataFrame], tuple[FloatArray, FloatArray]]
Bands = Callable[[pd.DataFrame, EvaluationConfig], Band]
LINE_MM = 3.6


def roc_figure(pooled: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig) -> Figure:
    """Return the ROC curves; in the legend the AUROC and its interval.

    Input: the result of `pool_predictions` and its `metric_table`. With more than two classes the curves are of all
    classes but the first together. Networks have a pointwise bootstrap band; of the floors only the best is named.
    """
    pooled, metrics, what = of_two_classes(pooled, metrics, config)
    shown = {part: drawn_models(pooled, metrics, part, "auroc") for part in present_parts(pooled)}
    figure, panels = _panels(shown)
    for axes, (part, drawn) in zip(panels, shown.items(), strict=True):
        axes.plot([0, 1], [0, 1], color="0.75", linewidth=0.8, linestyle=":", label="chance  0.50")
        _draw_models(axes, drawn, roc_points, roc_band, config, steps=False)
        _finish(axes, panel_title(part, drawn), "1 - specificity", "Sensitivity")
    everyone = [one for drawn in shown.values() for one in drawn]
    entitle(figure, f"ROC curves{what}", f"{auroc_words(config, everyone)} {bootstrap_words(config)}")
    return figure


def precision_recall_figure(pooled: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig) -> Figure:
    """Return precision over recall as steps; in the legend the average precision and its interval. Input as of
    `roc_figure`."""
    pooled, metrics, what = of_two_classes(pooled, metrics, config)
    shown = {part: drawn_models(pooled, metrics, part, "auprc") for part in present_parts(pooled)}
    figure, panels = _panels(shown)
    for axes, (part, drawn) in zip(panels, shown.items(), strict=True):
        share = float((drawn[0].rows["target"] > 0).mean())
        axes.axhline(share, color="0.75", linewidth=0.8, linestyle=":", label=f"chance  {share:.2f}")
        _draw_models(axes, drawn, precision_recall_points, precision_recall_band, config, steps=True)
        _finish(axes, panel_title(part, drawn), "Recall (sensitivity)", "Precision (PPV)")
    note = (
        f"Average precision with its {100 * config.level:g} % interval: percentile bootstrap over patients, stratified "
        f"by class ({config.resamples} resamples). {bootstrap_words(config)} Chance is the share of positive eyes."
    )
    entitle(figure, f"Precision and recall{what}", note)
    return figure


def _panels(shown: dict[str, list[Drawn]]) -> tuple[Figure, Sequence[Axes]]:
    lines = max(sum(not one.is_floor for one in drawn) for drawn in shown.values()) + 3
    figure = sheet(120 + LINE_MM * lines, 180 if len(shown) > 1 else 100)
    return figure, figure.subplots(1, len(shown), squeeze=False)[0]


def _draw_models(
    axes: Axes, drawn: Sequence[Drawn], points: Points, band: Bands, config: EvaluationConfig, *, steps: bool
) -> None:
    """Floors first, so that networks lie over them; the legend has networks first."""
    several = len({format_counts(one.metric) for one in drawn}) > 1
    handles = {}
    for one in sorted(drawn, key=lambda one: (not one.is_floor, one.is_best_floor)):
        known = bool(np.isfinite(one.metric["value"]))
        x, y = points(one.rows) if known else (np.empty(0), np.empty(0))
        if steps and known:
            x, y = np.r_[0, x], np.r_[y[0], y]
        if known and not one.is_floor:
            region = band(one.rows, config)
            step: Literal["pre", "post"] = "pre" if steps else "post"
            axes.fill_between(*region, color=one.look.colour, alpha=0.13, linewidth=0, step=step)
        (handles[one.model],) = axes.plot(x, y, **one.look.style, drawstyle="steps-pre" if steps else "default")
    others = [one for one in drawn if one.is_floor and not one.is_best_floor]
    for one in sorted((one for one in drawn if one not in others), key=lambda one: one.is_floor):
        counts = f"\n{format_counts(one.metric)}" if several else ""
        handles[one.model].set_label(plain(f"{one.in_legend}  {one.value}{counts}"))
    _name_others(axes, others)


def _name_others(axes: Axes, others: Sequence[Drawn]) -> None:
    values = [one.metric["value"] for one in others if np.isfinite(one.metric["value"])]
    if values:
        ends = f"{min(values):.2f} to {max(values):.2f}" if len(values) > 1 else f"{values[0]:.2f}"
        axes.plot([], [], color=FLOOR, linewidth=0.8, label=f"{len(values)} other floors  {ends}")


def _finish(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    dress(axes, title=title, x=x, y=y)
    handles, labels = axes.get_legend_handles_labels()
    # Networks, best floor, other floors, and chance last.
    order = sorted(range(len(labels)), key=lambda k: (_rank(labels[k]), k))
    legend_below(axes, handles=[handles[k] for k in order], labels=[labels[k] for k in order])


def _rank(label: str) -> int:
    marks = ("best floor", "chance")
    if label.startswith(marks):
        return 1 + 2 * marks.index(label.split("  ", maxsplit=1)[0].split(",", maxsplit=1)[0])
    return 2 if " other floors  " in label else 0

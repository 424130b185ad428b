"""Confusion matrices of networks and of the best floor, a row per part."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from octa_kedro.errors import ConfigError
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.figures.shown import drawn_models, networks_and_best_floor, present_parts
from octa_kedro.evaluation.figures.style import SMALL, TEXT, WIDE, dress, entitle, sheet
from octa_kedro.evaluation.metrics import confusion_counts, multiclass_counts
from octa_kedro.evaluation.predictions import REQUIRED_COLUMNS, class_columns, require_columns
from octa_kedro.evaluation.tables import PART_TITLES
from octa_kedro.evaluation.thresholds import thresholds_of
from octa_kedro.panels import plain

ACROSS = 4
"""Matrices beside each other."""


def confusion_figure(
    pooled: pd.DataFrame, metrics: pd.DataFrame, config: EvaluationConfig, class_names: Sequence[str]
) -> Figure:
    """Return confusion matrices with counts and shares of the true class, those of a part together.

    Input: the result of `pool_predictions` and its `metric_table`. ConfigError if `class_names` are not the classes.
    """
    require_columns(pooled, REQUIRED_COLUMNS, "predictions")
    classes = max(2, len(class_columns(pooled)))
    if len(class_names) != classes:
        raise ConfigError(f"class_names {list(class_names)} are not the {classes} classes of the predictions")
    thresholds = thresholds_of(pooled, config)
    ranked_by = "macro_auroc" if class_columns(pooled) else "auroc"
    shown = [
        (part, one)
        for part in present_parts(pooled)
        for one in networks_and_best_floor(drawn_models(pooled, metrics, part, ranked_by))
    ]
    across = min(ACROSS, max(sum(part == each for part, _ in shown) for each in present_parts(pooled)))
    rows = [shown[k : k + across] for k in _starts([part for part, _ in shown], across)]
    figure = sheet((47 + 8 * (classes - 2)) * len(rows) + 16, max(85.0, WIDE * across / ACROSS))
    grid = figure.subplots(len(rows), across, squeeze=False)
    for axes, line in zip(grid, _same_part(rows), strict=True):
        for panel in axes[len(line) :]:
            panel.set_axis_off()
        for panel, (part, one) in zip(axes, line, strict=False):
            threshold = thresholds[one.model]
            _draw(panel, one.rows, threshold.value, class_names, first=panel is axes[0])
            panel.set_title(plain(f"{one.two_lines}\n{PART_TITLES[part]}, {len(one.rows)} eyes"), fontsize=SMALL + 0.5)
    rules = list(dict.fromkeys(map(str, thresholds.values())))
    entitle(
        figure,
        "Confusion matrices",
        f"Counts and, below, shares of the eyes of the true class. Decision: {', '.join(rules)}. Floors: the one with "
        "the highest AUROC in each part. Sensitivity and specificity with intervals: table of metrics.",
    )
    return figure


def _starts(parts: Sequence[str], across: int) -> list[int]:
    """Where rows of panels begin: at each new part, and after `across` panels of one."""
    starts: list[int] = []
    for k, part in enumerate(parts):
        if not starts or part != parts[starts[-1]] or k - starts[-1] == across:
            starts.append(k)
    return starts


def _same_part(rows: Sequence[list]) -> list[list]:
    """Rows cut where the next part begins."""
    return [[one for one in row if one[0] == row[0][0]] for row in rows]


def _draw(axes: Axes, rows: pd.DataFrame, threshold: float, class_names: Sequence[str], *, first: bool) -> None:
    if columns := class_columns(rows):
        counts = multiclass_counts(rows["target"], rows[columns])
    else:
        counts = confusion_counts(rows["target"], rows["probability"], threshold)
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    axes.imshow(shares, cmap=colormaps["Blues"], vmin=0, vmax=1)
    dress(axes, x="Predicted", y="True" if first else "", grid=False)
    for true, predicted in np.ndindex(*counts.shape):
        percentage = f"{100 * shares[true, predicted]:.0f} %" if totals[true] else "n/a"
        axes.text(
            predicted,
            true,
            f"{counts[true, predicted]}\n{percentage}",
            ha="center",
            va="center",
            fontsize=TEXT + 1 if len(counts) < 4 else SMALL,
            color="white" if shares[true, predicted] > 0.55 else "black",
        )
    ticks = range(len(counts))
    axes.set_xticks(ticks, [plain(name) for name in class_names], fontsize=SMALL)
    names = [plain(name) for name in class_names] if first else [""] * len(counts)
    axes.set_yticks(ticks, names, fontsize=SMALL, rotation=90, va="center")

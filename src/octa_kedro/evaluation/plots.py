"""Figures of an evaluation; each function returns a matplotlib Figure and touches no global state."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import roc_curve

from octa_kedro.cohort.trainings import training_words
from octa_kedro.errors import ConfigError
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.metrics import FloatArray, confusion_counts, multiclass_counts
from octa_kedro.evaluation.predictions import (
    CLASS_MARK,
    PARTS,
    REQUIRED_COLUMNS,
    class_columns,
    detection,
    require_columns,
)
from octa_kedro.evaluation.tables import PART_TITLES, format_counts, format_interval, metric_table
from octa_kedro.evaluation.thresholds import thresholds_of
from octa_kedro.panels import Margins, figure_of_panels, plain

# Okabe and Ito 2008, without the yellow that vanishes on white; readable with every colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# A second sign beside colour, for grey prints and for curves that coincide.
STYLES = ("-", "--", "-.", ":")
# On the left there is place for labels like 2.6 x 10^-2, which a logarithmic axis has where little changes.
HISTORY_MARGINS = Margins(left=1.2, right=0.12, top=0.52, bottom=1.12, across=0.2, down=0.36)


def roc_figure(pooled: pd.DataFrame, config: EvaluationConfig) -> Figure:
    """Return the ROC curves: a panel per part, a curve per model, AUROC and its interval in the legend.

    With more than two classes they are of the first class against all others together.
    """
    require_columns(pooled, REQUIRED_COLUMNS, "predictions")
    what = "ROC"
    if columns := class_columns(pooled):
        what, pooled = f"ROC of any class but {plain(columns[0].removeprefix(CLASS_MARK))}", detection(pooled)
    metrics = metric_table(pooled, config)
    aurocs = metrics[metrics["metric"] == "auroc"]
    models = list(dict.fromkeys(pooled["model"]))
    parts = _present_parts(pooled)
    figure = _figure(5.4 * len(parts), 5.6 + 0.22 * len(models))
    for axes, part in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts, strict=True):
        _draw_roc(axes, pooled[pooled["part"] == part], aurocs[aurocs["part"] == part], models)
        title = f"{PART_TITLES[part]}\n{_panel_counts(aurocs[aurocs['part'] == part])}"
        axes.set_title(title, fontsize=12)
    figure.suptitle(f"{what}, AUROC with {100 * config.level:g} % interval", fontsize=13)
    return figure


def confusion_figure(pooled: pd.DataFrame, config: EvaluationConfig, class_names: Sequence[str]) -> Figure:
    """Return the confusion matrices, a row per part and a column per model, with counts and row percentages."""
    require_columns(pooled, REQUIRED_COLUMNS, "predictions")
    classes = max(2, len(class_columns(pooled)))
    if len(class_names) != classes:
        raise ConfigError(f"class_names {list(class_names)} are not the {classes} classes of the predictions")
    thresholds = thresholds_of(pooled, config)
    models = list(thresholds)
    parts = _present_parts(pooled)
    wider = 0.7 * (classes - 2)
    figure = _figure((3.7 + wider) * len(models), (3.9 + wider) * len(parts) + 0.5)
    grid = figure.subplots(len(parts), len(models), squeeze=False)
    for row, part in enumerate(parts):
        for column, model in enumerate(models):
            chosen = pooled[(pooled["model"] == model) & (pooled["part"] == part)]
            _draw_confusion(grid[row, column], chosen, thresholds[model].value, class_names)
            grid[row, column].set_title(f"{plain(model)}\n{PART_TITLES[part]}, {len(chosen)} eyes", fontsize=11)
    rules = list(dict.fromkeys(map(str, thresholds.values())))
    figure.suptitle(f"Confusion ({', '.join(rules)})", fontsize=13)
    return figure


def history_figure(history: pd.DataFrame) -> Figure:
    """Return loss and validation AUROC over epochs, a column per fold and seed, the best epoch marked.

    Columns: fold, seed (1 where there is none), epoch, train_loss, best (bool; of several the last counts) and
    val_loss, val_auroc; an autoencoder's history has no column of validation, and no row of AUROC. With
    val_balanced_accuracy that is drawn too; with lr and seconds there is one more row, the learning rate, headed by
    the median duration of an epoch and, with memory_gib, the most memory.
    """
    judged = any(str(name).startswith("val_") for name in history.columns)
    columns = ("fold", "epoch", "train_loss", "best", *(("val_loss", "val_auroc") if judged else ()))
    require_columns(history, columns, "history")
    history = history if "seed" in history else history.assign(seed=1)
    trainings = [rows.sort_values("epoch") for _, rows in history.groupby(["seed", "fold"])]
    width = min(max(16 / len(trainings), 2.2), 5.0)
    costs = {"lr", "seconds"} <= {*history.columns}
    n = 1 + judged + costs
    size = (max(width * len(trainings), 4.5) + 0.45, 1.4 + 2.2 * n)
    figure, grid = figure_of_panels(size, n, len(trainings), HISTORY_MARGINS, sharex=True, sharey="row")
    for panels, rows in zip(grid.T, trainings, strict=True):
        _draw_losses(panels[0], rows)
        if judged:
            _draw_aurocs(panels[1], rows)
        if costs:
            _draw_costs(panels[-1], rows)
        panels[-1].set_xlabel("Epoch")
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    grid[0, 0].set(ylabel="Loss (log scale)", yscale="log")  # one wild epoch would flatten all others
    handles, labels = grid[0, 0].get_legend_handles_labels()
    if judged:
        grid[1, 0].set(ylabel="Validation AUROC", ylim=(-0.03, 1.03))
        more_handles, more_labels = grid[1, 0].get_legend_handles_labels()
        handles, labels = [*handles, *more_handles], [*labels, *more_labels]
    if costs:
        grid[-1, 0].set_ylabel("Learning rate (log scale)")
        if (history["lr"] > 0).any():  # nothing else has a place on it
            grid[-1, 0].set_yscale("log")
    narrow = len(labels) > 3 and len(trainings) == 1
    figure.legend(handles, labels, loc="lower center", ncols=2 if narrow else len(labels), frameon=False)
    return figure


def _figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, whose layout keeps titles and labels off each other."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.1))


def _present_parts(pooled: pd.DataFrame) -> list[str]:
    return [part for part in PARTS if (pooled["part"] == part).any()]


def _draw_roc(axes: Axes, rows: pd.DataFrame, aurocs: pd.DataFrame, models: Sequence[str]) -> None:
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="chance 0.50")
    summaries = aurocs.to_dict("records")
    counts_differ = len({format_counts(summary) for summary in summaries}) > 1
    for summary in summaries:
        # A model keeps its colour in every panel, also where another model is missing.
        place = models.index(summary["model"])
        chosen = rows[rows["model"] == summary["model"]]
        curve = _roc_points(chosen) if np.isfinite(summary["value"]) else (np.empty(0), np.empty(0))
        axes.plot(
            *curve,
            color=COLOURS[place % len(COLOURS)],
            linestyle=STYLES[place % len(STYLES)],
            linewidth=2,
            label=_roc_label(summary, with_counts=counts_differ),
        )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_xlabel("1 - specificity", fontsize=11)
    axes.set_ylabel("Sensitivity", fontsize=11)
    axes.grid(color="0.92")
    # Below the panel, where no curve can run behind it.
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), fontsize=10, frameon=False)


def _roc_points(rows: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return the false and true positive rates at every threshold."""
    false_rate, true_rate, _ = roc_curve(rows["target"], rows["probability"])
    return false_rate, true_rate


def _roc_label(summary: Mapping[Hashable, Any], *, with_counts: bool) -> str:
    text = format_interval(summary["value"], summary["low"], summary["high"])
    label = f"{plain(summary['model'])}  {text}"
    if np.isnan(summary["value"]):
        label += f" ({plain(summary['reason'])})"
    return f"{label}\n{format_counts(summary)}" if with_counts else label


def _panel_counts(aurocs: pd.DataFrame) -> str:
    texts = {format_counts(summary) for summary in aurocs.to_dict("records")}
    return texts.pop() if len(texts) == 1 else "n differs between models: see below"


def _draw_confusion(axes: Axes, rows: pd.DataFrame, threshold: float, class_names: Sequence[str]) -> None:
    if rows.empty:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no predictions", ha="center", va="center", transform=axes.transAxes)
        return
    columns = class_columns(rows)
    if columns:
        counts = multiclass_counts(rows["target"], rows[columns])
    else:
        counts = confusion_counts(rows["target"], rows["probability"], threshold)
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    axes.imshow(shares, cmap=colormaps["Blues"], vmin=0, vmax=1)
    for true, predicted in np.ndindex(*counts.shape):
        percentage = f"{100 * shares[true, predicted]:.0f} %" if totals[true] else "n/a"
        axes.text(
            predicted,
            true,
            f"{counts[true, predicted]}\n{percentage}",
            ha="center",
            va="center",
            fontsize=14,
            color="white" if shares[true, predicted] > 0.55 else "black",
        )
    ticks = range(len(counts))
    axes.set_xticks(ticks, [plain(name) for name in class_names], fontsize=10)
    axes.set_yticks(ticks, [plain(name) for name in class_names], fontsize=10, rotation=90, va="center")
    axes.set_xlabel("Predicted", fontsize=11)
    axes.set_ylabel("True", fontsize=11)


def _draw_losses(axes: Axes, rows: pd.DataFrame) -> None:
    marker = "o" if len(rows) == 1 else ""
    axes.plot(rows["epoch"], rows["train_loss"], marker=marker, color=COLOURS[0], label="training")
    judged = "val_loss" in rows
    if judged:
        axes.plot(rows["epoch"], rows["val_loss"], marker=marker, color=COLOURS[1], linestyle="--", label="validation")
    called = training_words(*rows[["fold", "seed"]].iloc[0]).capitalize()
    title = f"{called}: {len(rows)} epoch{'s' if len(rows) > 1 else ''}"
    best = _mark_best(axes, rows, "val_loss" if judged else "train_loss", label="best epoch")
    if len(best):
        title += f"\nbest {best['epoch'].iloc[0]}"
        title += f", AUROC {best['val_auroc'].iloc[0]:.2f}" if judged else ""
    axes.set_title(title, fontsize=11)
    axes.grid(color="0.94")


def _draw_aurocs(axes: Axes, rows: pd.DataFrame) -> None:
    marker = "o" if len(rows) == 1 else ""
    axes.plot(rows["epoch"], rows["val_auroc"], marker=marker, color=COLOURS[1], linestyle="--")
    _mark_best(axes, rows, "val_auroc")
    axes.axhline(0.5, color="0.8", linewidth=1, zorder=0)
    if "val_balanced_accuracy" in rows:
        style: dict[str, Any] = {"color": COLOURS[3], "linestyle": "-.", "linewidth": 1, "marker": marker}
        axes.plot(rows["epoch"], rows["val_balanced_accuracy"], label="balanced accuracy", **style)
    axes.grid(color="0.94")


def _mark_best(axes: Axes, rows: pd.DataFrame, column: str, label: str | None = None) -> pd.DataFrame:
    """Mark the best epoch, if there is one, on the curve of `column`; its row is returned, or none."""
    best = rows[rows["best"].astype(bool)].tail(1)
    if len(best):
        axes.axvline(best["epoch"].iloc[0], color="0.55", linewidth=1, linestyle=":")
        style: dict[str, Any] = {"marker": "*", "markersize": 13, "linestyle": "none", "color": COLOURS[2]}
        axes.plot(best["epoch"], best[column], label=label, **style)
    return best


def _draw_costs(axes: Axes, rows: pd.DataFrame) -> None:
    axes.plot(rows["epoch"], rows["lr"].where(rows["lr"] > 0), marker="o" if len(rows) == 1 else "", color=COLOURS[0])
    title = f"{rows['seconds'].median():.3g} s an epoch"
    if "memory_gib" in rows and rows["memory_gib"].notna().any():
        title += f", {rows['memory_gib'].max():.2f} GiB"
    axes.set_title(title, fontsize=10)
    axes.grid(color="0.94")

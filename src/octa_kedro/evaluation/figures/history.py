"""How a model learnt: loss and validation AUROC of each training over its epochs."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from octa_kedro.cohort.trainings import training_words
from octa_kedro.evaluation.figures.style import COLOURS
from octa_kedro.evaluation.predictions import require_columns
from octa_kedro.panels import Margins, figure_of_panels

# On the left there is place for labels like 2.6 x 10^-2, which a logarithmic axis has where little changes.
HISTORY_MARGINS = Margins(left=1.2, right=0.12, top=0.52, bottom=1.12, across=0.2, down=0.36)
METRIC_WORDS = {
    "last": "the last one",
    "train_loss": "lowest training loss",
    "val_loss": "lowest validation loss",
    "val_brier": "lowest validation Brier score",
    "val_auroc": "highest validation AUROC",
    "val_accuracy": "highest validation accuracy",
    "val_balanced_accuracy": "highest validation balanced accuracy",
    "val_f1": "highest validation F1",
}


def history_figure(history: pd.DataFrame) -> Figure:
    """Return loss and validation AUROC over epochs, a column per fold and seed, the kept epoch marked by a star.

    Columns: fold, seed (1 where there is none), epoch, train_loss, best (bool; of several the last counts) and
    val_loss, val_auroc; an autoencoder's history has no column of validation, and no row of AUROC. With best_by (a
    metric) and kept_from the legend names the rule that chose the epoch. With val_balanced_accuracy that is drawn too;
    with lr and seconds there is one more row, the learning rate, headed by the median duration of an epoch and, with
    memory_gib, the most memory.
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
    rule = kept_epoch_words(history)
    for panels, rows in zip(grid.T, trainings, strict=True):
        _draw_losses(panels[0], rows, rule)
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
    narrow = len(labels) > 2 and len(trainings) == 1
    figure.legend(handles, labels, loc="lower center", ncols=2 if narrow else len(labels), frameon=False)
    return figure


def kept_epoch_words(history: pd.DataFrame) -> str:
    """What the star stands for: the kept epoch, and the rule that chose it where the history tells it."""
    if "best_by" not in history or history["best_by"].isna().any():
        return "kept epoch"
    rules = list(dict.fromkeys(METRIC_WORDS.get(str(name), str(name)) for name in history["best_by"]))
    starts = sorted(set(history["kept_from"].astype(int))) if "kept_from" in history else [1]
    late = f" from epoch {' or '.join(map(str, starts))} on" if starts != [1] else ""
    return f"kept epoch: {' or '.join(rules)}{late}"


def _draw_losses(axes: Axes, rows: pd.DataFrame, rule: str) -> None:
    marker = "o" if len(rows) == 1 else ""
    axes.plot(rows["epoch"], rows["train_loss"], marker=marker, color=COLOURS[0], label="training")
    judged = "val_loss" in rows
    if judged:
        axes.plot(rows["epoch"], rows["val_loss"], marker=marker, color=COLOURS[1], linestyle="--", label="validation")
    called = training_words(*rows[["fold", "seed"]].iloc[0]).capitalize()
    title = f"{called}: {len(rows)} epoch{'s' if len(rows) > 1 else ''}"
    best = _mark_best(axes, rows, "val_loss" if judged else "train_loss", label=rule)
    if len(best):
        title += f"\nkept {best['epoch'].iloc[0]}"
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
    """Mark the kept epoch, if there is one, on the curve of `column`; its row is returned, or none."""
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

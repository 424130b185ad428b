"""The randomisation curves: how alike an eye's map stays while the network's weights become random from the top."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from octa_kedro.explain.checked_cohort import CASCADE, EYES
from octa_kedro.explain.similarity import MEASURES
from octa_kedro.explain.summary import Bootstrap
from octa_kedro.panels import Margins, figure_of_panels, plain

NAMES = {"spearman": "Rank correlation", "ssim": "Structural similarity"}
"""Of MEASURES, of a map with the map of the trained network."""
MARGINS = Margins(left=0.7, right=0.15, top=0.65, bottom=1.25, across=0.75, down=0)
COLOUR, NULL_COLOUR = "#0072B2", "0.55"


def randomisation_figure(sanity: pd.DataFrame, bootstrap: Bootstrap, *, title: str) -> Figure:
    """A panel for each of MEASURES: grey lines are eyes, blue their mean with its interval over patients, and the band
    holds the null, maps of different eyes, from its 5th to its 95th percentile. Without eyes it only says so."""
    figure, grid = figure_of_panels((9.0, 4.55), 1, len(MEASURES), MARGINS)
    curves, null = (sanity[sanity["comparison"] == name] for name in (CASCADE, EYES))
    words = "likeness to the trained network's map, with ever more random weights"
    figure.suptitle(f"{plain(title)}\n{words}", fontsize=11)
    for axes, measure in zip(grid[0], MEASURES, strict=True):
        axes.set_ylabel(NAMES[measure])
        if curves.empty:
            axes.text(0.5, 0.5, "no eye was checked", ha="center", transform=axes.transAxes)
            continue
        _draw_null(axes, null[measure].dropna())
        _draw_curves(axes, curves, measure, bootstrap)
    if not curves.empty:
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="lower center", ncols=3, frameon=False)
    return figure


def _draw_null(axes: Axes, null: pd.Series) -> None:
    if len(null):
        low, high = null.quantile([0.05, 0.95])
        axes.axhspan(
            low, high, color=NULL_COLOUR, alpha=0.3, linewidth=0, label="different eyes, 5th to 95th percentile"
        )
        axes.axhline(null.mean(), color=NULL_COLOUR, linestyle="--", linewidth=1, label="different eyes, mean")


def _draw_curves(axes: Axes, curves: pd.DataFrame, measure: str, bootstrap: Bootstrap) -> None:
    levels = sorted(set(curves["level"]))
    for number, (_, rows) in enumerate(curves.groupby("subject")):
        ordered = rows.sort_values("level")
        label = "one eye" if number == 0 else None
        axes.plot(ordered["level"], ordered[measure], color="0.75", linewidth=0.9, label=label)
    at = [curves[curves["level"] == level] for level in levels]
    means, lows, highs = zip(*(bootstrap.mean(rows[measure], rows) for rows in at), strict=True)
    axes.fill_between(levels, lows, highs, color=COLOUR, alpha=0.2, linewidth=0, label="interval of the mean")
    axes.plot(levels, means, color=COLOUR, marker="o", label="mean")
    lowest = [str(rows["layer"].iloc[0]) if level else "none" for level, rows in zip(levels, at, strict=True)]
    axes.set_xticks(levels, [name if n < len(levels) - 1 else f"{name}\n(all)" for n, name in enumerate(lowest)])
    axes.set_xlabel("random down to this layer")
    axes.set_ylim(min(-0.05, float(curves[measure].min()) - 0.05), 1.05)

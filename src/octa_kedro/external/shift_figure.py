"""The shift in one figure: standardised differences of all variables, and the distributions that differ most."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from octa_kedro.evaluation.figures.style import COLOURS, SMALL, TEXT, dress, entitle, sheet
from octa_kedro.external.shift import Variable
from octa_kedro.panels import plain

LARGE = 0.2
"""Below this a standardised difference is often called negligible (Cohen 1988: small)."""
PANELS = 4
ROW_MM = 3.7
FARTHEST = 4.0
FIRST, SECOND = "0.45", COLOURS[1]


def shift_figure(variables: list[Variable], table: pd.DataFrame, level: float) -> Figure:
    """Return the standardised difference of each variable with its interval, group by group, and beside it the
    distributions of the `PANELS` numbers that differ most by their Kolmogorov-Smirnov statistic.

    Input: `shift.compared_variables` and their `shift_table`.
    """
    shown = table[np.isfinite(table["standardised_difference"])].reset_index(drop=True)
    figure = sheet(max(110.0, 34 + ROW_MM * (len(shown) + shown["what"].nunique())))
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.75, 1])[0]
    _draw_differences(left.subplots(), shown)
    numbers = table[np.isfinite(table["ks"]) & (table["ks"] > 0)].sort_values("ks", ascending=False)
    chosen = [one for name in numbers["variable"].head(PANELS) for one in variables if one.name == name]
    panels = right.subplots(PANELS, 1, squeeze=False)[:, 0]
    for axes, one in zip(panels, chosen, strict=False):
        _draw_distributions(axes, one, first=one is chosen[0])
    for axes in panels[len(chosen) :]:
        axes.set_axis_off()
    left_out = len(table) - len(shown)
    entitle(
        figure,
        "The second cohort against the development cohort",
        f"Left: standardised difference, second less development, with {100 * level:g} % intervals; grey: below "
        f"{LARGE:g} either way; beyond {FARTHEST:g} the mark is at the edge and the number beside it. Right: the "
        "cumulative distributions of the numbers that differ most (Kolmogorov-Smirnov)."
        + f" Not shown, since a cohort does not know them: {left_out} of {len(table)}."
        * bool(left_out),
    )
    return figure


def _draw_differences(axes: Axes, shown: pd.DataFrame) -> None:
    axes.axvspan(-LARGE, LARGE, color="0.92", linewidth=0)
    axes.axvline(0, color="0.6", linewidth=0.8)
    place, ticks, names = 0, [], []
    for what, rows in shown.groupby("what", sort=False):
        axes.text(0.01, place, plain(str(what)), fontsize=SMALL, weight="bold", va="center",
                  transform=axes.get_yaxis_transform())  # fmt: skip
        place += 1
        for row in rows.to_dict("records"):
            value = float(row["standardised_difference"])
            low, high = float(row["standardised_difference_low"]), float(row["standardised_difference_high"])
            at = float(np.clip(value, -FARTHEST, FARTHEST))
            axes.hlines(place, max(low, -FARTHEST), min(high, FARTHEST), color=COLOURS[0], linewidth=1.0)
            axes.plot([at], [place], "o", color=COLOURS[0], markersize=3.2)
            if at != value:
                axes.text(at, place - 0.1, f" {value:.1f} ", fontsize=SMALL - 0.5, va="bottom",
                          ha="right" if value > 0 else "left")  # fmt: skip
            ticks.append(place)
            names.append(plain(str(row["variable"])))
            place += 1
    axes.set_yticks(ticks, names, fontsize=SMALL - 0.5)
    reach = np.clip(
        np.abs(shown[["standardised_difference_low", "standardised_difference_high"]].to_numpy()), 0, FARTHEST
    )
    widest = max(0.6, float(reach.max()) * 1.05) if len(shown) else 1.0
    axes.set(ylim=(place - 0.4, -0.8), xlim=(-widest, widest))
    dress(axes, x="Standardised difference")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", labelsize=SMALL - 0.5)


def _draw_distributions(axes: Axes, one: Variable, *, first: bool) -> None:
    for values, colour, line, name in (
        (one.development, FIRST, "-", "development"),
        (one.second, SECOND, "--", "second cohort"),
    ):
        known = np.sort(values[np.isfinite(values)])
        shares = np.arange(1, len(known) + 1) / len(known)
        axes.step(
            known, shares, where="post", color=colour, linestyle=line, linewidth=1.3, label=f"{name} ({len(known)})"
        )
    dress(axes, x=plain(one.name), y="Share of eyes")
    axes.xaxis.label.set_fontsize(TEXT - 0.5)
    axes.set_ylim(-0.02, 1.02)
    if first:
        axes.legend(fontsize=SMALL - 0.5, frameon=False, loc="best")

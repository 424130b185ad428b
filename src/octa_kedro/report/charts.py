"""Small drawings for a page, as SVG that stands in the HTML itself."""

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from octa_kedro.panels import Margins, figure_of_panels, plain

OWN_COLOUR, OTHER_COLOUR, MARK_COLOUR = "#D55E00", "#5A6672", "#000000"
ACROSS = 3
"""Panels in a row."""
WIDTH, NAMES, ROW = 11.0, 1.75, 0.27
"""Inches: of the drawing, for the names at its left, of a row."""


@dataclass(frozen=True)
class Dot:
    """A value with its interval (NaN: none); `mark` is what would be expected by chance, `own` makes it stand out."""

    value: float
    low: float = math.nan
    high: float = math.nan
    mark: float = math.nan
    own: bool = False


def dot_chart(panels: Mapping[str, Mapping[str, Dot]], label: str) -> str:
    """A panel for each group, with a row for each name: a dot, its interval, and a black mark at what chance gives.

    All panels have the same rows, in order of first appearance, and the same scale from 0 on. A value that is NaN
    has no dot.
    """
    names = list(dict.fromkeys(name for rows in panels.values() for name in rows))
    columns = min(ACROSS, len(panels))
    rows = math.ceil(len(panels) / columns)
    margins = Margins(left=NAMES, right=0.15, top=0.35, bottom=0.55, across=0.25, down=0.75)
    deep = rows * (len(names) * ROW + 0.2) + (rows - 1) * margins.down + margins.top + margins.bottom
    wide = NAMES + (WIDTH - NAMES) * columns / ACROSS
    figure, axes = figure_of_panels((wide, deep), rows, columns, margins, sharex=False)
    top = _top([dot for group in panels.values() for dot in group.values()])
    for place, panel in enumerate(axes.flat):
        if place >= len(panels):
            panel.axis("off")
            continue
        title = list(panels)[place]
        _draw(panel, [panels[title].get(name) for name in names], top)
        panel.set_title(plain(title), fontsize=10.5, loc="left", weight="bold")
        panel.set_xlabel(plain(label), fontsize=9.5)
        first = place % columns == 0
        panel.set_yticks(
            range(len(names)), labels=[plain(name) for name in names] if first else [""] * len(names), fontsize=9.5
        )
    stream = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "octa"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    drawing = stream.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", drawing[drawing.index("<svg") :], flags=re.DOTALL)


def _top(dots: Sequence[Dot]) -> float:
    """The end of the scale: the next tenth above all that is drawn."""
    ends = [x for dot in dots for x in (dot.value, dot.high, dot.mark) if not math.isnan(x)]
    return min(1.0, math.ceil(10 * max(ends, default=1.0) + 0.3) / 10)


def _draw(axes: Axes, dots: Sequence[Dot | None], top: float) -> None:
    for row, dot in enumerate(dots):
        if dot is None or math.isnan(dot.value):
            continue
        colour = OWN_COLOUR if dot.own else OTHER_COLOUR
        if not math.isnan(dot.low):
            axes.hlines(row, dot.low, dot.high, color=colour, lw=2.4 if dot.own else 1.4)
        axes.plot([dot.value], [row], "o", ms=7 if dot.own else 5.5, color=colour)
        if not math.isnan(dot.mark):
            axes.vlines(dot.mark, row - 0.38, row + 0.38, color=MARK_COLOUR, lw=1.6)
    axes.set(xlim=(-0.02 * top, 1.02 * top), ylim=(len(dots) - 0.5, -0.5))
    axes.set_xticks(np.linspace(0, top, 6 if round(10 * top) % 5 == 0 else 1 + round(10 * top)))
    axes.xaxis.set_major_formatter("{x:.2g}")
    axes.grid(axis="x", color="#e3e8ec", lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)

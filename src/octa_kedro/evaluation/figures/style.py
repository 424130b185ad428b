"""How figures look: sizes for print, colours that every eye can tell apart, and what stands above and below."""

import textwrap
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from octa_kedro.panels import plain

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito 2008, without the yellow that vanishes on white."""
STYLES = ("-", "--", "-.", ":")
"""A second sign beside colour, for grey prints and for curves that coincide."""
FLOOR, BEST_FLOOR = "#B4B4B4", "#404040"
WIDE, NARROW = 180.0, 85.0
"""Millimetres: two columns of a journal, and one."""
INCH = 25.4
DPI = 300
TITLE, TEXT, SMALL = 9.0, 7.5, 6.5
"""Points, at the printed size."""


class Look(NamedTuple):
    """How a model is drawn."""

    colour: str
    line: Any
    width: float

    @property
    def style(self) -> dict[str, Any]:
        """For `Axes.plot`."""
        return {"color": self.colour, "linestyle": self.line, "linewidth": self.width}


def network_look(place: int) -> Look:
    """The look of the network in that place of the list."""
    return Look(COLOURS[place % len(COLOURS)], STYLES[place % len(STYLES)], 1.5)


FLOOR_LOOK = Look(FLOOR, "-", 0.8)
BEST_FLOOR_LOOK = Look(BEST_FLOOR, (0, (4, 1.5)), 1.2)


def sheet(height_mm: float, width_mm: float = WIDE) -> Figure:
    """An empty figure of a size in millimetres, whose layout keeps titles and labels off each other."""
    layout = ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.05, hspace=0.02, wspace=0.02)
    return Figure(figsize=(width_mm / INCH, height_mm / INCH), dpi=DPI, layout=layout)


def entitle(figure: Figure, title: str, note: str = "") -> None:
    """A bold line above all panels, and below them what one has to know to read the figure. To be called last: the
    places of all panels are found here, once for all formats that the figure is saved in."""
    width = figure.get_figwidth()
    letters = int(width * 72 / (0.56 * TITLE))
    figure.suptitle("\n".join(textwrap.wrap(plain(title), letters)), fontsize=TITLE, weight="bold")
    if note:
        letters = int(width * 72 / (0.57 * SMALL))
        words = "\n".join(textwrap.wrap(plain(note), letters))
        figure.supxlabel(words, fontsize=SMALL, x=0.012, ha="left", color="0.25")
    engine = figure.get_layout_engine()
    assert engine is not None
    for _ in range(2):  # once is not enough where words lie outside of panels
        engine.execute(figure)
    figure.set_layout_engine("none")


def dress(axes: Axes, *, title: str = "", x: str = "", y: str = "", grid: bool = True) -> None:
    """Words and ticks of one panel in the sizes of print."""
    axes.set_title(title, fontsize=TEXT + 0.5)
    axes.set_xlabel(x, fontsize=TEXT)
    axes.set_ylabel(y, fontsize=TEXT)
    axes.tick_params(labelsize=SMALL, width=0.6, length=2.5)
    for side in axes.spines.values():
        side.set_linewidth(0.6)
    if grid:
        axes.grid(color="0.93", linewidth=0.6)
        axes.set_axisbelow(True)


def legend_below(axes: Axes, **options: Any) -> None:
    """The legend under a panel, where no curve can run behind it."""
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=SMALL, frameon=False, handlelength=2.6, **options
    )

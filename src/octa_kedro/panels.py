"""Figures whose panels have their places in inches.

A layout that matplotlib searches for (``layout="constrained"``) draws a figure twice, and takes longer than drawing it
once. It remains where texts differ so much that no place fits them all.
"""

from typing import Any, NamedTuple

from matplotlib.figure import Figure
from numpy.typing import NDArray


class Margins(NamedTuple):
    """Inches round the panels, for titles and labels, and between them: `across` columns and `down` rows."""

    left: float
    right: float
    top: float
    bottom: float
    across: float
    down: float


def plain(words: str) -> str:
    """Words that hold a name of a user's, to be drawn as they are: between two dollar signs matplotlib sees a formula,
    and ends with an error where there is none."""
    return words.replace("$", r"\$")


def figure_of_panels(
    size: tuple[float, float], rows: int, columns: int, margins: Margins, **options: Any
) -> tuple[Figure, NDArray]:
    """A figure of `size` (width and height in inches) and its axes ``[rows, columns]``; `options` as of
    ``Figure.subplots``."""
    width, height = size
    across = (width - margins.left - margins.right - margins.across * (columns - 1)) / columns
    down = (height - margins.top - margins.bottom - margins.down * (rows - 1)) / rows
    places = {
        "left": margins.left / width,
        "right": 1 - margins.right / width,
        "bottom": margins.bottom / height,
        "top": 1 - margins.top / height,
        # Matplotlib wants gaps as shares of a panel.
        "wspace": margins.across / across,
        "hspace": margins.down / down,
    }
    figure = Figure(figsize=size)
    return figure, figure.subplots(rows, columns, squeeze=False, gridspec_kw=places, **options)

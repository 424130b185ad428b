"""One picture of an eye or of its map in its axes: scale, letters, outlines, marks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.image import AxesImage
from numpy.typing import NDArray

HEAT = "inferno"
LESION_COLOUR = "#56B4E9"
PEAK_COLOUR = "#009E73"
SURFACE_COLOUR = "#E69F00"
CUT_COLOUR = "#FFFFFF"
MAX_ALPHA = 0.85
DIMMED = 0.6
"""How bright the eye is under its map: colours show better on darker grey."""
TITLE, LABEL, TICK = 10.5, 10, 9
"""Text sizes in points."""
SLAB_TITLES = {
    "ILM_OPL": "ILM to OPL",
    "OPL_BM": "OPL to BM",
    "ILM_BM": "ILM to BM",
    "FULL": "whole depth",
    "SVP": "superficial (SVP)",
    "SRL": "superficial (SRL)",
    "DVP": "deep (DVP)",
    "DRL": "deep (DRL)",
    "outer_retina": "outer retina",
}


@dataclass(frozen=True)
class Cut:
    """What one picture shows: `grey`, `heat` and `lesion` ``[across, along]`` on the same pixels.

    `extent` is left, right, bottom and top of the pixels' outer edges in the axes' numbers: millimetres or, of depth,
    micrometres. `cross` is the pixel of the map's peak. `lines` are curves to draw: x, y of each.
    """

    grey: NDArray
    heat: NDArray
    lesion: NDArray | None
    extent: tuple[float, float, float, float]
    cross: tuple[int, int] | None = None
    deep: bool = False
    lines: Sequence[tuple[NDArray, NDArray]] = field(default_factory=tuple)

    def at(self, pixel: tuple[float, float]) -> tuple[float, float]:
        """Where the centre of a pixel lies in the axes."""
        left, right, bottom, top = self.extent
        start = top if self.deep else bottom
        end = bottom if self.deep else top
        across, along = self.grey.shape
        x = left + (pixel[0] + 0.5) / across * (right - left)
        return x, start + (pixel[1] + 0.5) / along * (end - start)


def direction(ends: tuple[str, str] | None, unit: str = "mm") -> str:
    """The label of an axis, with the letters at its two ends if they are known."""
    return unit if ends is None else f"{ends[0]}  \N{LEFTWARDS ARROW}  {unit}  \N{RIGHTWARDS ARROW}  {ends[1]}"


def slab_title(name: str) -> str:
    """The name of a slab as one reads it."""
    return SLAB_TITLES.get(name, name)


def draw_eye(axes: Axes, cut: Cut, *, cuts: bool = True) -> None:
    """The eye alone: surfaces, the lesion's outline, and (`cuts`) dashed lines where the other pictures cut it."""
    _image(axes, cut)
    for x, y in cut.lines:
        axes.plot(x, y, lw=1.0, color=SURFACE_COLOUR)
    _outline(axes, cut)
    if cut.cross is not None and cuts:
        across, along = cut.at(cut.cross)
        axes.axvline(across, lw=0.9, ls=(0, (4, 4)), color=CUT_COLOUR)
        axes.axhline(along, lw=0.9, ls=(0, (4, 4)), color=CUT_COLOUR)
    _limits(axes, cut)


def draw_map(axes: Axes, cut: Cut, scale: float) -> AxesImage:
    """The eye with its map over it, raw, the more opaque the stronger; the lesion's outline; a cross at the peak."""
    _image(axes, cut, DIMMED)
    strength = np.clip(cut.heat.T / max(scale, 1e-12), 0, 1)
    colours = axes.imshow(
        cut.heat.T, cmap=HEAT, vmin=0, vmax=max(scale, 1e-12), alpha=MAX_ALPHA * strength, **_place(cut)
    )
    _outline(axes, cut)
    if cut.cross is not None:
        x, y = cut.at(cut.cross)
        axes.plot(x, y, "+", ms=15, mew=3.6, color="white")
        axes.plot(x, y, "+", ms=13, mew=2.0, color=PEAK_COLOUR)
    _limits(axes, cut)
    return colours


def mm_ticks(length: float) -> NDArray[np.float64]:
    """Round numbers from 0 to `length`, at most six of them."""
    step = next((s for s in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0) if length / s <= 5.01), 10.0)
    return np.arange(0, length * (1 + 1e-6), step)


def um_ticks(low: float, high: float) -> NDArray[np.float64]:
    """Round numbers of micrometres between `low` and `high`, at most six."""
    step = next((s for s in (20, 50, 100, 200, 500) if (high - low) / s <= 5), 1000)
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step


def set_ticks(axes: Axes, which: Literal["x", "y"], places: NDArray[np.float64], *, words: bool = True) -> None:
    """Ticks with numbers at `places`, or none where another picture has them: ticks cost more than all else."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_ticks(list(places) if words else [], labels=[f"{place:g}" for place in places] if words else [])
    if words:
        axes.tick_params(which, labelsize=TICK, length=3)


def _place(cut: Cut) -> dict[str, Any]:
    return {"extent": cut.extent, "origin": "upper" if cut.deep else "lower", "interpolation": "nearest"}


def _image(axes: Axes, cut: Cut, brightness: float = 1.0) -> None:
    white = max(float(np.percentile(cut.grey, 99.5)), 1e-6)
    grey = np.minimum(cut.grey.T, white) * brightness
    axes.imshow(grey, cmap="gray", vmin=0, vmax=white, **_place(cut))


def _limits(axes: Axes, cut: Cut) -> None:
    left, right, bottom, top = cut.extent
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_aspect("auto" if cut.deep else "equal")


def _outline(axes: Axes, cut: Cut) -> None:
    if cut.lesion is not None and cut.lesion.any() and not cut.lesion.all():
        lines = [[cut.at((a - 0.5, b - 0.5)) for a, b in edge] for edge in pixel_edges(np.asarray(cut.lesion) > 0)]
        axes.add_collection(LineCollection(lines, colors=LESION_COLOUR, linewidths=1.3), autolim=False)


def pixel_edges(mask: NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """The borders between pixels of a mask and pixels outside it, each from corner to corner, in pixel corners.

    Exact, and a tenth of the cost of a contour that is searched for. Runs along one row or column are one line.
    """
    padded = np.pad(mask, 1)
    edges = []
    for axis in (0, 1):
        change = np.diff(padded.astype(np.int8), axis=axis) != 0
        # Rows of `change` are lines between pixels; row k is the corner line k.
        rows = change[:, 1:-1] if axis == 0 else change[1:-1].T
        for line in np.flatnonzero(rows.any(axis=1)):
            ends = np.flatnonzero(np.diff(np.pad(rows[line].astype(np.int8), 1)))
            for start, stop in ends.reshape(-1, 2):
                corners = [(int(line), int(start)), (int(line), int(stop))]
                edges.append(corners if axis == 0 else [(b, a) for a, b in corners])
    return edges

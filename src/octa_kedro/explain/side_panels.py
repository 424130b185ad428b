"""What stands beside the pictures of an eye: evidence per depth and per slab, the key, and the colour bar."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from octa_kedro.explain.pictures import (
    HEAT,
    LABEL,
    LESION_COLOUR,
    PEAK_COLOUR,
    SURFACE_COLOUR,
    TICK,
    TITLE,
    set_ticks,
    um_ticks,
)
from octa_kedro.explain.profile import EDGES, SLAB_NAMES, DepthEvidence, SlabEvidence
from octa_kedro.explain.slab_decision import PLAYERS, SlabDecision
from octa_kedro.io.volume import PlaneStack
from octa_kedro.panels import plain

EVIDENCE_COLOUR = "#D55E00"
EVEN_COLOUR = "#000000"
DECISION_COLOUR = "#0072B2"
UNIT_WIDTH = 40
"""Letters of a line below the colour bar."""
BAR_SHARE = 0.08
"""How much of its panel's height the colour bar takes."""
SURFACE_WORDS = dict(zip(EDGES, ("ILM", "IPL", "OPL", "BM"), strict=True))
SHORTEST = -60.0
"""Per cent: a bar to the left ends here, however much more spoke against the class; the number beside it says it."""


def draw_depths(
    axes: Axes, found: DepthEvidence, lesion: DepthEvidence | None, surfaces: PlaneStack | None, um: tuple[float, float]
) -> None:
    """Evidence per voxel at each depth between `um`, shallow at the top, beside the lesion's share of that depth.

    Both are drawn to their own maximum: the curve shows where they lie, the colour bar how strong they are. Lines
    mark the mean depths of the surfaces below the ILM.
    """
    for depths, colour, fill in ((lesion, LESION_COLOUR, True), (found, EVIDENCE_COLOUR, False)):
        if depths is None or not np.nanmax(depths.mean) > 0:
            continue
        height = np.nan_to_num(depths.mean / np.nanmax(depths.mean))
        if fill:
            axes.fill_betweenx(depths.depth_um, 0, height, color=colour, alpha=0.45, lw=0)
        axes.plot(height, depths.depth_um, color=colour, lw=1.2 if fill else 2)
    if found.zero == "ILM" and surfaces is not None:
        for name in EDGES:
            if name in surfaces.names:
                level = 1000 * float(np.nanmean(surfaces.plane(name) - surfaces.plane("ILM")))
                axes.hlines(level, 0, 1.04, lw=1, color=SURFACE_COLOUR)
                axes.text(1.07, level, SURFACE_WORDS[name], fontsize=TICK, va="center", color="#8A5F00")
    axes.set(xlim=(0, 1.28), ylim=(um[1], um[0]))
    axes.set_title("E  Evidence per depth", fontsize=TITLE, loc="left")
    axes.set_xlabel("share of the maximum", fontsize=LABEL)
    axes.set_ylabel(depth_words(found.zero == "ILM"), fontsize=LABEL)
    set_ticks(axes, "x", np.array([0, 0.5, 1]))
    set_ticks(axes, "y", um_ticks(*um))


def depth_words(below_ilm: bool) -> str:
    """What the numbers of a depth axis mean."""
    return "\N{GREEK SMALL LETTER MU}m below the ILM" if below_ilm else "\N{GREEK SMALL LETTER MU}m of depth"


def draw_slabs(axes: Axes, found: SlabEvidence, decision: SlabDecision | None = None) -> None:
    """A bar per slab: its share of the evidence; a black mark where the bar would end if the map were even. Below it,
    where a `decision` is known, the slab's Shapley value, as a share of all that spoke for the class."""
    axes.set_title("F  Evidence per slab", fontsize=TITLE, loc="left")
    rows = np.arange(len(SLAB_NAMES))
    known = ~np.isnan(found.share)
    if not known.any():
        why = "no surfaces: slabs unknown" if np.isnan(found.volume).all() else "no evidence"
        axes.text(0.5, 0.5, why, ha="center", va="center", fontsize=LABEL, transform=axes.transAxes)
        axes.set(xticks=[], yticks=[])
        return
    height, up = (0.62, 0.0) if decision is None else (0.36, 0.2)
    axes.barh(rows[known] - up, 100 * found.share[known], height=height, color=EVIDENCE_COLOUR)
    reach = 0.68 * height
    axes.vlines(100 * found.volume[known], rows[known] - up - reach, rows[known] - up + reach, color=EVEN_COLOUR, lw=2)
    for row in rows:
        words = f"{100 * found.share[row]:.0f} %" if known[row] else "unknown"
        right = max(np.nan_to_num(found.share[row]), np.nan_to_num(found.volume[row]))
        axes.text(100 * right + 2.5, row - up, words, fontsize=TICK, va="center")
    left = 0.0 if decision is None else _draw_decision(axes, decision)
    axes.set(xlim=(left, 118), ylim=(len(rows) - 0.5, -0.5))
    axes.set_xlabel("% of the evidence (black: of voxels)", fontsize=LABEL)
    set_ticks(axes, "x", np.arange(0.0, 101, 25))
    axes.set_yticks(rows, labels=SLAB_NAMES)
    axes.tick_params("y", labelsize=TICK, length=0)


def _draw_decision(axes: Axes, decision: SlabDecision) -> float:
    """The Shapley value of each slab, as a bar and in logit; where the axis has to begin for the words to fit."""
    spoke = (decision.value > 0).any()  # else nothing did: then shares of what spoke against it
    of_all = decision.share if spoke else decision.value / max(float(-decision.value.sum()), 1e-12)
    shares = np.maximum(100 * of_all, SHORTEST)
    rows = np.array([SLAB_NAMES.index(name) for name in PLAYERS]) + 0.2
    axes.barh(rows, shares, height=0.36, color=DECISION_COLOUR)
    axes.axvline(0, lw=0.8, color=EVEN_COLOUR)
    for row, share, value in zip(rows, shares, decision.value, strict=True):
        axes.text(max(share, 0) + 2.5, row, f"{value:+.1f}", fontsize=TICK, va="center", color=DECISION_COLOUR)
    axes.text(
        0.98, 0.22, "blue: Shapley value (logit)", fontsize=TICK, ha="right", va="center", color=DECISION_COLOUR,
        transform=axes.get_yaxis_transform(),
    )  # fmt: skip
    return min(0.0, 1.1 * float(shares.min()))


def draw_key(axes: Axes, entries: Sequence[tuple[str, str, str]], scale: float, unit: str) -> None:
    """What the lines mean (colour, style and words of each), and below it the colours from 0 to `scale` of `unit`."""
    top = scale if scale > 0 else 1.0
    ramp: NDArray[np.float64] = np.linspace(0, 1, 128)[None]
    axes.imshow(ramp, cmap=HEAT, vmin=0, vmax=1, extent=(0, top, 0, BAR_SHARE), aspect="auto", interpolation="nearest")
    axes.set(xlim=(0, top), ylim=(0, 1), yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xticks([0, top / 2, top], labels=["0", f"{top / 2:.2g}", f"{top:.2g}"], fontsize=TICK)
    axes.set_xlabel(plain(textwrap.fill(unit, UNIT_WIDTH)), fontsize=LABEL)
    for row, (colour, style, words) in enumerate(entries):
        y = 0.95 - 0.13 * row
        if style == "+":
            axes.plot([0.065 * top], [y], "+", ms=13, mew=2, color=colour)
        else:
            axes.plot([0.01 * top, 0.12 * top], [y, y], lw=2, ls=style, color=colour)
        axes.text(0.17 * top, y, words, fontsize=TICK + 0.5, va="center")


def key_entries(*, lesion: bool, surfaces: bool, peak: bool, cuts: bool = True) -> list[tuple[str, str, str]]:
    """The entries of the key for what a figure shows."""
    entries = [(LESION_COLOUR, "-", "lesion (truth), outlined")] if lesion else []
    entries += [(SURFACE_COLOUR, "-", "surfaces ILM, IPL, OPL, BM")] if surfaces else []
    if peak:
        entries += [(PEAK_COLOUR, "+", "peak of the map")]
        entries += [("#777777", "--", "other pictures cut here (white)")] if cuts else []
    return entries

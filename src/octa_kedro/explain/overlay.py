"""Pictures of one eye with its map over it; they return matplotlib figures."""

import textwrap
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from octa_kedro.explain.cuts import DepthAxis, Planes, cuts_of_volume, depth_axis, flat_cut
from octa_kedro.explain.localisation import peak_voxel
from octa_kedro.explain.pictures import (
    LABEL,
    TITLE,
    Cut,
    direction,
    draw_eye,
    draw_map,
    mm_ticks,
    set_ticks,
    slab_title,
    um_ticks,
)
from octa_kedro.explain.profile import evidence_by_depth, evidence_by_slab, slab_at
from octa_kedro.explain.side_panels import (
    draw_depths,
    draw_key,
    draw_slabs,
    key_entries,
)
from octa_kedro.explain.slab_decision import SlabDecision
from octa_kedro.explain.titles import ends_of_x, strength_words
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.panels import Margins, figure_of_panels, plain

UNIT = "evidence, raw"
# Inches.
PANEL = 2.65
MARGINS = Margins(left=0.85, right=0.3, top=0.95, bottom=0.58, across=0.62, down=0.72)
HEADLINE = 13.5
LINE = 0.28
SLAB_WORDS = 0.35
"""Inches that the names of the slabs need beside their bars, more than the gap between panels."""
UP = ("I", "S")
EMPTY = "The map is empty: it shows no evidence for the class."


class PlaneMap(NamedTuple):
    """What a 2D network sees of an eye (only its slabs), its map, and the scale common to all its maps."""

    enface: PlaneStack
    heat: PlaneStack
    scale: float


def volume_figure(
    image: Volume,
    heat: Volume,
    enface: PlaneStack | None,
    surfaces: PlaneStack | None,
    lesion: Volume | None,
    *,
    title: str,
    scale: float,
    unit: str = UNIT,
    mirrored: bool | None = None,
    plane: PlaneMap | None = None,
    decision: SlabDecision | None = None,
) -> Figure:
    """An eye and a 3D network's map of it, to be read without a manual.

    Upper row: the B-scans along x and along y through the map's peak (of an empty map: through the grid's centre),
    the en-face slab, and the en-face slice at the peak's depth. Middle row: the same with the map over it, over the
    slab its maximum along depth. Lower row: evidence per depth and per slab, the map of the 2D network (`plane`) if
    there is one, key and colour bar; beside the evidence per slab, which slabs carried the `decision`. Surfaces,
    lesion, en-face maps and decision are left out where they are not known.

    The map is shown raw against the common `scale`, so that eyes can be compared: an eye with little evidence looks
    empty. `unit` names what the colours measure. `mirrored` says whether a left eye was mirrored: without it, a left
    eye's temporal and nasal ends have no letters.
    """
    empty = not heat.array.max() > 0
    peak = tuple(n // 2 for n in heat.array.shape) if empty else peak_voxel(heat.array, heat.spacing)
    at = (int(peak[0]), int(peak[1]), int(peak[2]))
    ends = ends_of_x(image.laterality, mirrored)
    axis = depth_axis(image, surfaces)
    planes = Planes(image, heat, enface, surfaces, lesion)
    lines, more = _wrapped(title, 4), [] if decision is None else _wrapped(decision.sentence, 4, LABEL)
    figure, axes = _panels(3, 4, len(lines) + len(more))
    for column, cut in enumerate(cuts_of_volume(planes, at, axis, marked=not empty)):
        draw_eye(axes[0, column], cut)
        draw_map(axes[1, column], cut, scale)
        for row in (0, 1):
            _label(axes[row, column], cut, ends if column != 1 else UP, axis, first=column in (0, 2), last=row == 1)
    for column, words in enumerate(_titles(planes, at, axis)):
        axes[0, column].set_title(words, fontsize=TITLE, loc="left")
    below = {0: "the same with the map", 1: _stretch_words(image, axis), 2: "map: maximum along depth"}
    for column, words in below.items():
        axes[1, column].set_title(words, fontsize=TITLE, loc="left")
    _lower_row(axes[2], planes, axis, scale=scale, unit=unit, plane=plane, ends=ends, decision=decision)
    words = EMPTY if empty else _peak_words(planes, at, axis) + strength_words(heat.array, scale)
    _headline(figure, lines, "\n".join([words, *more]))
    return figure


def plane_figure(
    enface: PlaneStack,
    heat: PlaneStack,
    *,
    title: str,
    scale: float,
    unit: str = UNIT,
    lesion: Volume | None = None,
    mirrored: bool | None = None,
) -> Figure:
    """Each en-face map of a 2D network, beside it the same with the network's map over it, and the key; in one row.

    `lesion` is a mask of the eye in 3D, whose outline is drawn as seen from the front; scale, unit and `mirrored` as
    of `volume_figure`.
    """
    columns = 2 * len(enface.names) + 1
    lines = _wrapped(title, columns)
    figure, axes = _panels(1, columns, len(lines))
    ends = ends_of_x(enface.laterality, mirrored)
    empty = not heat.array.max() > 0
    for k, name in enumerate(enface.names):
        cut = flat_cut(enface, name, heat, lesion, marked=not empty)
        eye, beside = axes[0, 2 * k : 2 * k + 2]
        draw_eye(eye, cut, cuts=False)
        draw_map(beside, cut, scale)
        for panel in (eye, beside):
            _label(panel, cut, ends, None, first=panel is axes[0, 0], last=True)
        eye.set_title(f"En-face, {slab_title(name)}", fontsize=TITLE, loc="left")
        beside.set_title("the same with the map", fontsize=TITLE, loc="left")
    entries = key_entries(lesion=_has(lesion), surfaces=False, peak=not empty, cuts=False)
    draw_key(axes[0, -1], entries, scale, unit)
    _headline(figure, lines, EMPTY if empty else strength_words(heat.array, scale).strip())
    return figure


def _width(columns: int) -> float:
    return MARGINS.left + MARGINS.right + columns * PANEL + (columns - 1) * MARGINS.across


def _wrapped(title: str, columns: int, points: float = HEADLINE) -> list[str]:
    """The title in lines that fit a figure of so many columns: a bold letter is .68 of its height wide at most."""
    letters = int(_width(columns) * 72 / (0.68 * points))
    return [part for line in title.split("\n") for part in textwrap.wrap(line, letters)]


def _panels(rows: int, columns: int, lines: int) -> tuple[Figure, NDArray]:
    """A figure with square panels of `PANEL` inches, and room for so many lines of title."""
    margins = MARGINS._replace(top=MARGINS.top + (lines - 1) * LINE)
    height = margins.top + margins.bottom + rows * PANEL + (rows - 1) * margins.down
    return figure_of_panels((_width(columns), height), rows, columns, margins)


def _headline(figure: Figure, lines: list[str], words: str) -> None:
    """The title, and below it what the map says, from the left edge on."""
    height = figure.get_figheight()
    for k, line in enumerate(lines):
        figure.text(0.012, 1 - (0.1 + k * LINE) / height, plain(line), fontsize=HEADLINE, weight="bold", va="top")
    figure.text(0.012, 1 - (0.14 + len(lines) * LINE) / height, plain(words), fontsize=LABEL + 0.5, va="top")


def _label(
    axes: Axes, cut: Cut, ends: tuple[str, str] | None, depth: DepthAxis | None, *, first: bool, last: bool
) -> None:
    """Ticks on both axes; their numbers and words only on the left (`first`) and below (`last`)."""
    left, right, bottom, top = cut.extent
    set_ticks(axes, "x", mm_ticks(right - left), words=last)
    if last:
        axes.set_xlabel(direction(ends), fontsize=LABEL)
    if cut.deep and depth is not None:
        set_ticks(axes, "y", um_ticks(top, bottom), words=first)
        words = depth.words
    else:
        set_ticks(axes, "y", mm_ticks(top - bottom), words=first)
        words = direction(UP)
    if first:
        axes.set_ylabel(words, fontsize=LABEL)


def _titles(planes: Planes, at: tuple[int, int, int], axis: DepthAxis) -> list[str]:
    x, y = ((k + 0.5) * mm for k, mm in zip(at[:2], planes.image.spacing[:2], strict=True))
    slab = "mean of all depths" if planes.enface is None else slab_title(planes.enface.names[0])
    return [
        f"A  B-scan at y = {y:.2f} mm",
        f"B  Across B-scans, x = {x:.2f} mm",
        f"C  En-face, {slab}",
        f"D  Slice {axis.of_voxel(planes, at)}",
    ]


def _lower_row(
    axes: NDArray,
    planes: Planes,
    axis: DepthAxis,
    *,
    scale: float,
    unit: str,
    plane: PlaneMap | None,
    ends: tuple[str, str] | None,
    decision: SlabDecision | None,
) -> None:
    heat, surfaces, lesion = planes.heat, planes.surfaces, planes.lesion
    truth = None if lesion is None else evidence_by_depth(lesion.with_array(np.asarray(lesion.array) > 0), surfaces)
    draw_depths(axes[0], evidence_by_depth(heat, surfaces), truth, surfaces, axis.ends)
    box, room = axes[1].get_position(), SLAB_WORDS / axes[1].figure.get_figwidth()
    axes[1].set_position((box.x0 + room, box.y0, box.width - room, box.height))
    draw_slabs(axes[1], evidence_by_slab(heat, surfaces), decision)
    if plane is None:
        axes[2].axis("off")
    else:
        marked = bool(plane.heat.array.max() > 0)
        cut = flat_cut(plane.enface, plane.enface.names[0], plane.heat, lesion, marked=marked)
        draw_map(axes[2], cut, plane.scale)
        _label(axes[2], cut, ends, None, first=True, last=True)
        axes[2].set_title(f"G  2D network's map (0 to {plane.scale:.2g})", fontsize=TITLE, loc="left")
    entries = key_entries(lesion=_has(lesion), surfaces=surfaces is not None, peak=bool(heat.array.max() > 0))
    draw_key(axes[3], entries, scale, unit)


def _has(lesion: Volume | None) -> bool:
    return lesion is not None and bool(lesion.array.any())


def _peak_words(planes: Planes, at: tuple[int, int, int], axis: DepthAxis) -> str:
    """Where the peak lies, in one sentence."""
    words = f"The map's peak lies {axis.of_voxel(planes, at)}"
    if slab := slab_at(planes.surfaces, planes.heat, at):
        words += f" ({slab})"
    if planes.lesion is not None and _has(planes.lesion):
        inside = bool(np.asarray(planes.lesion.array)[at] > 0)
        words += ", inside the lesion" if inside else ", outside the lesion"
    return words + "."


def _stretch_words(image: Volume, axis: DepthAxis) -> str:
    """How much larger depth is drawn than width in A and B, which are square."""
    deep = axis.ends[1] - axis.ends[0]
    along_x, along_y = (f"{1000 * mm / deep:.2g}" for mm in image.extent_mm[:2])
    return f"depth drawn x {along_x}" if along_x == along_y else f"depth x {along_x} in A, x {along_y} in B"

"""The worst errors in pictures: what the network saw of the eye, and what is known of it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from octa_kedro.errors import DataError
from octa_kedro.evaluation.figures.style import COLOURS, SMALL, TEXT, dress, entitle, sheet
from octa_kedro.evaluation.predictions import HELD_OUT, OUT_OF_FOLD, PARTS
from octa_kedro.evaluation.tables import PART_TITLES
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.panels import plain
from octa_kedro.results.config import OnError
from octa_kedro.results.guard import each_eye, tell_left_out
from octa_kedro.results.stored import Stored

A_PART = 3
"""Errors that are shown of each part."""
MOST_MAPS = 2
ROW_MM = 36.0
WHITE = 99.5
"""Percentile of the grey levels that is drawn white."""
SURFACES = ("ILM", "OPL_ONL", "BM")
Pictures = tuple[Volume, PlaneStack | None, PlaneStack | None]


def errors_figure(
    errors: pd.DataFrame,
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    surfaces: Mapping[str, Stored],
    titles: Mapping[str, str],
    *,
    on_error: OnError = "stop",
    judged: Sequence[str] = (OUT_OF_FOLD, HELD_OUT),
) -> Figure:
    """Return a row per eye, the A_PART worst of each part of `mistakes.error_table`: the middle B-scan with its
    surfaces, the en-face maps (where there are none: the mean over depth), and label, call and quality in words.

    `images` are stored processed volumes by subject, `maps` and `surfaces` may lack an eye; `titles` are readable names
    of models; `judged` are the parts that there are. An eye whose files cannot be read stops the drawing, or is left
    out with a warning (`on_error`).
    """
    parts = [part for part in PARTS if len(errors) and (errors["part"] == part).any()]
    shown = [row for part in parts for row in errors[errors["part"] == part].head(A_PART).to_dict("records")]

    def read(subject: str) -> Pictures:
        if subject not in images:
            raise DataError(f"subject {subject}: no processed volume; run data_processing again")
        return tuple(kind[subject]() if subject in kind else None for kind in (images, maps, surfaces))  # type: ignore[return-value]

    outcome = each_eye([str(row["subject"]) for row in shown], read, on_error)
    tell_left_out(outcome.failed, "the figure of errors")
    drawn = [row for row in shown if str(row["subject"]) in outcome.done]
    if not drawn:
        return _nothing_wrong(bool(shown))
    columns = max(len(_maps_of(outcome.done[str(row["subject"])])) for row in drawn)
    figure = sheet(ROW_MM * len(drawn) + 22)
    grid = figure.subplots(len(drawn), columns + 2, squeeze=False, width_ratios=[1.25, *[1] * columns, 1.15])
    for axes, row in zip(grid, drawn, strict=True):
        _draw_eye(axes, outcome.done[str(row["subject"])], row)
    model = str(drawn[0]["model"])
    entitle(
        figure,
        f"Worst errors of the {titles.get(model, model)}",
        f"The {A_PART} eyes of each part to whose true class the network gave the least probability, of those that it "
        "called wrong; p: probability that it gave to what is wrong. Left: B-scan through the middle of the eye, depth "
        "stretched, orange: surfaces; dashed: where it lies. Axes in mm. Grey levels: each picture its own, white from "
        f"the 99.5th percentile on.{_without_errors(judged, parts)}",
    )
    return figure


def _without_errors(judged: Sequence[str], parts: Sequence[str]) -> str:
    """Which parts have nothing to show."""
    return "".join(f" {PART_TITLES[part]}: no eye was called wrong." for part in judged if part not in parts)


def _nothing_wrong(some: bool) -> Figure:
    figure = sheet(40, 120)
    axes = figure.subplots()
    axes.set_axis_off()
    words = "No eye that was called wrong could be read." if some else "No eye was called wrong."
    axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=TEXT + 1)
    entitle(figure, "Worst errors of the main network")
    return figure


def _maps_of(pictures: Pictures) -> list[tuple[str, np.ndarray]]:
    """The en-face pictures of an eye ``[x, y]`` with their titles."""
    volume, maps, _ = pictures
    if maps is None:
        return [("mean over depth", np.asarray(volume.array).mean(axis=2))]
    return [(f"en-face, {name.replace('_', ' to ')}", maps.plane(name)) for name in maps.names[:MOST_MAPS]]


def _draw_eye(axes: np.ndarray, pictures: Pictures, row: Mapping[Any, Any]) -> None:
    volume, _, surfaces = pictures
    middle = volume.array.shape[1] // 2
    across, _, deep = (float(mm) for mm in volume.extent_mm)
    _show(axes[0], np.asarray(volume.array)[:, middle], (0, across, deep, 0), "upper", "auto")
    if surfaces is not None:
        _draw_surfaces(axes[0], volume, surfaces, middle)
    dress(axes[0], title="B-scan", y="depth, mm", grid=False)
    places = axes[1:-1]
    for place, (title, picture) in zip(places, _maps_of(pictures), strict=False):
        width, height = (float(mm) for mm in volume.extent_mm[:2])
        _show(place, picture, (0, width, 0, height), "lower", "equal")
        place.axhline(
            (middle + 0.5) / volume.array.shape[1] * height, color="white", linewidth=0.6, linestyle=(0, (3, 3))
        )
        dress(place, title=plain(title), grid=False)
    for place in places[len(_maps_of(pictures)) :]:
        place.set_axis_off()
    for place in axes[:-1]:
        place.tick_params(labelsize=SMALL - 1)
    axes[-1].set_axis_off()
    heading, lines = eye_words(row)
    axes[-1].text(0, 0.98, plain(heading), fontsize=TEXT, weight="bold", va="top", transform=axes[-1].transAxes)
    words = plain("\n".join(lines))
    axes[-1].text(0, 0.84, words, fontsize=SMALL, va="top", linespacing=1.35, transform=axes[-1].transAxes)


def _show(axes: Axes, picture: np.ndarray, extent: tuple[float, float, float, float], origin: Any, aspect: Any) -> None:
    white = max(float(np.percentile(picture, WHITE)), 1e-6)
    axes.imshow(picture.T, cmap="gray", vmin=0, vmax=white, extent=extent, origin=origin, aspect=aspect)


def _draw_surfaces(axes: Axes, volume: Volume, surfaces: PlaneStack, middle: int) -> None:
    top = volume.grid_affine[2, 3] - volume.spacing[2] / 2
    x = (np.arange(volume.array.shape[0]) + 0.5) * volume.spacing[0]
    for name in SURFACES:
        if name in surfaces.names:
            axes.plot(x, surfaces.plane(name)[:, middle] - top, color=COLOURS[4], linewidth=0.7)


def eye_words(row: Mapping[Any, Any]) -> tuple[str, list[str]]:
    """A heading and lines of what is known of an eye of the table of errors; what is not known is left out."""
    heading = f"{PART_TITLES[str(row['part'])]}, worst {row['rank']}: {row['subject']}"
    lines = [
        f"label {row['label']}, called {row['called']}",
        f"p = {float(row['wrong_probability']):.2f} for what is wrong",
    ]
    if not math.isnan(float(row["spread"])):
        lines[-1] += f", networks' SD {float(row['spread']):.2f}"
    if _known(row, "disease") and str(row["disease"]) != str(row["label"]):
        lines.append(f"disease {row['disease']}")
    about = [f"{float(row['field_of_view_mm']):g} mm"] if _known(row, "field_of_view_mm") else []
    about += [str(row["laterality"])] if _known(row, "laterality") else []
    about += [f"{float(row['age']):g} years"] if _known(row, "age") else []
    about += [str(row["sex"])] if _known(row, "sex") else []
    lines += [", ".join(about)] if about else []
    quality = [f"signal {float(row['signal_db']):.1f} dB"] if _known(row, "signal_db") else []
    quality += [f"flow {float(row['flow_contrast_grey']):.1f}"] if _known(row, "flow_contrast_grey") else []
    quality += [f"motion {float(row['motion_line_share']):.2f}"] if _known(row, "motion_line_share") else []
    lines.append("quality: " + (", ".join(quality) if quality else "not known"))
    if _known(row, "quality_objections"):
        lines.append(f"objections: {row['quality_objections']}")
    return heading, lines


def _known(row: Mapping[Any, Any], name: str) -> bool:
    value = row.get(name)
    return value is not None and not pd.isna(value) and str(value).strip() != ""

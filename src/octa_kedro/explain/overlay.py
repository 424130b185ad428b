"""Pictures of one eye with its map over it; they return matplotlib figures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from octa_kedro.explain.localisation import peak_voxel
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.panels import Margins, figure_of_panels

HEAT = "inferno"
LESION_COLOUR = "#56B4E9"
PEAK_COLOUR = "#009E73"
MAX_ALPHA = 0.75
UNIT = "raw Grad-CAM (evidence)"
# Inches.
HEIGHT = 7.6
MARGINS = Margins(left=0.42, right=1.3, top=0.55, bottom=0.42, across=0.5, down=0.5)
BAR = (1.0, 0.62, 0.17, 3.4)
"""Of the colour bar: from the right edge, from below, width and height."""
DEPTH_STRETCH = 2  # a retina shown to scale is too thin to see its layers


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
) -> Figure:
    """B-scan through the map's peak, en-face map, and en-face slice at the peak's depth; below, the same
    with the map over it.

    The map is shown raw against the common `scale`, so that eyes can be compared: an eye with little
    evidence looks empty. Over the en-face map lies the map's maximum along depth. The lesion's outline is
    drawn where a mask is known.
    """
    px, py, pz = peak_voxel(heat.array)
    flat = enface.array[..., 0] if enface is not None else image.array.mean(axis=2)
    mask: NDArray = np.zeros(image.array.shape) if lesion is None else (np.asarray(lesion.array) > 0).astype(float)
    slab = enface.names[0] if enface is not None else "mean"
    depth = _depth_words(heat, surfaces, (px, py, pz))
    titles = [f"B-scan at the peak (depth x {DEPTH_STRETCH})", f"En-face {slab}", f"En-face slice {depth}"]
    greys = [image.array[:, py], flat, image.array[:, :, pz]]
    warms = [heat.array[:, py], heat.array.max(axis=2), heat.array[:, :, pz]]
    outlines = [mask[:, py], mask.max(axis=2), mask[:, :, pz]]
    figure, axes, bar = _panels(14, (1.7, 1, 1))
    for column in range(3):
        deep = column == 0
        mm = (image.spacing[0], image.spacing[2 if deep else 1])
        peak = (px, pz if deep else py)
        _show(axes[0, column], greys[column], mm, deep=deep, title=titles[column])
        _outline(axes[0, column], outlines[column], mm)
        colours = _show(axes[1, column], greys[column], mm, deep=deep, heat=warms[column], scale=scale, peak=peak)
        if deep and surfaces is not None:
            _surface_lines(axes[0, column], image, surfaces, py)
    figure.colorbar(colours, cax=bar, label=unit)
    figure.suptitle(title, y=0.995)
    return figure


def plane_figure(enface: PlaneStack, heat: PlaneStack, *, title: str, scale: float, unit: str = UNIT) -> Figure:
    """Each en-face map of a 2D network, and the same with the network's map over it."""
    n = len(enface.names)
    figure, axes, bar = _panels(3.9 * n + 1, (1,) * n)
    x_mm, y_mm = (float(v) for v in np.linalg.norm(enface.affine[:3, :2], axis=0))
    warm = heat.array[..., 0]
    for column, name in enumerate(enface.names):
        grey = enface.array[..., column]
        _show(axes[0, column], grey, (x_mm, y_mm), title=f"En-face {name}")
        colours = _show(axes[1, column], grey, (x_mm, y_mm), heat=warm, scale=scale, peak=peak_voxel(warm))
    figure.colorbar(colours, cax=bar, label=unit)
    figure.suptitle(title, y=0.995)
    return figure


def _panels(width: float, ratios: Sequence[float]) -> tuple[Figure, NDArray, Axes]:
    """A figure that is `width` inches wide with two rows of panels and, beside the lower one, axes for a colour bar."""
    figure, axes = figure_of_panels((width, HEIGHT), 2, len(ratios), MARGINS, width_ratios=ratios)
    right, bottom, wide, high = BAR
    bar = figure.add_axes((1 - right / width, bottom / HEIGHT, wide / width, high / HEIGHT))
    return figure, axes, bar


def _show(
    axes: Axes,
    grey: NDArray,
    mm: tuple[float, float],
    *,
    deep: bool = False,
    title: str = "",
    heat: NDArray | None = None,
    scale: float = 1.0,
    peak: tuple[int, ...] | None = None,
) -> Any:
    """One picture in millimetres; depth runs downwards in a B-scan, superior is up en face."""
    width, height = grey.shape[0] * mm[0], grey.shape[1] * mm[1]
    place: dict[str, Any] = {
        "extent": (0, width, height, 0) if deep else (0, width, 0, height),
        "origin": "upper" if deep else "lower",
        "interpolation": "nearest",
    }
    axes.imshow(grey.T, cmap="gray", vmin=0, vmax=max(float(np.percentile(grey, 99.5)), 1e-6), **place)
    colours = None
    if heat is not None:
        strength = np.clip(heat.T / max(scale, 1e-12), 0, 1)
        colours = axes.imshow(heat.T, cmap=HEAT, vmin=0, vmax=max(scale, 1e-12), alpha=MAX_ALPHA * strength, **place)
    if peak is not None:
        axes.plot((peak[0] + 0.5) * mm[0], (peak[1] + 0.5) * mm[1], "+", ms=11, mew=1.8, color=PEAK_COLOUR)
    axes.set_aspect(DEPTH_STRETCH if deep else "equal")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("mm", fontsize=8)
    axes.tick_params(labelsize=8)
    return colours


def _outline(axes: Axes, mask: NDArray, mm: tuple[float, float]) -> None:
    if mask.any() and not mask.all():
        x, y = ((np.arange(n) + 0.5) * step for n, step in zip(mask.shape, mm, strict=True))
        axes.contour(x, y, mask.T.astype(float), levels=[0.5], colors=LESION_COLOUR, linewidths=1.0)


def _surface_lines(axes: Axes, image: Volume, surfaces: PlaneStack, row: int) -> None:
    x = (np.arange(image.array.shape[0]) + 0.5) * image.spacing[0]
    top = image.affine[2, 3] - image.spacing[2] / 2
    for name in ("ILM", "OPL_ONL", "BM"):
        axes.plot(x, surfaces.plane(name)[:, row] - top, lw=0.8, color="#E69F00", alpha=0.8)
    height = image.array.shape[2] * image.spacing[2]
    axes.set_ylim(height, 0)


def _depth_words(heat: Volume, surfaces: PlaneStack | None, peak: tuple[int, int, int]) -> str:
    z = float((heat.affine @ [*peak, 1.0])[2])
    if surfaces is None:
        return f"at {z:.2f} mm"
    return f"{1000 * (z - float(surfaces.plane('ILM')[peak[:2]])):.0f} um below the ILM"

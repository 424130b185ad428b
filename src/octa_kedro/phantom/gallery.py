"""One figure of the phantom: an eye with each disease, its layers, its vessels and its lesions.

No eye depends on this module, so that an edit here does not make the eyes of a cohort anew.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, get_args

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MultipleLocator
from numpy.typing import NDArray

from octa_kedro.io.octa500 import plane_to_picture
from octa_kedro.phantom.config import FIELD_MM, Disease, FieldOfView, PhantomConfig
from octa_kedro.phantom.exhibit import SLABS, Exhibit, exhibit
from octa_kedro.phantom.eye import PhantomEye
from octa_kedro.phantom.lesions.model import Finding
from octa_kedro.phantom.scan import make_eye

# Okabe and Ito 2008, light enough to be seen on grey levels.
COLOURS = {
    Finding.CAPILLARY_DROPOUT: "#56B4E9",
    Finding.MICROANEURYSM: "#F0E442",
    Finding.DRUSEN: "#E69F00",
    Finding.CHORIOCAPILLARIS_DEFICIT: "#E58BC2",
    Finding.NEOVASCULAR: "#FF5A2A",
    Finding.FLUID: "#19C58F",
    Finding.EPIRETINAL_MEMBRANE: "#7D8CFF",
}
LINE_COLOUR = "#FFE9A8"
ROOM_MM = 0.12
"""Depth shown above and below the retina, in the B-scan whose retina spans the largest range of depths."""
SEVERITY = 0.9

# Inches: the picture is 2400 pixels wide.
DPI, WIDTH, LABEL, TICKS, PANEL, GAP, TOP, BOTTOM = 150, 16.0, 1.6, 0.38, 1.68, 0.09, 0.95, 0.95
BSCAN = (WIDTH - LABEL - TICKS - (len(SLABS) + 1) * PANEL - (len(SLABS) + 5) * GAP) / 2


def phantom_gallery(config: PhantomConfig) -> Figure:
    """`gallery_figure` of one eye per disease, at high severity; includes diseases that the cohort does not have."""
    name, _ = _field(config)
    shape = " x ".join(map(str, config.shapes[name]))
    field = f"{name.removesuffix('mm')} mm wide, {shape} voxels, severity {SEVERITY}, seed {config.seed}"
    return gallery_figure(gallery_eyes(config), title=f"One phantom eye with each disease: {field}")


def gallery_eyes(config: PhantomConfig) -> dict[str, Callable[[], PhantomEye]]:
    """For each disease, a function that makes an eye of good quality and high severity, which is in no cohort."""
    # An eye depends on its ID. All rows have the same one, which no cohort uses, and differ only in the disease.
    person = {"ID": 0, "Sex": "F", "OS/OD": "OD", "Age": 60, "quality": "good"}
    eyes: dict[str, Callable[[], PhantomEye]] = {}
    for word in get_args(Disease):
        severity = 0.0 if word == "NORMAL" else SEVERITY
        row = {**person, "fov_mm": _field(config)[1], "Disease": word, "drawn": word, "severity": severity}
        eyes[word] = partial(make_eye, config, row)
    return eyes


def gallery_figure(eyes: Mapping[str, Callable[[], PhantomEye]], *, title: str) -> Figure:
    """B-scans through the lesion, en-face OCTA of four slabs and the lesion mask; a row per eye, named by its key.

    Eyes are made one after the other and only their planes are kept. Grey levels share one scale per
    column, so that eyes can be compared.
    """
    exhibits = {word: exhibit(make()) for word, make in eyes.items()}
    height = TOP + len(exhibits) * (PANEL + GAP) + BOTTOM
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)
    ceilings = {name: _ceiling([shown.slabs[name] for shown in exhibits.values()]) for name in SLABS}
    octa_ceiling = _ceiling([shown.octa[shown.octa > 0] for shown in exhibits.values()])
    depth = max(float(np.ptp(shown.depths_mm)) for shown in exhibits.values()) + 2 * ROOM_MM
    for number, (word, shown) in enumerate(exhibits.items()):
        bottom = height - TOP - (number + 1) * PANEL - number * GAP
        axes = _row_axes(figure, bottom, height)
        _label(axes[0], word, shown)
        _draw_bscan(axes[1], shown.oct, 255.0, shown, depth=depth, with_layers=True)
        _draw_bscan(axes[2], shown.octa, octa_ceiling, shown, depth=depth)
        for panel, name in zip(axes[3:], SLABS, strict=False):
            _draw_enface(panel, shown.slabs[name], ceilings[name], shown)
        _draw_covered(axes[-1], shown, ceilings["superficial"])
        _label_axes(axes[1:], first=number == 0, last=number == len(exhibits) - 1)
    figure.text(GAP / WIDTH, 1 - 0.18 / height, title, va="top", fontsize=13, weight="bold")
    _legend(figure)
    return figure


def _field(config: PhantomConfig) -> tuple[FieldOfView, float]:
    """Name and millimetres of the smallest field of view that the cohort is scanned with."""
    return min(((name, FIELD_MM[name]) for name in config.shapes), key=lambda item: item[1])


def _ceiling(planes: list[NDArray]) -> float:
    """Grey level that is shown white: nearly the highest of all eyes."""
    return max(float(np.percentile(np.concatenate([plane.ravel() for plane in planes]), 99.7)), 1e-6)


def _row_axes(figure: Figure, bottom: float, height: float) -> list[Axes]:
    """Label, two B-scans, four slabs and the mask, from left to right; sizes in inches."""
    widths = [LABEL, BSCAN, BSCAN, *[PANEL] * (len(SLABS) + 1)]
    axes, left = [], GAP
    for number, width in enumerate(widths):
        axes.append(figure.add_axes((left / WIDTH, bottom / height, width / WIDTH, PANEL / height)))
        left += width + GAP + (TICKS if number == 0 else 0)
    return axes


def _label(axes: Axes, word: str, shown: Exhibit) -> None:
    axes.set_axis_off()
    axes.text(0, 1, word, va="top", fontsize=13, weight="bold", transform=axes.transAxes)
    pixel_mm2 = shown.extent_mm[0] * shown.extent_mm[1] / next(iter(shown.slabs.values())).size
    write = partial(axes.text, va="top", fontsize=9, transform=axes.transAxes)
    if not shown.covered:
        write(0, 0.83, "no lesion")
    for number, (finding, cover) in enumerate(shown.covered.items()):
        write(0, 0.83 - 0.19 * number, _words(finding))
        write(0, 0.745 - 0.19 * number, f"{cover.sum() * pixel_mm2:.2f} mm2", color="0.4", fontsize=8)


def _draw_bscan(
    axes: Axes, grey: NDArray, ceiling: float, shown: Exhibit, *, depth: float, with_layers: bool = False
) -> None:
    """`depth` millimetres around the retina; lesions are tinted if the layers are drawn, else outlined."""
    width, _, height = shown.extent_mm
    place: dict[str, Any] = {"extent": (0, width, height, 0), "aspect": "auto", "interpolation": "nearest"}
    axes.imshow(grey.T, cmap="gray", vmin=0, vmax=ceiling, **place)
    x, z = ((np.arange(n) + 0.5) * size / n for n, size in zip(grey.shape, (width, height), strict=True))
    for finding in shown.covered:
        mask = shown.lesion == finding
        if with_layers:
            axes.imshow(_tint(mask.T, finding, 0.3), **place)
        elif mask.any():
            axes.contour(x, z, mask.T.astype(float), levels=[0.5], colors=COLOURS[finding], linewidths=0.8)
    if with_layers:
        axes.plot(x, shown.surfaces_mm.T, lw=0.6, color=LINE_COLOUR, alpha=0.8)
    middle = float(np.mean(shown.depths_mm))
    axes.set(xlim=(0, width), ylim=(middle + depth / 2, middle - depth / 2))


def _draw_enface(axes: Axes, plane: NDArray, ceiling: float, shown: Exhibit) -> None:
    """Superior at the top; a dashed line shows where the B-scan lies."""
    width, height, _ = shown.extent_mm
    picture = plane_to_picture(plane)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=ceiling, extent=(0, width, 0, height), interpolation="nearest")
    y = (shown.row + 0.5) * height / plane.shape[1]
    axes.axhline(y, lw=0.9, color=LINE_COLOUR, ls=(0, (5, 7)), alpha=0.9)
    axes.set(xlim=(0, width), ylim=(0, height))


def _draw_covered(axes: Axes, shown: Exhibit, ceiling: float) -> None:
    """Findings over the faint superficial vessels, small ones on top of large ones."""
    _draw_enface(axes, shown.slabs["superficial"], 2.5 * ceiling, shown)
    width, height, _ = shown.extent_mm
    for finding, cover in sorted(shown.covered.items(), key=lambda item: -item[1].sum()):
        tint = _tint(plane_to_picture(cover), finding, 0.85)
        axes.imshow(tint, extent=(0, width, 0, height), interpolation="nearest")
    ends = ("T", "N") if shown.laterality == "OD" else ("N", "T")
    for x, y, letter in ((0.05, 0.5, ends[0]), (0.95, 0.5, ends[1]), (0.5, 0.94, "S"), (0.5, 0.06, "I")):
        axes.text(x, y, letter, color="white", fontsize=8, ha="center", va="center", transform=axes.transAxes)


def _tint(mask: NDArray, finding: Finding, alpha: float) -> NDArray[np.float64]:
    """Red, green, blue and opacity where `mask` is set."""
    return np.concatenate([np.full((*mask.shape, 3), to_rgb(COLOURS[finding])), alpha * mask[..., None]], axis=2)


def _label_axes(axes: list[Axes], *, first: bool, last: bool) -> None:
    """Titles on the first row, millimetres below the last one and beside each B-scan."""
    layers = [f"{upper} to {lower}" if lower else f"{upper} to 30 um below" for upper, lower in SLABS.values()]
    titles = ["OCT B-scan", "OCTA B-scan", *(f"OCTA {name}" for name in SLABS), "lesion mask"]
    below = ["layers and lesion", "lesion outlined", *(text.replace("_", "/") for text in layers), "at any depth"]
    for panel, title, detail in zip(axes, titles, below, strict=True):
        if first:
            panel.set_title(f"{title}\n{detail}", fontsize=9.5, linespacing=1.3)
        # without the last tick, whose label would touch the first one of the neighbour
        whole = np.arange(np.ceil(panel.get_xlim()[1]))
        panel.set_xticks(whole)
        panel.tick_params(labelsize=8, length=2.5, labelbottom=last, labelleft=panel is axes[0])
        if panel in axes[:2]:
            panel.yaxis.set_major_locator(MultipleLocator(0.2))
        else:
            panel.set_yticks(whole)
        panel.set_xlabel("mm" if last else "", fontsize=8, labelpad=1)
    axes[0].set_ylabel("depth, mm", fontsize=8, labelpad=2)


def _legend(figure: Figure) -> None:
    """The findings' colours and the lines."""
    patches = [Patch(color=COLOURS[finding], label=_words(finding)) for finding in Finding]
    layers = Line2D([], [], color="#C9A227", lw=1, label="surfaces ILM, IPL/INL, OPL/ONL, IS/OS, RPE, BM")
    place = Line2D([], [], color="#C9A227", lw=1, ls="--", label="place of the B-scan")
    figure.legend(
        handles=[*patches, layers, place], loc="lower center", ncols=5, frameon=False, fontsize=9, columnspacing=1.8
    )


def _words(finding: Finding) -> str:
    return finding.name.lower().replace("_", " ")

"""One eye on its way from scan to network input, in pictures: to be looked at before anything is trained."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from octa_kedro.io.octa500 import plane_to_picture
from octa_kedro.io.source import Source
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.panels import Margins, figure_of_panels, plain
from octa_kedro.preprocessing.config import ENFACE, OCT, SURFACES, VOLUME, ProcessingConfig
from octa_kedro.preprocessing.eye import Reference, place_eye, process_eye
from octa_kedro.preprocessing.geometry import Grid
from octa_kedro.preprocessing.making import field_name, read_reference
from octa_kedro.preprocessing.mirroring import mirror
from octa_kedro.preprocessing.recipes import by_field
from octa_kedro.preprocessing.slabs import slab_edges
from octa_kedro.results.config import OnError
from octa_kedro.results.guard import each_eye, tell_left_out
from octa_kedro.results.stored import Stored

KEPT = "#009E73"  # Okabe and Ito 2008, like the other colours of our figures
LINE = "#FFE9A8"
BRIGHTEST = 99.7
PANEL = 3.1  # inches, with its labels
MARGINS = Margins(left=0.65, right=0.5, top=0.75, bottom=0.5, across=0.75, down=0.75)
BINS = 64


def steps_figures(
    source: Source,
    cohort: pd.DataFrame,
    surfaces: Mapping[str, Stored],
    references: Mapping[str, Stored],
    config: ProcessingConfig,
    *,
    on_error: OnError = "stop",
) -> Iterator[tuple[str, Figure]]:
    """The first eye of each field of view of the cohort that can be processed, by the field's name (``3mm``)."""
    for field_mm, subjects in by_field(cohort).items():
        reference = read_reference(references, field_mm)

        def draw(subject: str, reference: Reference | None = reference) -> Figure:
            own = surfaces[subject]() if subject in surfaces else None
            return steps_figure(source, subject, own, config, reference)

        for subject in subjects:
            drawn = each_eye([subject], draw, on_error)
            tell_left_out(drawn.failed, "the figure of the steps")
            if drawn.done:
                yield field_name(field_mm), drawn.done[subject]
                break


def steps_figure(
    source: Source,
    subject: str,
    surfaces: PlaneStack | None,
    config: ProcessingConfig,
    reference: Reference | None = None,
) -> Figure:
    """The scan with its surfaces and the part that is kept, and everything that is made of it.

    Made by `preprocessing.eye.process_eye`, so that what is shown is what a network gets.
    """
    scan = source.volume(subject, config.modality)
    made = process_eye(source, subject, surfaces, config, reference)
    volume: Volume = made[VOLUME].item  # type: ignore[assignment]
    shown: PlaneStack | None = made[SURFACES].item if SURFACES in made else None  # type: ignore[assignment]
    kept = _kept_box(scan, surfaces, config, reference)
    maps: PlaneStack | None = made[ENFACE].item if ENFACE in made else None  # type: ignore[assignment]
    beside: Volume | None = made[OCT].item if OCT in made else None  # type: ignore[assignment]
    count = 3 + max(1, 0 if maps is None else len(config.slabs))
    figure, axes = figure_of_panels((PANEL * count, 2 * PANEL + 0.7), 2, count, MARGINS)
    row, processed_row = scan.array.shape[1] // 2, volume.array.shape[1] // 2
    _bscan(axes[0, 0], scan, row, surfaces, title=f"1  scan, B-scan {row + 1}", kept=kept)
    _plane(axes[1, 0], np.asarray(scan.array).mean(axis=2), scan.grid_affine, "1  scan, mean of its depth", kept)
    _bscan(axes[0, 1], volume, processed_row, shown, title="2  processed, middle B-scan")
    _plane(axes[1, 1], volume.array.mean(axis=2), volume.grid_affine, "2  processed, mean of its depth")
    _histograms(axes[0, 2], scan, volume)
    if beside is not None:
        _bscan(axes[1, 2], beside, processed_row, shown, title="2  processed OCT")
    for column, slab in enumerate(() if maps is None else maps.names):
        assert maps is not None
        _plane(axes[0, 3 + column], maps.plane(slab), volume.grid_affine, f"3  en-face {slab}, {config.projection}")
        if surfaces is not None and shown is not None:
            _thickness(axes[1, 3 + column], shown, slab)
    for axis in axes.flat:
        if not axis.has_data():
            axis.set_axis_off()
    figure.suptitle(plain(_title(scan, volume, surfaces, config)), y=0.995)
    return figure


def _title(scan: Volume, volume: Volume, surfaces: PlaneStack | None, config: ProcessingConfig) -> str:
    mirrored = ", mirrored" if config.mirror_left and scan.laterality == "OS" else ""
    found = "no surfaces" if surfaces is None else f"{surfaces.note or 'supplied'} surfaces"
    sizes = [" x ".join(map(str, v.array.shape)) for v in (scan, volume)]
    steps = f"registration {config.registration.method}, flattened {config.flatten or 'not'}"
    if (method := config.projection_artefacts.method) != "none":
        steps += f", projection artefacts removed by {method}"
    eye = f"{scan.modality} {scan.laterality or ''}{mirrored}"
    return f"{'/'.join(Path(scan.source).parts[-3:])}\n{eye}, {sizes[0]} to {sizes[1]} voxels; {found}; {steps}"


def _kept_box(
    scan: Volume, surfaces: PlaneStack | None, config: ProcessingConfig, reference: Reference | None
) -> Grid | None:
    """What is kept of the scan, in its own frame; None where a registration turns it."""
    if config.registration.method != "none":
        return None
    mirrored = (mirror(scan), surfaces and mirror(surfaces)) if config.mirror_left else (scan, surfaces)
    return place_eye(*mirrored, config, reference).placement.grid


def _bscan(
    axis: Axes, volume: Volume, row: int, surfaces: PlaneStack | None, *, title: str, kept: Grid | None = None
) -> None:
    picture = np.asarray(volume.array[:, row]).T
    (dx, _, dz), (x0, _, z0) = volume.spacing, volume.grid_affine[:3, 3]
    left, top = x0 - dx / 2, z0 - dz / 2
    extent = (left, left + dx * picture.shape[1], top + dz * picture.shape[0], top)
    axis.imshow(picture, cmap="gray", aspect="auto", extent=extent, vmin=0, vmax=_ceiling(picture))
    if surfaces is not None:
        x = x0 + dx * np.arange(volume.array.shape[0])
        for name in surfaces.names:
            axis.plot(x, surfaces.plane(name)[:, row], color=LINE, linewidth=0.6)
    if kept is not None:
        x_, z_ = kept.origin_mm[0], kept.origin_mm[2]
        axis.add_patch(
            Rectangle((x_, z_), kept.extent_mm[0], kept.extent_mm[2], fill=False, edgecolor=KEPT, linewidth=1.5)
        )
    axis.set(title=title, xlabel="mm", ylabel="depth, mm", xlim=extent[:2], ylim=extent[2:])


def _plane(axis: Axes, plane: NDArray, affine: NDArray, title: str, kept: Grid | None = None) -> None:
    picture = plane_to_picture(plane)
    dx, dy, x0, y0 = affine[0, 0], affine[1, 1], affine[0, 3], affine[1, 3]
    extent = (x0 - dx / 2, x0 + dx * (plane.shape[0] - 0.5), y0 - dy / 2, y0 + dy * (plane.shape[1] - 0.5))
    axis.imshow(picture, cmap="gray", extent=extent, vmin=0, vmax=_ceiling(picture))
    if kept is not None:
        axis.add_patch(
            Rectangle(
                (kept.origin_mm[0], kept.origin_mm[1]), *kept.extent_mm[:2], fill=False, edgecolor=KEPT, linewidth=1.5
            )
        )
    axis.set(title=title, xlabel="mm", ylabel="mm, superior up", xlim=extent[:2], ylim=extent[2:])


def _histograms(axis: Axes, scan: Volume, volume: Volume) -> None:
    """Grey levels that are not zero, before (relative to the highest) and after."""
    for name, array in (("scan", np.asarray(scan.array)), ("processed", volume.array)):
        values = array[array > 0].astype(np.float32)
        share, edges = np.histogram(values / values.max(), BINS, (0, 1))
        axis.stairs(share / share.sum(), edges, label=name)
    axis.set(title="2  non-zero grey levels", xlabel="share of the highest", yscale="log")
    axis.legend(frameon=False, fontsize=8)


def _thickness(axis: Axes, surfaces: PlaneStack, slab: str) -> None:
    top, bottom = slab_edges(surfaces, slab)
    thick = 1000 * (bottom - top)
    if not np.isfinite(thick).all():
        return
    picture = axis.imshow(plane_to_picture(thick), cmap="viridis")
    axis.figure.colorbar(picture, ax=axis, shrink=0.8, fraction=0.06, pad=0.04)
    axis.set(title=f"3  thickness of {slab}, um", xticks=[], yticks=[])


def _ceiling(picture: NDArray) -> float:
    return max(float(np.percentile(picture, BRIGHTEST)), 1e-6)

"""Pictures of the maps of all eyes of a model."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from octa_kedro.explain.cohort import Surroundings
from octa_kedro.explain.overlay import UNIT, PlaneMap, plane_figure, volume_figure
from octa_kedro.explain.slab_decision import SlabDecision
from octa_kedro.explain.sweep import sweep_gif
from octa_kedro.explain.target import evidence_for
from octa_kedro.explain.titles import eye_title
from octa_kedro.io.volume import Volume
from octa_kedro.results.stored import Stored


@dataclass(frozen=True)
class PlaneMaps:
    """The maps of a 2D network, and the en-face slabs that it sees."""

    maps: Mapping[str, Stored]
    slabs: tuple[str, ...]


@dataclass(frozen=True)
class EyePicture:
    """A picture that is drawn when it is saved, and not kept: memory does not grow with the number of eyes."""

    draw: Callable[[], Figure | bytes]

    def savefig(self, fname: Any, **options: Any) -> None:
        """As of a matplotlib figure; an animation is a file already."""
        drawn = self.draw()
        if isinstance(drawn, bytes):
            Path(fname).write_bytes(drawn)
        else:
            drawn.savefig(fname, **options)


def draw_maps(
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    rows: pd.DataFrame,
    around: Surroundings,
    slabs: tuple[str, ...] = (),
    *,
    threshold: float,
    model: str = "",
    unit: str = UNIT,
    plane: PlaneMaps | None = None,
    decisions: Mapping[str, SlabDecision] | None = None,
) -> dict[str, EyePicture]:
    """A figure for each eye in `rows` (columns subject, disease, target, probability), all on one scale.

    `slabs` are the en-face maps a 2D network sees; beside a 3D network's map stands that of a 2D network if `plane`
    has one, and which slabs carried its decision, where `decisions` has the eye. An eye is predicted diseased from
    `threshold` on; `model` is a readable name, `unit` what the colours measure. The scale is the highest raw value
    among the eyes, so that a map is bright only where its evidence is strong beside that of other eyes.
    """
    shown = [row for row in rows.to_dict("records") if str(row["subject"]) in maps]
    scale = _highest(maps, shown)
    flat_scale = 0.0 if plane is None else _highest(plane.maps, shown)

    def draw(row: Mapping[Hashable, Any]) -> Figure:
        subject = str(row["subject"])
        stored = images[subject]
        image, heat = stored(), maps[subject]()
        enface, surfaces, lesion = (around.read(what, subject) for what in ("enface", "surfaces", "lesions"))
        title = eye_title(row, model=model, threshold=threshold, laterality=image.laterality)
        common: dict[str, Any] = {"title": title, "scale": scale, "mirrored": was_mirrored(stored)}
        common["unit"] = f"{unit} ({evidence_for(maps[subject].meta)})" if unit != UNIT else UNIT
        if not isinstance(image, Volume):
            return plane_figure(image.only(slabs), heat, lesion=lesion, **common)
        flat = None
        if plane is not None and enface is not None and subject in plane.maps:
            flat = PlaneMap(enface.only(plane.slabs), plane.maps[subject](), flat_scale)
        decision = (decisions or {}).get(subject)
        return volume_figure(image, heat, enface, surfaces, lesion, plane=flat, decision=decision, **common)

    return {f"{row['subject']}.png": EyePicture(partial(draw, row)) for row in shown}


def draw_sweeps(
    images: Mapping[str, Stored], maps: Mapping[str, Stored], rows: pd.DataFrame, around: Surroundings
) -> dict[str, EyePicture]:
    """An animated walk through the B-scans of each eye in `rows` (column subject), all on one scale."""
    shown = [row for row in rows.to_dict("records") if str(row["subject"]) in maps]
    scale = _highest(maps, shown)

    def draw(subject: str) -> bytes:
        lesion, mirrored = around.read("lesions", subject), was_mirrored(images[subject])
        return sweep_gif(images[subject](), maps[subject](), scale, lesion, mirrored=mirrored)

    return {f"{row['subject']}.gif": EyePicture(partial(draw, str(row["subject"]))) for row in shown}


def _highest(maps: Mapping[str, Stored], rows: list[dict[Any, Any]]) -> float:
    """The highest raw value among the maps of these eyes, read one after the other."""
    subjects = [str(row["subject"]) for row in rows]
    return max((float(maps[subject]().array.max()) for subject in subjects if subject in maps), default=1.0)


def was_mirrored(stored: Stored) -> bool | None:
    """Whether a processed eye was mirrored, as its placement says; None if it says nothing."""
    placement = stored.meta.get("placement") or {}
    mirrored = placement.get("mirrored")
    return mirrored if isinstance(mirrored, bool) else None

"""Scores and pictures of the maps of all eyes of a model."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.gradcam import Explainer
from octa_kedro.explain.localisation import score_map
from octa_kedro.explain.overlay import UNIT, PlaneMap, plane_figure, volume_figure
from octa_kedro.explain.titles import eye_title
from octa_kedro.io.volume import Volume
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint

KEPT = ("model", "subject", "part", "disease", "target", "probability")


def describe_layer(images: Mapping[str, Stored], checkpoint: Checkpoint, config: ExplainConfig) -> dict[str, Any]:
    """Name, stride and cell size (millimetres, depth first in 3D) of the layer that maps are taken from, and the
    slabs that a 2D network sees."""
    layer = Explainer(checkpoint, config).layer(next(iter(images.values()))())
    return {
        "layer": layer.name,
        "stride": list(layer.stride),
        "cell_mm": [round(mm, 4) for mm in layer.cell_mm],
        "slabs": list(checkpoint.card.slabs),
    }


@dataclass(frozen=True)
class Surroundings:
    """What is known of the eyes beside image and map, by subject; any of it may be missing."""

    surfaces: Mapping[str, Stored] = field(default_factory=dict)
    lesions: Mapping[str, Stored] = field(default_factory=dict)
    enface: Mapping[str, Stored] = field(default_factory=dict)

    def read(self, what: str, subject: str) -> Any:
        """One of an eye's results, or None."""
        items = getattr(self, what)
        return items[subject]() if subject in items else None


def score_maps(
    maps: Mapping[str, Stored],
    around: Surroundings,
    predictions: pd.DataFrame,
    config: ExplainConfig,
    threshold: float,
) -> pd.DataFrame:
    """`localisation.score_map` of every mapped eye of one 3D model, beside its prediction.

    `predictions` are that model's; an eye is classified correctly if its probability lies on the right side
    of `threshold`. Columns: model, subject, part, disease, target, probability, correct,
    slab and the scores.
    """
    rows = []
    for row in predictions.to_dict("records"):
        subject, disease = str(row["subject"]), str(row["disease"])
        if subject not in maps:
            continue
        slab = config.lesion_slabs.get(disease)
        kept: dict[str, Any] = {name: row[name] for name in KEPT}
        kept |= {"correct": (row["probability"] >= threshold) == bool(row["target"]), "slab": slab or ""}
        scores = score_map(maps[subject](), around.read("surfaces", subject), around.read("lesions", subject), slab)
        rows.append(kept | scores)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class PlaneMaps:
    """The maps of a 2D network, and the en-face slabs that it sees."""

    maps: Mapping[str, Stored]
    slabs: tuple[str, ...]


@dataclass(frozen=True)
class EyeFigure:
    """A figure that is drawn when it is saved, and not kept: memory does not grow with the number of eyes."""

    draw: Callable[[], Figure]

    def savefig(self, fname: Any, **options: Any) -> None:
        """As of a matplotlib figure."""
        self.draw().savefig(fname, **options)


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
) -> dict[str, EyeFigure]:
    """A figure for each eye in `rows` (columns subject, disease, target, probability), all on one scale.

    `slabs` are the en-face maps a 2D network sees; beside a 3D network's map stands that of a 2D network if `plane`
    has one. An eye is predicted diseased from `threshold` on; `model` is a readable name, `unit` what the colours
    measure. The scale is the highest raw value among the eyes, so that a map is bright only where its evidence is
    strong beside that of other eyes.
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
        common: dict[str, Any] = {"title": title, "scale": scale, "unit": unit, "mirrored": was_mirrored(stored)}
        if not isinstance(image, Volume):
            return plane_figure(image.only(slabs), heat, lesion=lesion, **common)
        flat = None
        if plane is not None and enface is not None and subject in plane.maps:
            flat = PlaneMap(enface.only(plane.slabs), plane.maps[subject](), flat_scale)
        return volume_figure(image, heat, enface, surfaces, lesion, plane=flat, **common)

    return {f"{row['subject']}.png": EyeFigure(partial(draw, row)) for row in shown}


def _highest(maps: Mapping[str, Stored], rows: list[dict[Any, Any]]) -> float:
    """The highest raw value among the maps of these eyes, read one after the other."""
    subjects = [str(row["subject"]) for row in rows]
    return max((float(maps[subject]().array.max()) for subject in subjects if subject in maps), default=1.0)


def was_mirrored(stored: Stored) -> bool | None:
    """Whether a processed eye was mirrored, as its placement says; None if it says nothing."""
    placement = stored.meta.get("placement") or {}
    mirrored = placement.get("mirrored")
    return mirrored if isinstance(mirrored, bool) else None

"""Maps, scores and pictures for all eyes of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from octa_kedro.errors import LeakError
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.gradcam import Explainer, mean_map
from octa_kedro.explain.localisation import score_map
from octa_kedro.explain.overlay import plane_figure, volume_figure
from octa_kedro.io.hashing import code_fingerprint, recipe_key
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.processed_as import require_processed_as
from octa_kedro.results.store import Recipe
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint
from octa_kedro.training.guard import patients_in

KEPT = ("model", "subject", "part", "disease", "target", "probability")
CODE = tuple(f"octa_kedro.{name}" for name in ("explain", "models", "io", "preprocessing", "training.checkpoint"))


def map_recipes(
    images: Mapping[str, Stored],
    splits: pd.DataFrame,
    checkpoints: Sequence[Checkpoint],
    config: ExplainConfig,
) -> dict[str, Recipe]:
    """A raw map for every subject that some checkpoint has not learnt from.

    An eye is explained by all checkpoints whose weights were not moved by an eye of its patient: a held-out eye by
    every fold's, a development eye by that of the fold that validated it. LeakError if a held-out subject was
    learnt from.
    """
    for checkpoint in checkpoints:
        require_processed_as(images, checkpoint.card.processing, who="the checkpoint")
    explainers = [Explainer(checkpoint, config) for checkpoint in checkpoints]
    patients = patients_in(splits)
    recipes = {}
    for subject, held_out in zip(splits["subject"].astype(str), splits["held_out"], strict=True):
        chosen = [e for e in explainers if not e.checkpoint.card.has_learnt_from(subject, patients)]
        if held_out and len(chosen) < len(explainers):
            raise LeakError(f"held-out subject {subject} was learnt from; train again with these splits")
        if not chosen:
            continue  # always in training (predefined splits): no network can be asked about it honestly
        key = recipe_key(
            step="map",
            image=images[subject].sha256,
            weights=[e.checkpoint.card.weights_sha256 for e in chosen],
            what=[config.target_class, config.depth_cell_mm, config.lateral_cell_mm],
            code=code_fingerprint(*CODE),
        )
        recipes[subject] = Recipe(key, partial(_make_map, chosen, images[subject]))
    return recipes


def _make_map(explainers: Sequence[Explainer], image: Stored) -> Volume | PlaneStack:
    return mean_map(explainers, image())


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


def draw_maps(
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    rows: pd.DataFrame,
    around: Surroundings,
    slabs: tuple[str, ...] = (),
) -> dict[str, Figure]:
    """A figure for each eye in `rows` (columns subject, disease, probability), all on one scale; `slabs` are the
    en-face maps a 2D network sees.

    The scale is the highest raw value among them, so that a map is bright only where its evidence is strong
    beside that of other eyes.
    """
    shown = [row for row in rows.to_dict("records") if str(row["subject"]) in maps]
    scale = max((float(maps[str(row["subject"])]().array.max()) for row in shown), default=1.0)
    figures = {}
    for row in shown:
        subject = str(row["subject"])
        title = f"{subject}: {row['disease']}, p(disease) = {row['probability']:.2f}"
        image, heat = images[subject](), maps[subject]()
        if isinstance(image, Volume):
            known = [around.read(what, subject) for what in ("enface", "surfaces", "lesions")]
            figures[f"{subject}.png"] = volume_figure(image, heat, *known, title=title, scale=scale)
        else:
            figures[f"{subject}.png"] = plane_figure(image.only(slabs), heat, title=title, scale=scale)
    return figures

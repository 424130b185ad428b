"""Maps of all eyes of a model, as recipes whose ingredients are everything that a map depends on."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import pandas as pd

from octa_kedro.errors import LeakError
from octa_kedro.explain.config import NOT_IN_MAPS, PREDICTED, ExplainConfig
from octa_kedro.explain.explainer import Explainer
from octa_kedro.explain.making import MAP, map_parts
from octa_kedro.explain.over_scan import OVER_SCAN, over_scan_parts
from octa_kedro.explain.predicted import predicted_map_parts
from octa_kedro.preprocessing.placement_record import PLACEMENT_KEY
from octa_kedro.preprocessing.processed_as import require_processed_as
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.keys import hash_of, without
from octa_kedro.results.recipe import Job, Recipe
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint
from octa_kedro.training.guard import patients_in

NOT_OF_NETWORKS = {
    **dict.fromkeys(("fold", "epoch", "metrics", "parameters"), "tells how the network was trained"),
    **dict.fromkeys(("seen", "patients"), "tells which eyes the network may be asked about; these are chosen by it"),
    "familiar": "tells what the training eyes looked like",
    "code_version": "tells which release trained the network",
}
"""What a checkpoint's card says that changes no map; its weights are in the card by their hash."""


def map_job(
    images: Mapping[str, Stored],
    splits: pd.DataFrame,
    checkpoints: Sequence[Checkpoint],
    config: ExplainConfig,
    threshold: float = 0.5,
) -> Job:
    """The maps of `map_recipes`, made one after the other: they share the device that the networks are on."""
    return Job(
        map_recipes(images, splits, checkpoints, config, threshold), MAP, ExecutionConfig(workers=1), threads=None
    )


def map_recipes(
    images: Mapping[str, Stored],
    splits: pd.DataFrame,
    checkpoints: Sequence[Checkpoint],
    config: ExplainConfig,
    threshold: float = 0.5,
) -> dict[str, Recipe]:
    """A raw map (part `making.MAP`) for every subject that some checkpoint has not learnt from.

    An eye is explained by all checkpoints whose weights were not moved by an eye of its patient: a held-out eye by
    every fold's, a development eye by that of the fold that validated it. `threshold` is the probability from which an
    eye is called diseased, where the predicted class is explained. LeakError if a held-out subject was learnt from.
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
        key = map_key(chosen, images[subject], config, threshold)
        make = (
            partial(map_parts, chosen)
            if chosen[0].target is not None
            else partial(predicted_map_parts, chosen, threshold)
        )
        recipes[subject] = Recipe(partial(make, images[subject]), {MAP: key})
    return recipes


def map_key(explainers: Sequence[Explainer], image: Stored, config: ExplainConfig, threshold: float) -> str:
    """Everything that the mean map of these networks depends on, code apart: the class by its index, however it is
    named, and where it is the predicted one, what the prediction depends on."""
    target = explainers[0].target
    settings = {name: value for name, value in without(config, NOT_IN_MAPS).items() if name != "target_class"}
    precisions = [e.checkpoint.card.parameters.get("precision") for e in explainers]
    return hash_of(
        step="map",
        image=image.sha256,
        networks=[without(e.checkpoint.card, NOT_OF_NETWORKS) for e in explainers],
        config=settings,
        target=[PREDICTED, threshold, precisions] if target is None else target,
    )


def over_scan_job(
    maps: Mapping[str, Stored],
    images: Mapping[str, Stored],
    flattening: Mapping[str, Stored],
    subjects: Iterable[str],
    execution: ExecutionConfig,
) -> Job:
    """The maps of those of `subjects` that have one, over their raw scans."""
    recipes = {}
    for subject in (s for s in map(str, subjects) if s in maps):
        heat, image, plane = maps[subject], images[subject], flattening.get(subject)
        key = hash_of(
            step="map over scan",
            map=heat.sha256,
            placement=image.meta.get(PLACEMENT_KEY),
            flattening=plane.sha256 if plane else None,
        )
        recipes[subject] = Recipe(partial(over_scan_parts, heat, image, plane), {OVER_SCAN: key})
    return Job(recipes, OVER_SCAN, execution)

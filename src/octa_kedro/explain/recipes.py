"""Maps of all eyes of a model, as recipes whose ingredients are everything that a map depends on."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from octa_kedro.errors import ConfigError, LeakError
from octa_kedro.explain.config import AUTO, NOT_IN_MAPS, PREDICTED, WITH_DONORS, ExplainConfig
from octa_kedro.explain.context import Context, Contexts
from octa_kedro.explain.explainer import Explainer
from octa_kedro.explain.making import MAP, SLAB_VALUES, map_parts, slab_parts
from octa_kedro.explain.over_scan import OVER_SCAN, over_scan_parts
from octa_kedro.explain.predicted import predicted_map_parts, predicted_slab_parts
from octa_kedro.explain.random_network import random_checkpoint
from octa_kedro.preprocessing.placement_record import PLACEMENT_KEY
from octa_kedro.preprocessing.processed_as import require_processed_as
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.keys import hash_of, without
from octa_kedro.results.recipe import Job, Recipe
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint
from octa_kedro.training.guard import patients_in

log = logging.getLogger(__name__)

NOT_OF_NETWORKS = {
    **dict.fromkeys(("epoch", "metrics", "parameters"), "tells how the network was trained"),
    **dict.fromkeys(("seen", "patients"), "tells which eyes the network may be asked about; these are chosen by it"),
    **dict.fromkeys(("familiar", "sketches"), "tells what the training eyes looked like"),
    "saved_as": "tells where the network was saved",
    "code_version": "tells which release trained the network",
    "made_from": "tells what the training read; other data that lead to the same weights lead to the same maps",
}
"""What a checkpoint's card says that changes no map. Its weights are in the card by their hash; its fold and
its seed number the noise of methods that add some (`MapRequest.draw`)."""


def settle_method(
    images: Mapping[str, Stored],
    splits: pd.DataFrame,
    checkpoints: Sequence[Checkpoint],
    config: ExplainConfig,
    surfaces: Mapping[str, Stored],
) -> ExplainConfig:
    """The configuration with the method of 3D maps named, where it is AUTO: all eyes of a model get the same one. The
    log tells of the first eye that the method with donors cannot be used for."""
    if config.method_3d != AUTO or checkpoints[0].card.model.spatial_dims == 2:
        return config
    contexts = _contexts(images, splits, checkpoints, config, surfaces)
    try:
        for subject in splits["subject"].astype(str):
            contexts.of(subject, WITH_DONORS)
    except ConfigError as error:
        settled = config.settled(donors=False)
        log.info("explainability.method_3d: %s is %s here (%s)", AUTO, settled.method_3d, error)
        return settled
    return config.settled(donors=True)


def map_job(
    images: Mapping[str, Stored],
    splits: pd.DataFrame,
    checkpoints: Sequence[Checkpoint],
    config: ExplainConfig,
    *,
    threshold: float = 0.5,
    surfaces: Mapping[str, Stored] | None = None,
) -> Job:
    """The maps of `map_recipes`, made one after the other: they share the device that the networks are on."""
    recipes = map_recipes(images, splits, checkpoints, config, threshold=threshold, surfaces=surfaces)
    return Job(recipes, MAP, ExecutionConfig(workers=1), threads=None)


def random_map_job(
    images: Mapping[str, Stored],
    splits: pd.DataFrame,
    checkpoint: Checkpoint,
    config: ExplainConfig,
    *,
    subjects: Iterable[str],
    surfaces: Mapping[str, Stored] | None = None,
) -> Job:
    """Maps of some `subjects` by a network like that of `checkpoint` with random weights, made as `map_job` makes them:
    a control for the maps of the network that has learnt."""
    job = map_job(images, splits, [random_checkpoint(checkpoint)], config, surfaces=surfaces)
    wanted = set(subjects)
    return replace(job, recipes={subject: recipe for subject, recipe in job.recipes.items() if subject in wanted})


def map_recipes(
    images: Mapping[str, Stored],
    splits: pd.DataFrame,
    checkpoints: Sequence[Checkpoint],
    config: ExplainConfig,
    *,
    threshold: float = 0.5,
    surfaces: Mapping[str, Stored] | None = None,
) -> dict[str, Recipe]:
    """A raw map (part `making.MAP`) for every subject that some checkpoint has not learnt from.

    An eye is explained by all checkpoints whose weights were not moved by an eye of its patient: a held-out eye by
    every fold's and seed's, a development eye by those of the fold that validated it. `threshold` is the probability
    from which an eye is called diseased, where the predicted class is explained. LeakError if a held-out subject was
    learnt from; ConfigError for a method that needs more than `surfaces` and the development eyes give.
    """
    config = config.settled(donors=False)
    contexts, recipes = _contexts(images, splits, checkpoints, config, surfaces), {}
    for subject, chosen in _explained_by(images, splits, checkpoints, config):
        flat = chosen[0].checkpoint.card.model.spatial_dims == 2
        context = contexts.of(subject, config.method_2d if flat else config.method_3d)
        key = map_key(chosen, images[subject], config, threshold, context)
        target = chosen[0].target
        make = partial(predicted_map_parts, chosen, threshold) if target is None else partial(map_parts, chosen, target)
        recipes[subject] = Recipe(partial(make, images[subject], context), {MAP: key})
    return recipes


def slab_value_job(
    images: Mapping[str, Stored],
    splits: pd.DataFrame,
    checkpoints: Sequence[Checkpoint],
    config: ExplainConfig,
    *,
    threshold: float,
    surfaces: Mapping[str, Stored],
) -> Job:
    """The Shapley values of the slabs (part `making.SLAB_VALUES`) of held-out eyes, by all networks of a 3D model.

    Eyes whose surfaces are not known, or that no healthy development eye fits, are left out; the log says why.
    """
    contexts, recipes, why = _contexts(images, splits, checkpoints, config, surfaces), {}, ""
    held_out = set(splits.loc[splits["held_out"].astype(bool), "subject"].astype(str))
    for subject, chosen in _explained_by(images, splits, checkpoints, config):
        if subject not in held_out:
            continue
        try:
            context = contexts.of(subject, "slab_shapley")
        except ConfigError as error:
            why = why or str(error)
            continue
        key = hash_of(
            step="slab values",
            **_shown(images[subject]),
            **_asked(chosen, threshold),
            **context.hashes(),
        )
        target = chosen[0].target
        make = (
            partial(predicted_slab_parts, chosen, threshold) if target is None else partial(slab_parts, chosen, target)
        )
        recipes[subject] = Recipe(partial(make, images[subject], context), {SLAB_VALUES: key})
    if left := len(held_out) - len(recipes):
        log.info("%d of %d held-out eyes get no values of their slabs, the first: %s", left, len(held_out), why)
    return Job(recipes, SLAB_VALUES, ExecutionConfig(workers=1), threads=None)


def _contexts(
    images: Mapping[str, Stored],
    splits: pd.DataFrame,
    checkpoints: Sequence[Checkpoint],
    config: ExplainConfig,
    surfaces: Mapping[str, Stored] | None,
) -> Contexts:
    mask_slab = checkpoints[0].card.processing.mask_slab
    return Contexts(images, surfaces or {}, splits, count=config.donors, mask_slab=mask_slab)


def _explained_by(
    images: Mapping[str, Stored], splits: pd.DataFrame, checkpoints: Sequence[Checkpoint], config: ExplainConfig
) -> Iterator[tuple[str, list[Explainer]]]:
    """Each subject with the networks that may be asked about it."""
    for checkpoint in checkpoints:
        require_processed_as(images, checkpoint.card.processing, who="the checkpoint")
    explainers = [Explainer(checkpoint, config) for checkpoint in checkpoints]
    patients = patients_in(splits)
    for subject, held_out in zip(splits["subject"].astype(str), splits["held_out"], strict=True):
        chosen = [e for e in explainers if not e.checkpoint.card.has_learnt_from(subject, patients)]
        if held_out and len(chosen) < len(explainers):
            raise LeakError(f"held-out subject {subject} was learnt from; train again with these splits")
        if chosen:  # else always in training (predefined splits): no network can be asked about it honestly
            yield subject, chosen


def map_key(
    explainers: Sequence[Explainer],
    image: Stored,
    config: ExplainConfig,
    threshold: float,
    context: Context | None = None,
) -> str:
    """Everything that the mean map of these networks depends on, code apart."""
    settings = {name: value for name, value in without(config, NOT_IN_MAPS).items() if name != "target_class"}
    return hash_of(
        step="map",
        **_shown(image),
        config=settings,
        **_asked(explainers, threshold),
        **(context or Context()).hashes(),
    )


def _shown(image: Stored) -> dict[str, Any]:
    """The image, and whose side it is of, which its file does not say."""
    return {"image": image.sha256, "laterality": image.meta.get("laterality")}


def _asked(explainers: Sequence[Explainer], threshold: float) -> dict[str, Any]:
    """The networks and the class that they are asked for: by its index, however it is named, and where it is the
    predicted one, by what the prediction depends on."""
    target = explainers[0].target
    precisions = [e.checkpoint.card.parameters.get("precision") for e in explainers]
    return {
        "networks": [without(e.checkpoint.card, NOT_OF_NETWORKS) for e in explainers],
        "target": [PREDICTED, threshold, precisions] if target is None else target,
    }


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

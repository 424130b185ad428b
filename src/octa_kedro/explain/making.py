"""The map of one eye, as the mean of several networks, and what its slabs are worth to them."""

from collections.abc import Sequence

import numpy as np

from octa_kedro.explain.anatomy import Anatomy
from octa_kedro.explain.context import Context
from octa_kedro.explain.explainer import Explainer, mean_map
from octa_kedro.explain.slab_decision import PLAYERS
from octa_kedro.explain.target import facts_of
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored

MAP, SLAB_VALUES = "map", "slab_values"


def map_parts(
    explainers: Sequence[Explainer], target: int, image: Stored, context: Context, _parts: Sequence[str]
) -> dict[str, Result]:
    """The mean of several networks' raw maps of one eye for the class with index `target`, with the facts
    of `target.facts_of`."""
    eye = image()
    heat = mean_map(explainers, eye, target, _anatomy(context, eye))
    return {MAP: Result(heat, facts=facts_of(target, explainers[0].checkpoint.card.classes))}


def slab_parts(
    explainers: Sequence[Explainer], target: int, image: Stored, context: Context, _parts: Sequence[str]
) -> dict[str, Result]:
    """The Shapley values of one eye's slabs in logit, as planes of one A-scan each: ``[network, 0, slab]``; facts as
    with a map."""
    eye: Volume = image()
    anatomy = context.read(eye)
    values = np.stack([explainer.slab_values(eye, anatomy, target) for explainer in explainers])
    planes = PlaneStack(values[:, None].astype(np.float32), np.eye(4), PLAYERS, eye.laterality, eye.source)
    return {SLAB_VALUES: Result(planes, facts=facts_of(target, explainers[0].checkpoint.card.classes))}


def _anatomy(context: Context, eye: Volume | PlaneStack) -> Anatomy | None:
    return context.read(eye) if isinstance(eye, Volume) else None

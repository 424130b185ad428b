"""The map of one eye, and the values of its slabs, in the form that `results.recipe` asks for."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octa_kedro.explain.anatomy import Anatomy
from octa_kedro.explain.context import Context
from octa_kedro.explain.explainer import Explainer, mean_map
from octa_kedro.explain.slab_decision import PLAYERS
from octa_kedro.explain.target import called_class, facts_of, mean_over_networks
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored
from octa_kedro.training.predict import class_probabilities

MAP, SLAB_VALUES = "map", "slab_values"


def map_parts(
    explainers: Sequence[Explainer], threshold: float, image: Stored, context: Context, _parts: Sequence[str]
) -> dict[str, Result]:
    """The mean of several networks' raw maps of one eye, with the facts of `target.facts_of`. `threshold` is the
    probability from which an eye is called diseased, for maps of the predicted class."""
    target, classes = _target(explainers, threshold, image), explainers[0].checkpoint.card.classes
    eye = image()
    heat = mean_map(explainers, eye, target, _anatomy(context, eye))
    return {MAP: Result(heat, facts=facts_of(target, classes))}


def slab_parts(
    explainers: Sequence[Explainer], threshold: float, image: Stored, context: Context, _parts: Sequence[str]
) -> dict[str, Result]:
    """The Shapley values of one eye's slabs in logit, as planes of one A-scan each: ``[network, 0, slab]``."""
    target, eye = _target(explainers, threshold, image), image()
    anatomy = context.read(eye)
    values = np.stack([explainer.slab_values(eye, anatomy, target) for explainer in explainers])
    planes = PlaneStack(values[:, None].astype(np.float32), np.eye(4), PLAYERS, eye.laterality, eye.source)
    return {SLAB_VALUES: Result(planes, facts=facts_of(target, explainers[0].checkpoint.card.classes))}


def _target(explainers: Sequence[Explainer], threshold: float, image: Stored) -> int:
    target = explainers[0].target
    return predicted_class(probabilities(explainers, image), threshold) if target is None else target


def probabilities(explainers: Sequence[Explainer], image: Stored) -> NDArray[np.float64]:
    """What each network says of one eye, ``(networks, classes)``."""
    return np.stack(
        [
            class_probabilities(one.model, one.checkpoint.card, {"eye": image}, ["eye"], device=one.config.device)[0]
            for one in explainers
        ]
    )


def predicted_class(shares: NDArray[np.float64], threshold: float) -> int:
    """The index of the class that the mean of the networks, ``(networks, classes)``, predicts: the same for all."""
    return called_class(mean_over_networks(shares), threshold)


def _anatomy(context: Context, eye: Volume | PlaneStack) -> Anatomy | None:
    return context.read(eye) if isinstance(eye, Volume) else None

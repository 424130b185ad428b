"""The map of one eye, in the form that `results.recipe` asks for."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octa_kedro.explain.explainer import Explainer, mean_map
from octa_kedro.explain.target import called_class, facts_of, mean_over_networks
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored
from octa_kedro.training.predict import class_probabilities

MAP = "map"


def map_parts(
    explainers: Sequence[Explainer], threshold: float, image: Stored, _parts: Sequence[str]
) -> dict[str, Result]:
    """The mean of several networks' raw maps of one eye, with the facts of `target.facts_of`. `threshold` is the
    probability from which an eye is called diseased, for maps of the predicted class."""
    target = explainers[0].target
    if target is None:
        target = predicted_class(probabilities(explainers, image), threshold)
    classes = explainers[0].checkpoint.card.classes
    return {MAP: Result(mean_map(explainers, image(), target), facts=facts_of(target, classes))}


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

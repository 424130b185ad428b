"""The map and the slab values of one eye for the class that its networks predict.

Apart from `making`, so that maps of a fixed class do not depend on how classes are predicted.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.evaluation.predictions import mean_of_networks
from octa_kedro.explain.context import Context
from octa_kedro.explain.explainer import Explainer
from octa_kedro.explain.making import map_parts, slab_parts
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored
from octa_kedro.training.predict import class_probabilities


def predicted_map_parts(
    explainers: Sequence[Explainer], threshold: float, image: Stored, context: Context, parts: Sequence[str]
) -> dict[str, Result]:
    """As `making.map_parts`, for the class that the mean of the networks predicts: the same for all of them.

    `threshold` is the probability from which an eye is called diseased."""
    target = predicted_class(probabilities(explainers, image), threshold)
    return map_parts(explainers, target, image, context, parts)


def predicted_slab_parts(
    explainers: Sequence[Explainer], threshold: float, image: Stored, context: Context, parts: Sequence[str]
) -> dict[str, Result]:
    """As `making.slab_parts`, for the class that the mean of the networks predicts."""
    target = predicted_class(probabilities(explainers, image), threshold)
    return slab_parts(explainers, target, image, context, parts)


def probabilities(explainers: Sequence[Explainer], image: Stored) -> NDArray[np.float64]:
    """What each network says of one eye, ``(networks, classes)``."""
    return np.stack(
        [
            class_probabilities(one.model, one.checkpoint.card, {"eye": image}, ["eye"], device=one.config.device)[0]
            for one in explainers
        ]
    )


def predicted_class(shares: NDArray[np.float64], threshold: float) -> int:
    """The index of the class that the mean of the networks, ``(networks, classes)``, predicts."""
    return called_class(mean_over_networks(shares), threshold)


def called_class(mean: NDArray[np.float64], threshold: float) -> int:
    """What an eye with the mean probabilities `mean` ``(classes,)`` is called: of two classes the second where its
    probability reaches `threshold`, of more the most probable."""
    return int(mean[1] >= threshold) if len(mean) == 2 else int(mean.argmax())


def mean_over_networks(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over networks of probabilities ``(networks, classes)``, as evaluation takes it over folds: of two
    classes, that of the second."""
    classes = [f"probability_{n}" for n in range(shares.shape[1])]
    diseased = shares[:, 1] if len(classes) == 2 else 1 - shares[:, 0]
    table = pd.DataFrame(shares, columns=classes).assign(subject="", probability=diseased)
    mean = mean_of_networks(table, ["subject"]).iloc[0]
    if len(classes) == 2:
        return np.asarray([1 - mean["probability"], mean["probability"]], float)
    return mean[classes].to_numpy(float)

"""The map of one eye for the class that its networks predict.

Apart from `making`, so that maps of a fixed class do not depend on how classes are predicted.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.evaluation.predictions import mean_of_networks
from octa_kedro.explain.explainer import Explainer
from octa_kedro.explain.making import map_for
from octa_kedro.results.result import Result
from octa_kedro.results.stored import Stored
from octa_kedro.training.predict import class_probabilities


def predicted_map_parts(
    explainers: Sequence[Explainer], threshold: float, image: Stored, _parts: Sequence[str]
) -> dict[str, Result]:
    """As `making.map_parts`, for the class that the mean of the networks predicts: the same for all of them.

    `threshold` is the probability from which an eye is called diseased."""
    return map_for(explainers, image, predicted_class(probabilities(explainers, image), threshold))


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
    two = shares.shape[1] == 2
    columns = {"probability": shares[:, 1]} if two else {f"probability_{n}": one for n, one in enumerate(shares.T)}
    mean = mean_of_networks(pd.DataFrame({"subject": "", **columns}), ["subject"]).iloc[0]
    if two:
        return np.asarray([1 - mean["probability"], mean["probability"]], float)
    return np.asarray([mean[name] for name in columns], float)

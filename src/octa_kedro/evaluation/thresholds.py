"""The decision threshold of each model: fixed, or chosen on out-of-fold predictions and then applied as it is."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.metrics import FloatArray, IntArray
from octa_kedro.evaluation.predictions import FROZEN_RULE, FROZEN_THRESHOLD, OUT_OF_FOLD, class_columns

HIGHEST = "highest probability"
OPTIMISTIC = "the threshold was chosen on these eyes, so the value is optimistic"


@dataclass(frozen=True)
class Threshold:
    """A threshold, NaN with more than two classes, and the rule that gave it."""

    value: float
    rule: str

    @property
    def chosen(self) -> bool:
        """Whether out-of-fold predictions have chosen it."""
        return self.rule not in {"fixed", HIGHEST}

    def __str__(self) -> str:
        """For the head of a table."""
        if self.rule == HIGHEST:
            return HIGHEST
        return f"threshold {self.value:.3g}" + ("" if self.rule == "fixed" else f" by {self.rule}")


def thresholds_of(pooled: pd.DataFrame, config: EvaluationConfig) -> dict[str, Threshold]:
    """The threshold of each model of a pooled table; with more than two classes the highest probability decides.

    `config.threshold_rule` is ``fixed`` (`config.threshold`), ``youden`` (the largest sensitivity + specificity, Youden
    1950), ``sensitivity`` (the highest threshold that finds `config.target_sensitivity` of the positive eyes) or
    ``cost`` (the lowest cost, if a missed eye costs `config.cost_ratio` false alarms). All but the first look at the
    model's out-of-fold rows alone. A table with the columns `FROZEN_THRESHOLD` and `FROZEN_RULE` has its thresholds
    already: these are taken as they are. ConfigError for such a rule with more than two classes, DataError for a model
    whose out-of-fold rows lack a class.
    """
    rule = config.threshold_rule
    models = [str(model) for model in dict.fromkeys(pooled["model"])]
    if FROZEN_RULE in pooled:
        first = pooled.drop_duplicates("model")[["model", FROZEN_THRESHOLD, FROZEN_RULE]]
        return {str(model): Threshold(float(value), str(rule)) for model, value, rule in first.itertuples(index=False)}
    if class_columns(pooled):
        if rule != "fixed":
            raise ConfigError(
                f"evaluation.threshold_rule is {rule}, but with more than two classes the {HIGHEST} decides; set fixed"
            )
        return dict.fromkeys(models, Threshold(math.nan, HIGHEST))
    if rule == "fixed":
        return dict.fromkeys(models, Threshold(config.threshold, rule))
    return {model: Threshold(_chosen(pooled, model, config), rule) for model in models}


def _chosen(pooled: pd.DataFrame, model: str, config: EvaluationConfig) -> float:
    rows = pooled[(pooled["model"] == model) & (pooled["part"] == OUT_OF_FOLD)]
    target = rows["target"].to_numpy(dtype=np.int64)
    if set(target.tolist()) != {0, 1}:
        raise DataError(
            f"evaluation.threshold_rule {config.threshold_rule} needs out-of-fold eyes of both classes, and {model} "
            f"has {int((target == 1).sum())} positive and {int((target == 0).sum())} negative; set it to fixed"
        )
    return best_threshold(target, rows["probability"].to_numpy(dtype=np.float64), config)


def best_threshold(target: IntArray, probability: FloatArray, config: EvaluationConfig) -> float:
    """The threshold that `config.threshold_rule` chooses on targets (N,) of both classes and probabilities (N,).

    It lies half-way between two neighbouring probabilities. Of equally good ones the lowest is taken, which finds most.
    """
    scores, place = np.unique(probability, return_inverse=True)
    inner = (scores[1:] + scores[:-1]) / 2
    inner = np.where(inner > scores[:-1], inner, scores[1:])  # half of two neighbouring floats may be the lower one
    # The first calls every eye positive, the last none; above a probability of 1 there is no threshold.
    candidates = np.r_[scores[0] / 2, inner, (1 + scores[-1]) / 2]
    candidates = candidates[: len(candidates) - int(scores[-1] == 1)]
    positives = np.bincount(place, weights=target == 1, minlength=len(scores))
    negatives = np.bincount(place, weights=target == 0, minlength=len(scores))
    missed = np.r_[0, np.cumsum(positives)][: len(candidates)]
    alarms = negatives.sum() - np.r_[0, np.cumsum(negatives)][: len(candidates)]
    if config.threshold_rule == "sensitivity":
        enough = 1 - missed / positives.sum() >= config.target_sensitivity - 1e-12
        return float(candidates[np.flatnonzero(enough)[-1]])
    if config.threshold_rule == "youden":
        loss = missed / positives.sum() + alarms / negatives.sum()
    else:
        loss = config.cost_ratio * missed + alarms
    return float(candidates[np.flatnonzero(loss <= loss.min() + 1e-12)[0]])

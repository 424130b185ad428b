"""All metrics of an evaluation by one path: two classes or more, one weighting of the eyes or thousands."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from octa_kedro.errors import DataError
from octa_kedro.evaluation.metrics import (
    FloatArray,
    IntArray,
    MetricValue,
    Ranking,
    count_metrics,
    predict_positive,
    weighted_confusion,
)
from octa_kedro.evaluation.predictions import CLASS_MARK, SUM_TOLERANCE, class_columns
from octa_kedro.evaluation.probabilities import ProbabilityMetrics
from octa_kedro.evaluation.reasons import undefined_because

AT_THRESHOLD = (
    *("accuracy", "balanced_accuracy", "sensitivity", "specificity", "precision", "npv"),
    *("f1", "mcc", "kappa", "net_benefit"),
)
"""Metrics of two classes that depend on the threshold."""
WITHOUT_THRESHOLD = ("auroc", "auprc", "brier", "log_loss", "ece", "calibration_slope", "calibration_intercept")
METRICS = (*AT_THRESHOLD, *WITHOUT_THRESHOLD)
AT_PREVALENCE = ("ppv_at_prevalence", "npv_at_prevalence")
SHARED = (
    *("accuracy", "balanced_accuracy", "macro_f1", "mcc", "kappa", "quadratic_kappa"),
    *("macro_auroc", "macro_auprc", "brier", "log_loss", "ece"),
)
"""Metrics of more than two classes, all together."""
PER_CLASS = ("sensitivity", "specificity", "precision", "npv", "auroc", "auprc")
"""Metrics of each class against all others, called ``<metric>_<class>``."""
BLOCK = 2**17
"""Numbers of a block of weightings: as many as stay in the processor's cache."""


@dataclass(frozen=True)
class Judged:
    """What is judged: classes `target` (N,), probabilities `shares` (N, K), classes `called` (N,) and the classes'
    `names` (K,); with two classes also the `threshold` and, if positive and negative predictive value are wanted at one
    that is not this cohort's, a `prevalence`."""

    target: IntArray
    shares: FloatArray
    called: IntArray
    names: tuple[str, ...]
    threshold: float = 0.5
    prevalence: float | None = None


def judge_binary(
    target: npt.ArrayLike, probability: npt.ArrayLike, threshold: float, prevalence: float | None = None
) -> Judged:
    """Two classes: an eye is called positive where its probability (N,) of class 1 >= threshold.

    DataError for arrays of unequal length, targets that are not 0 or 1, and probabilities that are not in [0, 1].
    """
    scores = np.asarray(probability, dtype=np.float64)
    if scores.ndim != 1:
        raise DataError(f"probabilities {scores.shape} are not one for each eye")
    truth, shares = _checked(target, np.stack([1 - scores, scores], axis=1))
    called = predict_positive(scores, threshold).astype(np.int64)
    return Judged(truth, shares, called, ("negative", "positive"), threshold, prevalence)


def judge_multiclass(target: npt.ArrayLike, probabilities: npt.ArrayLike, class_names: Sequence[str]) -> Judged:
    """More classes: an eye is called the class of its highest probability (N, K), the first of equal ones.

    DataError as in `judge_binary`, for rows that do not add up to 1, and for another number of names.
    """
    truth, shares = _checked(target, probabilities)
    if shares.shape[1] != len(class_names):
        raise DataError(f"{shares.shape[1]} probabilities per eye, but classes {', '.join(class_names)}")
    if len(odd := np.flatnonzero(np.abs(shares.sum(axis=1) - 1) > SUM_TOLERANCE)):
        raise DataError(f"the probabilities of eye {odd[0] + 1} add up to {shares[odd[0]].sum():g}, not to 1")
    return Judged(truth, shares, shares.argmax(axis=1), tuple(class_names))


def judge_rows(table: pd.DataFrame, threshold: float, prevalence: float | None = None) -> Judged:
    """The rows of a predictions table, one model's and one part's; see `judge_binary` and `judge_multiclass`."""
    if columns := class_columns(table):
        names = [column.removeprefix(CLASS_MARK) for column in columns]
        return judge_multiclass(table["target"], table[columns].to_numpy(dtype=np.float64), names)
    return judge_binary(table["target"], table["probability"], threshold, prevalence)


def binary_metrics(target: npt.ArrayLike, probability: npt.ArrayLike, threshold: float) -> dict[str, MetricValue]:
    """Return every metric of METRICS for targets (N,) of 0 and 1 and probabilities (N,); see `judge_binary`."""
    return all_metrics(judge_binary(target, probability, threshold))


def multiclass_metrics(
    target: npt.ArrayLike, probabilities: npt.ArrayLike, class_names: Sequence[str]
) -> dict[str, MetricValue]:
    """Return SHARED and PER_CLASS for class indices (N,) and probabilities (N, K); see `judge_multiclass`.

    A macro mean is over all classes, each counted once, and is NaN with a reason where a class has no eye.
    """
    return all_metrics(judge_multiclass(target, probabilities, class_names))


def all_metrics(judged: Judged) -> dict[str, MetricValue]:
    """Each metric's value, and the reason of each that is NaN."""
    values = weighted_metrics(np.ones((1, len(judged.target))), judged)
    return {
        name: MetricValue(float(v[0]), undefined_because(name, judged) if np.isnan(v[0]) else "")
        for name, v in values.items()
    }


def weighted_metrics(weights: FloatArray, judged: Judged) -> dict[str, FloatArray]:
    """Each metric (R,) under each of R weightings (R, N) of the N eyes; NaN where it is undefined."""
    evaluate = _evaluation(judged)
    size = max(1, BLOCK // max(1, len(judged.target)))
    blocks = [evaluate(weights[first : first + size]) for first in range(0, len(weights), size)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


class _evaluation:  # noqa: N801 - called like a function
    """Sorts the eyes once; then gives the metrics of any block of weightings."""

    def __init__(self, judged: Judged) -> None:
        self.judged = judged
        classes = [1] if len(judged.names) == 2 else range(len(judged.names))
        self.rankings = [Ranking(judged.target == k, judged.shares[:, k]) for k in classes]
        self.probabilities = ProbabilityMetrics(judged.target, judged.called, judged.shares)

    def __call__(self, weights: FloatArray) -> dict[str, FloatArray]:
        judged = self.judged
        counts = count_metrics(weighted_confusion(weights, judged.target, judged.called, len(judged.names)))
        values = counts.shared | self.probabilities(weights)
        ranked = {
            "auroc": np.stack([ranking.auroc(weights) for ranking in self.rankings], axis=1),
            "auprc": np.stack([ranking.average_precision(weights) for ranking in self.rankings], axis=1),
        }
        if len(judged.names) > 2:
            values |= {f"macro_{name}": each.mean(axis=1) for name, each in ranked.items()}
            each = counts.each | ranked
            per_class = {f"{m}_{name}": each[m][:, k] for m in PER_CLASS for k, name in enumerate(judged.names)}
            return {name: values[name] for name in SHARED} | per_class
        values |= {name: each[:, 1] for name, each in counts.each.items()}
        values |= {name: each[:, 0] for name, each in ranked.items()}
        return self._of_two(weights, values)

    def _of_two(self, weights: FloatArray, values: dict[str, FloatArray]) -> dict[str, FloatArray]:
        judged = self.judged
        positive, called = judged.target == 1, judged.called == 1
        # Vickers and Elkin 2006, doi 10.1177/0272989X06295361
        odds = judged.threshold / (1 - judged.threshold)
        gain = (positive & called) - odds * (~positive & called)
        total = weights.sum(axis=1)
        empty = np.full(len(weights), np.nan)
        values["net_benefit"] = np.divide(weights @ gain, total, out=empty, where=total > 0)
        wanted: tuple[str, ...] = METRICS
        if judged.prevalence is not None:
            values |= at_prevalence(values["sensitivity"], values["specificity"], judged.prevalence)
            wanted = (*METRICS, *AT_PREVALENCE)
        return {name: values[name] for name in wanted}


def at_prevalence(sensitivity: FloatArray, specificity: FloatArray, prevalence: float) -> dict[str, FloatArray]:
    """Predictive values where `prevalence` of the eyes are positive, by Bayes' rule; NaN where nothing is called so."""
    pairs = {
        "ppv_at_prevalence": (sensitivity * prevalence, (1 - specificity) * (1 - prevalence)),
        "npv_at_prevalence": (specificity * (1 - prevalence), (1 - sensitivity) * prevalence),
    }
    return {
        name: np.divide(right, right + wrong, out=np.full(right.shape, np.nan), where=right + wrong > 0)
        for name, (right, wrong) in pairs.items()
    }


def _checked(target: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[IntArray, FloatArray]:
    truth, shares = np.asarray(target, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    if truth.ndim != 1 or shares.ndim != 2 or len(truth) != len(shares):
        raise DataError(f"targets {truth.shape} and probabilities {shares.shape} are not of equally many eyes")
    if not np.isfinite(shares).all():
        raise DataError("a probability is not finite")
    if not ((shares >= 0) & (shares <= 1)).all():
        raise DataError("a probability is not in [0, 1]")
    if len(truth) and not 0 <= truth.min() <= truth.max() < shares.shape[1]:
        raise DataError(f"a target is not in 0 .. {shares.shape[1] - 1}")
    return truth, shares

"""Binary classification metrics; an undefined one is NaN with a reason, never 0."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, roc_auc_score

from octa_kedro.errors import DataError

METRICS = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "precision", "f1", "auroc")

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MetricValue:
    """A metric and, where it is undefined (NaN), the reason."""

    value: float
    reason: str = ""


def binary_metrics(target: npt.ArrayLike, probability: npt.ArrayLike, threshold: float) -> dict[str, MetricValue]:
    """Return every metric of METRICS for targets (N,) of 0 and 1 and probabilities (N,) of class 1.

    An eye is called positive where probability >= threshold. Raises DataError for arrays of unequal length
    and for probabilities that are not finite.
    """
    truth = np.asarray(target, dtype=int)
    scores = np.asarray(probability, dtype=float)
    if truth.ndim != 1 or truth.shape != scores.shape:
        raise DataError(f"targets {truth.shape} and probabilities {scores.shape} are not two equal lists")
    if not np.isfinite(scores).all():
        raise DataError("a probability is not finite")
    tn, fp, fn, tp = (int(count) for count in confusion_counts(truth, scores, threshold).ravel())
    counts = {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
    values = {name: float(rate) for name, rate in count_metrics(**counts).items()}
    both_classes = tp + fn > 0 and tn + fp > 0
    values["auroc"] = float(roc_auc_score(truth, scores)) if both_classes else float("nan")
    reasons = _reasons(counts)
    return {name: MetricValue(values[name], reasons[name] if np.isnan(values[name]) else "") for name in METRICS}


def predict_positive(probability: npt.ArrayLike, threshold: float) -> npt.NDArray[np.bool_]:
    """Return which eyes are called positive: those at the threshold or above."""
    return np.asarray(probability, dtype=float) >= threshold


def confusion_counts(target: npt.ArrayLike, probability: npt.ArrayLike, threshold: float) -> npt.NDArray[np.int64]:
    """Return the 2 x 2 counts [[tn, fp], [fn, tp]]: rows are the true class, columns the predicted one."""
    truth = np.asarray(target, dtype=int)
    if truth.size == 0:
        return np.zeros((2, 2), dtype=np.int64)
    called = predict_positive(probability, threshold).astype(int)
    return np.asarray(confusion_matrix(truth, called, labels=[0, 1]), dtype=np.int64)


def count_metrics(
    *, tp: npt.ArrayLike, fp: npt.ArrayLike, fn: npt.ArrayLike, tn: npt.ArrayLike
) -> dict[str, FloatArray]:
    """Return the metrics that need counts only, NaN where undefined; counts of any one shape.

    F1 is NaN without a true positive class, where 2 tp / (2 tp + fp + fn) would be a 0 that says nothing.
    """
    tp, fp, fn, tn = (np.asarray(count, dtype=float) for count in (tp, fp, fn, tn))
    sensitivity = _ratio(tp, tp + fn)
    specificity = _ratio(tn, tn + fp)
    return {
        "accuracy": _ratio(tp + tn, tp + fp + fn + tn),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "precision": _ratio(tp, tp + fp),
        "f1": np.where(tp + fn > 0, _ratio(2 * tp, 2 * tp + fp + fn), np.nan),
    }


def weighted_auroc(weights: FloatArray, target: npt.NDArray[np.int64], probability: FloatArray) -> FloatArray:
    """Return the AUROC (R,) under each of R weightings (R, N) of N eyes; NaN where a class weighs nothing.

    The share of (positive, negative) pairs in the right order, ties counted half: the Mann-Whitney statistic
    (Hanley and McNeil 1982, doi 10.1148/radiology.143.1.7063747), for all weightings from one sort.
    """
    order = np.argsort(probability, kind="stable")
    sorted_scores = probability[order]
    starts = np.flatnonzero(np.r_[True, sorted_scores[1:] != sorted_scores[:-1]])
    positive = target[order] == 1
    sorted_weights = weights[:, order]
    # One column per distinct score, so that ties are seen as ties.
    positives = np.add.reduceat(sorted_weights * positive, starts, axis=1)
    negatives = np.add.reduceat(sorted_weights * ~positive, starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives
    concordant = (positives * (below + negatives / 2)).sum(axis=1)
    return _ratio(concordant, positives.sum(axis=1) * negatives.sum(axis=1))


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def _reasons(counts: Mapping[str, int]) -> dict[str, str]:
    """Say why each metric is undefined, if it is."""
    if sum(counts.values()) == 0:
        return dict.fromkeys(METRICS, "no eyes")
    no_positive = "no eye is of the positive class"
    one_class = no_positive if counts["tp"] + counts["fn"] == 0 else "no eye is of the negative class"
    return {
        "accuracy": "",
        "balanced_accuracy": one_class,
        "sensitivity": no_positive,
        "specificity": "no eye is of the negative class",
        "precision": "no eye is predicted positive",
        "f1": no_positive,
        "auroc": one_class,
    }

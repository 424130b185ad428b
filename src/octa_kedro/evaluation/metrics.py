"""Metrics of counts and of ranks under any number of weightings of the eyes, for two classes and for more.

A weighting says how often each eye counts: ones for the value itself, draws with replacement for a bootstrap. So one
pass gives a metric of all resamples. What is undefined is NaN, never 0.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix

from octa_kedro.errors import DataError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MetricValue:
    """A metric and, where it is undefined (NaN), the reason."""

    value: float
    reason: str = ""


@dataclass(frozen=True)
class CountMetrics:
    """Metrics of R confusion matrices: `shared` of all classes together, each (R,); `each` per class, each (R, K)."""

    shared: dict[str, FloatArray]
    each: dict[str, FloatArray]


def predict_positive(probability: npt.ArrayLike, threshold: float) -> npt.NDArray[np.bool_]:
    """Return which eyes are called positive: those at the threshold or above."""
    return np.asarray(probability, dtype=float) >= threshold


def confusion_counts(target: npt.ArrayLike, probability: npt.ArrayLike, threshold: float) -> IntArray:
    """Return the 2 x 2 counts [[tn, fp], [fn, tp]]: rows are the true class, columns the predicted one."""
    return _count(np.asarray(target, dtype=np.int64), predict_positive(probability, threshold).astype(np.int64), 2)


def multiclass_counts(target: npt.ArrayLike, probabilities: npt.ArrayLike) -> IntArray:
    """Return the K x K counts of eyes called the class of their highest probability (the first of equal ones)."""
    shares = np.asarray(probabilities, dtype=np.float64)
    return _count(np.asarray(target, dtype=np.int64), shares.argmax(axis=1), shares.shape[1])


def weighted_confusion(weights: FloatArray, target: IntArray, called: IntArray, classes: int) -> FloatArray:
    """Return the confusion matrices (R, K, K) of weightings (R, N): rows are the true class, columns the called one."""
    cells = np.zeros((len(target), classes * classes))
    cells[np.arange(len(target)), target * classes + called] = 1
    return (weights @ cells).reshape(len(weights), classes, classes)


def count_metrics(confusion: FloatArray) -> CountMetrics:
    """Return the metrics of confusion matrices (R, K, K), NaN where undefined.

    F1 is NaN of a class that no eye is of, where 2 tp / (2 tp + fp + fn) would be a 0 that says nothing. Matthews'
    coefficient is that of K classes (Gorodkin 2004, doi 10.1016/j.compbiolchem.2004.09.006); kappa is Cohen's (1960,
    doi 10.1177/001316446002000104), `quadratic_kappa` weighs errors by the squared distance of the class indices
    (Cohen 1968, doi 10.1037/h0026256) and says something of ordered classes alone. With two classes they are equal.
    """
    tp = np.diagonal(confusion, axis1=1, axis2=2)
    true, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    total = true.sum(axis=1)
    fn, fp = true - tp, predicted - tp
    tn = total[:, None] - tp - fn - fp
    sensitivity = _ratio(tp, tp + fn)
    each = {
        "sensitivity": sensitivity,
        "specificity": _ratio(tn, tn + fp),
        "precision": _ratio(tp, tp + fp),
        "npv": _ratio(tn, tn + fn),
        "f1": np.where(true > 0, _ratio(2 * tp, 2 * tp + fp + fn), np.nan),
    }
    together = (true * predicted).sum(axis=1)
    spread = (total**2 - (true**2).sum(axis=1)) * (total**2 - (predicted**2).sum(axis=1))
    shared = {
        "accuracy": _ratio(tp.sum(axis=1), total),
        "balanced_accuracy": sensitivity.mean(axis=1),
        "macro_f1": each["f1"].mean(axis=1),
        "mcc": _ratio(tp.sum(axis=1) * total - together, np.sqrt(np.maximum(spread, 0))),
        "kappa": _kappa(confusion, true, predicted, power=0),
        "quadratic_kappa": _kappa(confusion, true, predicted, power=2),
    }
    return CountMetrics(shared, each)


class Ranking:
    """The eyes in the order of their scores (N,), sorted once for all weightings; equal scores share a place."""

    def __init__(self, positive: npt.NDArray[np.bool_], scores: FloatArray) -> None:
        order = np.argsort(scores, kind="stable")
        ranked = scores[order]
        self._starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(scores) else np.empty(0, int)
        self._positives, self._negatives = order[positive[order]], order[~positive[order]]
        place = np.cumsum(np.r_[0, ranked[1:] != ranked[:-1]]) if len(scores) else np.empty(0, int)
        self._place_of_positives, self._place_of_negatives = place[positive[order]], place[~positive[order]]

    def auroc(self, weights: FloatArray) -> FloatArray:
        """Return the AUROC (R,) under each of R weightings (R, N); NaN where a class weighs nothing.

        The share of (positive, negative) pairs in the right order, ties counted half: the Mann-Whitney statistic
        (Hanley and McNeil 1982, doi 10.1148/radiology.143.1.7063747).
        """
        positives, negatives = self._at_places(weights)
        below = np.cumsum(negatives, axis=1)
        concordant = np.einsum("rn,rn->r", positives, below - negatives / 2)
        return _ratio(concordant, positives.sum(axis=1) * negatives.sum(axis=1))

    def average_precision(self, weights: FloatArray) -> FloatArray:
        """Return the average precision (R,), the area under the steps of precision over recall; NaN where a class
        weighs nothing. It takes no straight line between two thresholds, which would be too high (Davis and Goadrich
        2006, doi 10.1145/1143844.1143874)."""
        positives, negatives = self._at_places(weights)
        steps = positives[:, ::-1]
        found = np.cumsum(steps, axis=1)
        called = found + np.cumsum(negatives[:, ::-1], axis=1)
        total = np.einsum("rn,rn->r", steps, np.divide(found, called, out=np.zeros_like(found), where=called > 0))
        both = (positives.sum(axis=1) > 0) & (negatives.sum(axis=1) > 0)
        return np.where(both, _ratio(total, positives.sum(axis=1)), np.nan)

    def _at_places(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The weight of positives and of negatives at each distinct score, (R, scores) each."""
        sides = []
        for eyes, place in (
            (self._positives, self._place_of_positives),
            (self._negatives, self._place_of_negatives),
        ):
            side = np.zeros((len(weights), len(self._starts)))
            if len(eyes):
                first = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
                chosen = weights[:, eyes]
                tied = len(first) < len(eyes)
                side[:, place[first]] = np.add.reduceat(chosen, first, axis=1) if tied else chosen
            sides.append(side)
        return sides[0], sides[1]


def _kappa(confusion: FloatArray, true: FloatArray, predicted: FloatArray, *, power: int) -> FloatArray:
    index = np.arange(confusion.shape[1], dtype=np.float64)
    apart = np.abs(index[:, None] - index)
    cost = apart**power if power else (apart > 0).astype(float)
    seen = (confusion * cost).sum(axis=(1, 2))
    by_chance = np.einsum("rk,kl,rl->r", true, cost, predicted)
    return 1 - _ratio(seen * true.sum(axis=1), by_chance)


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def _count(truth: IntArray, called: IntArray, classes: int) -> IntArray:
    if truth.shape != called.shape or truth.ndim != 1:
        raise DataError(f"targets {truth.shape} and probabilities {called.shape} are not of the same eyes")
    if not len(truth):
        return np.zeros((classes, classes), dtype=np.int64)
    return np.asarray(confusion_matrix(truth, called, labels=list(range(classes))), dtype=np.int64)

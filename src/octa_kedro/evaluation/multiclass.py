"""Metrics of more than two classes: all from one weighting of the eyes, so that a bootstrap is one more axis."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix

from octa_kedro.errors import DataError
from octa_kedro.evaluation.metrics import FloatArray, MetricValue, count_metrics, weighted_auroc


def multiclass_metrics(
    target: npt.ArrayLike, probabilities: npt.ArrayLike, class_names: Sequence[str]
) -> dict[str, MetricValue]:
    """Return accuracy, balanced_accuracy, macro_f1, macro_auroc and sensitivity_<class> for class indices (N,) and
    probabilities (N, K).

    An eye is called the class of its highest probability (the first of equal ones). A macro mean is over all
    classes, each counted once, and is NaN with a reason where a class has no eye.
    """
    truth, shares = _checked(target, probabilities)
    if shares.shape[1] != len(class_names):
        raise DataError(f"{shares.shape[1]} probabilities per eye, but classes {', '.join(class_names)}")
    values = weighted_multiclass(np.ones((1, len(truth))), truth, shares, class_names)
    absent = [name for index, name in enumerate(class_names) if not (truth == index).any()]
    reason = "no eyes" if not len(truth) else f"no eye is of class {', '.join(absent)}"
    return {name: MetricValue(float(value[0]), reason if np.isnan(value[0]) else "") for name, value in values.items()}


def weighted_multiclass(
    weights: FloatArray, target: npt.NDArray[np.int64], probabilities: FloatArray, class_names: Sequence[str]
) -> dict[str, FloatArray]:
    """Return each metric (R,) under each of R weightings (R, N) of N eyes; NaN where it is undefined.

    AUROC is the mean of each class against the rest (Fawcett 2006, doi 10.1016/j.patrec.2005.10.010, section 10),
    with equal weights.
    """
    called = probabilities.argmax(axis=1)
    sensitivities, f1s, aurocs = [], [], []
    for index in range(len(class_names)):
        truth, positive = target == index, called == index
        counts = count_metrics(
            tp=weights @ (truth & positive).astype(float),
            fp=weights @ (~truth & positive).astype(float),
            fn=weights @ (truth & ~positive).astype(float),
            tn=weights @ (~truth & ~positive).astype(float),
        )
        sensitivities.append(counts["sensitivity"])
        f1s.append(counts["f1"])
        scores = probabilities[:, index]
        empty = np.full(len(weights), np.nan)
        aurocs.append(weighted_auroc(weights, truth.astype(np.int64), scores) if len(target) else empty)
    total = weights.sum(axis=1)
    correct = weights @ (called == target).astype(float)
    shared = {
        "accuracy": np.divide(correct, total, out=np.full_like(total, np.nan), where=total > 0),
        "balanced_accuracy": np.mean(sensitivities, axis=0),
        "macro_f1": np.mean(f1s, axis=0),
        "macro_auroc": np.mean(aurocs, axis=0),
    }
    return shared | {f"sensitivity_{name}": s for name, s in zip(class_names, sensitivities, strict=True)}


def multiclass_counts(target: npt.ArrayLike, probabilities: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the K x K counts: rows are the true class, columns the predicted one."""
    truth, shares = _checked(target, probabilities)
    labels = range(shares.shape[1])
    if not len(truth):
        return np.zeros((len(labels), len(labels)), dtype=np.int64)
    return np.asarray(confusion_matrix(truth, shares.argmax(axis=1), labels=list(labels)), dtype=np.int64)


def _checked(target: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], FloatArray]:
    truth, shares = np.asarray(target, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    if truth.ndim != 1 or shares.ndim != 2 or len(truth) != len(shares):
        raise DataError(f"targets {truth.shape} and probabilities {shares.shape} are not (N,) and (N, K)")
    if not np.isfinite(shares).all():
        raise DataError("a probability is not finite")
    return truth, shares

"""Every metric's own value is the one that scikit-learn or statsmodels gives."""

from collections.abc import Callable

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from octa_kedro.evaluation.probabilities import BINS
from octa_kedro.evaluation.scores import METRICS, PER_CLASS, SHARED, binary_metrics, multiclass_metrics

N = 120
RNG = np.random.default_rng(3)
TARGET = (RNG.random(N) < 0.4).astype(int)
# Rounded, so that some are equal.
PROBABILITY = np.round(1 / (1 + np.exp(-(RNG.normal(size=N) + 1.2 * (TARGET - 0.5)))), 2)
CALLED = (PROBABILITY >= 0.4).astype(int)
LOGIT = np.log(PROBABILITY / (1 - PROBABILITY))
NAMES = ("A", "B", "C")
CLASSES = RNG.integers(0, 3, N)
SHARES = RNG.dirichlet([1, 1, 1], N) * 0.6 + 0.4 * np.eye(3)[CLASSES]
MOST = SHARES.argmax(axis=1)


def _ece(happened: np.ndarray, stated: np.ndarray) -> float:
    share, mean = calibration_curve(happened, stated, n_bins=BINS)
    counts = np.bincount(np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], stated), minlength=BINS)
    return float((np.abs(share - mean) * counts[counts > 0]).sum() / len(stated))


def _intercept() -> float:
    family = sm.families.Binomial()
    return float(sm.GLM(TARGET, np.ones(N), family=family, offset=LOGIT).fit(tol=1e-12).params[0])


def _slope() -> float:
    return float(sm.Logit(TARGET, sm.add_constant(LOGIT)).fit(disp=0, tol=1e-12).params[1])


def _net_benefit() -> float:
    (_, fp), (_, tp) = sk.confusion_matrix(TARGET, CALLED)
    return (tp - fp * 0.4 / 0.6) / N


BINARY: dict[str, Callable[[], float]] = {
    "accuracy": lambda: sk.accuracy_score(TARGET, CALLED),
    "balanced_accuracy": lambda: sk.balanced_accuracy_score(TARGET, CALLED),
    "sensitivity": lambda: sk.recall_score(TARGET, CALLED),
    "specificity": lambda: sk.recall_score(TARGET, CALLED, pos_label=0),
    "precision": lambda: sk.precision_score(TARGET, CALLED),
    "npv": lambda: sk.precision_score(TARGET, CALLED, pos_label=0),
    "f1": lambda: sk.f1_score(TARGET, CALLED),
    "mcc": lambda: sk.matthews_corrcoef(TARGET, CALLED),
    "kappa": lambda: sk.cohen_kappa_score(TARGET, CALLED),
    "net_benefit": _net_benefit,
    "auroc": lambda: sk.roc_auc_score(TARGET, PROBABILITY),
    "auprc": lambda: sk.average_precision_score(TARGET, PROBABILITY),
    "brier": lambda: sk.brier_score_loss(TARGET, PROBABILITY),
    "log_loss": lambda: sk.log_loss(TARGET, PROBABILITY),
    "ece": lambda: _ece(TARGET, PROBABILITY),
    "calibration_slope": _slope,
    "calibration_intercept": _intercept,
}
SEVERAL: dict[str, Callable[[], float]] = {
    "accuracy": lambda: sk.accuracy_score(CLASSES, MOST),
    "balanced_accuracy": lambda: sk.balanced_accuracy_score(CLASSES, MOST),
    "macro_f1": lambda: sk.f1_score(CLASSES, MOST, average="macro"),
    "mcc": lambda: sk.matthews_corrcoef(CLASSES, MOST),
    "kappa": lambda: sk.cohen_kappa_score(CLASSES, MOST),
    "quadratic_kappa": lambda: sk.cohen_kappa_score(CLASSES, MOST, weights="quadratic"),
    "macro_auroc": lambda: sk.roc_auc_score(CLASSES, SHARES, multi_class="ovr"),
    "macro_auprc": lambda: sk.average_precision_score(np.eye(3)[CLASSES], SHARES, average="macro"),
    "brier": lambda: float(((SHARES - np.eye(3)[CLASSES]) ** 2).sum(axis=1).mean()),
    "log_loss": lambda: sk.log_loss(CLASSES, SHARES),
    "ece": lambda: _ece(CLASSES == MOST, SHARES.max(axis=1)),
}
ONE_CLASS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = {
    "sensitivity": lambda truth, called, _: sk.recall_score(truth, called),
    "specificity": lambda truth, called, _: sk.recall_score(truth, called, pos_label=0),
    "precision": lambda truth, called, _: sk.precision_score(truth, called),
    "npv": lambda truth, called, _: sk.precision_score(truth, called, pos_label=0),
    "auroc": lambda truth, _, share: sk.roc_auc_score(truth, share),
    "auprc": lambda truth, _, share: sk.average_precision_score(truth, share),
}


def test_no_metric_is_left_out():
    assert (tuple(BINARY), tuple(SEVERAL), tuple(ONE_CLASS)) == (METRICS, SHARED, PER_CLASS)


@pytest.mark.parametrize("name", METRICS)
def test_two_classes(name: str):
    assert binary_metrics(TARGET, PROBABILITY, 0.4)[name].value == pytest.approx(BINARY[name](), rel=1e-8)


@pytest.mark.parametrize("name", SHARED)
def test_three_classes(name: str):
    assert multiclass_metrics(CLASSES, SHARES, NAMES)[name].value == pytest.approx(SEVERAL[name](), rel=1e-8)


@pytest.mark.parametrize("name", PER_CLASS)
def test_each_class_against_the_rest(name: str):
    found = multiclass_metrics(CLASSES, SHARES, NAMES)
    for k, of_class in enumerate(NAMES):
        expected = ONE_CLASS[name](k == CLASSES, k == MOST, SHARES[:, k])
        assert found[f"{name}_{of_class}"].value == pytest.approx(expected)


def test_two_classes_are_the_same_told_as_shares():
    two = binary_metrics(TARGET, PROBABILITY, 0.5)
    assert two["kappa"].value == pytest.approx(sk.cohen_kappa_score(TARGET, PROBABILITY >= 0.5, weights="quadratic"))

"""How good probabilities are as such: Brier score, log loss, calibration; under any number of weightings of eyes."""

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_softmax, logit

from octa_kedro.evaluation.metrics import FloatArray, IntArray

BINS = 10
"""Bins of equal width of the expected calibration error."""
NEAREST = 1e-6
"""Probabilities nearer to 0 or 1 count as so near where their logit is taken, which would be infinite."""
MOST_STEPS = 60
CLOSE = 1e-9


def brier_losses(target: IntArray, shares: FloatArray) -> FloatArray:
    """Squared errors (N,) of probabilities (N, K): of class 1 with two classes, the sum over classes with more (Brier
    1950, doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2)."""
    wrong = (shares - np.eye(shares.shape[1])[target]) ** 2
    return wrong[:, 1] if shares.shape[1] == 2 else wrong.sum(axis=1)


def log_losses(target: IntArray, shares: FloatArray) -> FloatArray:
    """Minus the logarithm (N,) of the probability of the true class, which counts as the smallest difference of two
    floats at least, as in scikit-learn."""
    smallest = np.finfo(np.float64).eps
    return -np.log(np.clip(shares[np.arange(len(target)), target], smallest, 1 - smallest))


class ProbabilityMetrics:
    """Brier score, log loss and calibration error of probabilities; with two classes slope and intercept as well."""

    def __init__(self, target: IntArray, called: IntArray, shares: FloatArray) -> None:
        self._eyes = (target, called, shares)
        self._losses = np.stack([brier_losses(target, shares), log_losses(target, shares)], axis=1)

    def __call__(self, weights: FloatArray) -> dict[str, FloatArray]:
        """Each (R,) under weightings (R, N); NaN where it is undefined."""
        target, called, shares = self._eyes
        total = weights.sum(axis=1)
        losses = weights @ self._losses
        mean = np.divide(losses, total[:, None], out=np.full(losses.shape, np.nan), where=total[:, None] > 0)
        found = {"brier": mean[:, 0], "log_loss": mean[:, 1], "ece": weighted_ece(weights, target, called, shares)}
        if shares.shape[1] > 2:
            return found
        slope, intercept = weighted_calibration(weights, target == 1, shares[:, 1])
        return found | {"calibration_slope": slope, "calibration_intercept": intercept}


def weighted_ece(weights: FloatArray, target: IntArray, called: IntArray, shares: FloatArray) -> FloatArray:
    """The expected calibration error (R,) over `BINS` bins of equal width, under weightings (R, N).

    Two classes: of the probability of class 1. More: of the highest probability, and whether it was right (Naeini et
    al. 2015, AAAI 29, 2901; Guo et al. 2017, PMLR 70, 1321). It is above 0 by chance with few eyes a bin.
    """
    if shares.shape[1] == 2:
        stated, happened = shares[:, 1], target == 1
    else:
        stated, happened = shares.max(axis=1, initial=0), called == target
    bins = np.zeros((len(target), BINS))
    bins[np.arange(len(target)), np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], stated)] = stated - happened
    total = weights.sum(axis=1)
    return np.divide(np.abs(weights @ bins).sum(axis=1), total, out=np.full(len(weights), np.nan), where=total > 0)


def weighted_calibration(
    weights: FloatArray, positive: npt.NDArray[np.bool_], probability: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Slope (R,) and intercept (R,) of logistic recalibration, under weightings (R, N).

    The slope is b of logit P(positive) = a + b logit(p); 1 is right, below 1 the probabilities are too extreme. The
    intercept is a where b is held at 1 (calibration in the large); 0 is right, above 0 they are too low (Van Calster
    et al. 2019, doi 10.1186/s12916-019-1466-7). NaN: the classes are separated or one is missing, so that the fit is
    infinite.
    """
    x = logit(np.clip(probability, NEAREST, 1 - NEAREST))
    slope, intercept = np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    total, positives = weights.sum(axis=1), weights @ positive.astype(float)
    both = (positives > 0) & (positives < total)
    if both.any():
        intercept[both] = _fit(weights[both], positive, x, free_slope=False)[:, 0]
    overlapping = np.flatnonzero(both)[_overlap(weights[both], positive, x)]
    if len(overlapping):
        slope[overlapping] = _fit(weights[overlapping], positive, x, free_slope=True)[:, 1]
    return slope, intercept


def tempered(shares: FloatArray, temperature: float) -> FloatArray:
    """Probabilities (N, K) whose logarithms are divided by a temperature: above 1 they become less certain."""
    logs = np.log(np.clip(shares, NEAREST, None))
    return np.exp(log_softmax(logs / temperature, axis=1))


def _overlap(weights: FloatArray, positive: npt.NDArray[np.bool_], x: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether no value of x separates the classes (Albert and Anderson 1984, doi 10.1093/biomet/71.1.1)."""
    if not len(weights):
        return np.zeros(0, dtype=bool)
    lowest, highest = [], []
    for side in (positive, ~positive):
        order = np.flatnonzero(side)[np.argsort(x[side], kind="stable")]
        there = weights[:, order] > 0
        lowest.append(x[order][there.argmax(axis=1)])
        highest.append(x[order][::-1][there[:, ::-1].argmax(axis=1)])
    return np.asarray((lowest[0] < highest[1]) & (lowest[1] < highest[0]))


def _fit(weights: FloatArray, positive: npt.NDArray[np.bool_], x: FloatArray, *, free_slope: bool) -> FloatArray:
    """Newton's method for all weightings at once: (a, b) of each, (R, 2); NaN where it does not settle.

    It begins at the fit of the mean weighting, which most resamples are near to.
    """
    if len(weights) > 1:
        start = _fit(weights.mean(axis=0, keepdims=True), positive, x, free_slope=free_slope)[0]
    else:
        start = np.array([0.0, 1.0])
    found = np.tile(start if np.isfinite(start).all() else [0.0, 1.0], (len(weights), 1))
    design = np.stack([np.ones_like(x), x])
    moments = np.stack([np.ones_like(x), x, x * x], axis=1)
    goals = (weights * positive) @ design.T
    open_rows = np.arange(len(weights))
    for _ in range(MOST_STEPS):
        chosen = weights if len(open_rows) == len(weights) else weights[open_rows]
        shares = found[open_rows] @ design
        expit(shares, out=shares)
        expected = chosen * shares
        gradient = goals[open_rows] - expected @ design.T
        expected *= np.subtract(1, shares, out=shares)
        step = _newton_step(gradient, expected @ moments, free_slope=free_slope)
        found[open_rows] += step
        moving = ~(np.abs(step).max(axis=1) < CLOSE * (1 + np.abs(found[open_rows]).max(axis=1)))
        open_rows = open_rows[moving]
        if not len(open_rows):
            break
    found[open_rows] = np.nan
    return found


def _newton_step(gradient: FloatArray, curvature: FloatArray, *, free_slope: bool) -> FloatArray:
    """The step (R, 2), held to a length at which a far start does not throw it further away."""
    h0, h1, h2 = curvature.T
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if free_slope:
            det = h0 * h2 - h1 * h1
            step = (
                np.stack([h2 * gradient[:, 0] - h1 * gradient[:, 1], h0 * gradient[:, 1] - h1 * gradient[:, 0]]) / det
            )
        else:
            step = np.stack([gradient[:, 0] / h0, np.zeros(len(gradient))])
    return np.clip(step.T, -2, 2)

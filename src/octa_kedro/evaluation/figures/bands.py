"""Curves of one model, and their bands: the same curves over resampled patients."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.intervals import resample_weights
from octa_kedro.evaluation.metrics import FloatArray
from octa_kedro.evaluation.predictions import patients_behind

STEPS = np.linspace(0, 1, 101)
"""False positive rates, or recalls, at which a band is computed."""


class Band(NamedTuple):
    """A band `low` to `high` (S,) over `x` (S,)."""

    x: FloatArray
    low: FloatArray
    high: FloatArray


class Counts(NamedTuple):
    """Eyes called positive at each distinct score, the highest first: true and false ones, each (R, S) for R
    weightings."""

    true: FloatArray
    false: FloatArray


def roc_points(rows: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """False and true positive rates (S + 1,) at every distinct score, from (0, 0) to (1, 1)."""
    counts = _counts(rows, np.ones((1, len(rows))))
    return np.r_[0, counts.false[0] / counts.false[0, -1]], np.r_[0, counts.true[0] / counts.true[0, -1]]


def precision_recall_points(rows: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Recall and precision (S,) at every distinct score, the highest first; to be drawn as steps, without a straight
    line between two of them (Davis and Goadrich 2006, doi 10.1145/1143844.1143874)."""
    true, false = (side[0] for side in _counts(rows, np.ones((1, len(rows)))))
    return true / true[-1], true / (true + false)


def net_benefit(rows: pd.DataFrame, thresholds: FloatArray) -> FloatArray:
    """Net benefit (T,) of calling eyes positive from each threshold on (Vickers and Elkin 2006, doi
    10.1177/0272989X06295361)."""
    return _net_benefits(rows, thresholds, np.ones((1, len(rows))))[0]


def roc_band(rows: pd.DataFrame, config: EvaluationConfig) -> Band:
    """At each false positive rate the highest sensitivity that does not exceed it."""
    counts = _counts(rows, _weights(rows, config))
    start = np.zeros((len(counts.true), 1))
    false, true = (np.hstack([start, side / side[:, -1:]]) for side in (counts.false, counts.true))
    at = np.stack([np.searchsorted(row, STEPS + 1e-9, side="right") - 1 for row in false])
    return _band(STEPS, np.take_along_axis(true, at, axis=1), config)


def precision_recall_band(rows: pd.DataFrame, config: EvaluationConfig) -> Band:
    """At each recall the precision of the highest threshold that reaches it."""
    counts = _counts(rows, _weights(rows, config))
    recall = counts.true / counts.true[:, -1:]
    called = counts.true + counts.false
    # Above the first eye of a resample nothing is called, so that no recall is reached there.
    precision = np.divide(counts.true, called, out=np.zeros_like(called), where=called > 0)
    at = np.stack([np.searchsorted(row, np.maximum(STEPS, 1e-9) - 1e-12) for row in recall])
    return _band(STEPS, np.take_along_axis(precision, at, axis=1), config)


def net_benefit_band(rows: pd.DataFrame, thresholds: FloatArray, config: EvaluationConfig) -> Band:
    """The band of `net_benefit`."""
    return _band(thresholds, _net_benefits(rows, thresholds, _drawn(rows, config)), config)


def _drawn(rows: pd.DataFrame, config: EvaluationConfig) -> FloatArray:
    target = rows["target"].to_numpy(dtype=np.int64)
    return resample_weights(patients_behind(rows), target, config.resamples, config.seed)


def _weights(rows: pd.DataFrame, config: EvaluationConfig) -> FloatArray:
    """Resamples of both classes."""
    weights, target = _drawn(rows, config), rows["target"].to_numpy(dtype=np.int64)
    # Where the eyes of a patient differ in class, a resample may lack one.
    both = (weights[:, target == 1].sum(axis=1) > 0) & (weights[:, target == 0].sum(axis=1) > 0)
    return weights[both]


def _counts(rows: pd.DataFrame, weights: FloatArray) -> Counts:
    scores, target = rows["probability"].to_numpy(dtype=np.float64), rows["target"].to_numpy(dtype=np.int64)
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True])
    ranked, positive = weights[:, order], target[order] == 1
    return Counts(np.cumsum(ranked * positive, axis=1)[:, ends], np.cumsum(ranked * ~positive, axis=1)[:, ends])


def _net_benefits(rows: pd.DataFrame, thresholds: FloatArray, weights: FloatArray) -> FloatArray:
    called = rows["probability"].to_numpy(dtype=np.float64)[:, None] >= thresholds
    positive = rows["target"].to_numpy(dtype=np.int64)[:, None] == 1
    gain = (called & positive) - thresholds / (1 - thresholds) * (called & ~positive)
    return (weights @ gain) / weights.sum(axis=1, keepdims=True)


def _band(x: FloatArray, curves: FloatArray, config: EvaluationConfig) -> Band:
    low, high = np.quantile(curves, [(1 - config.level) / 2, (1 + config.level) / 2], axis=0)
    return Band(x, low, high)

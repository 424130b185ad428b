"""A metric of few eyes with an interval that keeps its width: DeLong, Wilson, or the bootstrap over patients."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.delong import TOO_FEW
from octa_kedro.evaluation.intervals import percentiles, resample_weights, wilson_interval
from octa_kedro.evaluation.metrics import FloatArray, Ranking, count_metrics, weighted_confusion
from octa_kedro.evaluation.predictions import patients_behind
from octa_kedro.evaluation.reasons import undefined_because
from octa_kedro.evaluation.scores import Judged, judge_rows
from octa_kedro.evaluation.tables import PERFECT, auroc_interval

BOOTSTRAP = "bootstrap over patients"
NO_WIDTH = "every resample gives the same value, so that there is no interval"


@dataclass(frozen=True)
class Estimate:
    """A value with its interval, how that was computed, and what to know of it; NaN where there is none."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    interval: str = ""
    note: str = ""


def auroc_estimate(rows: pd.DataFrame, config: EvaluationConfig) -> Estimate:
    """The AUROC of eyes of two classes, by DeLong or what `config.auroc_interval` asks for; 1.00 has an exact bound."""
    judged = judge_rows(rows, 0.5)
    positive = judged.target == 1
    ranking = Ranking(positive, judged.shares[:, 1])
    value = float(ranking.auroc(np.ones((1, len(rows))))[0])
    if math.isnan(value):
        return Estimate(note=undefined_because("auroc", judged))
    weights = resample_weights(patients_behind(rows), judged.target, config.resamples, config.seed)
    low, high, _ = percentiles(ranking.auroc(weights), config.level)
    low, high, note = auroc_interval(value, low, high, rows, config)
    how = {"delong": "DeLong", "bootstrap": BOOTSTRAP}[config.auroc_interval]
    if note.startswith(PERFECT):
        how = "one-sided exact bound"
    elif note.startswith(TOO_FEW):
        how = BOOTSTRAP
    return Estimate(value, low, high, "" if math.isnan(low) else how, note)


def share_estimate(side: str, of_class: int, rows: pd.DataFrame, judged: Judged, config: EvaluationConfig) -> Estimate:
    """Sensitivity or specificity (`side`) of one class: Wilson's interval where no patient has two eyes, else the
    bootstrap over patients."""
    own = judged.target == of_class
    counted = own if side == "sensitivity" else ~own
    if not counted.any():
        mark = f"_{judged.names[of_class]}" if len(judged.names) > 2 else ""
        return Estimate(note=undefined_because(f"{side}{mark}", judged))
    return _share(counted, (judged.called == of_class) == own, rows, config)


def balanced_estimate(rows: pd.DataFrame, judged: Judged, config: EvaluationConfig) -> Estimate:
    """The mean over classes of their sensitivities. Where no patient has two eyes its interval is made of Wilson's by
    the method of variance estimates recovery (Zou and Donner 2008, doi 10.1002/sim.3095): unlike the bootstrap's it
    keeps a width where every eye is called right. Else it is the bootstrap over patients."""
    classes = range(len(judged.names))
    if not all((judged.target == k).any() for k in classes):
        return Estimate(note=undefined_because("balanced_accuracy", judged))
    shares = [_share(judged.target == k, judged.called == k, rows, config) for k in classes]
    value = float(np.mean([one.value for one in shares]))
    if _independent(rows):
        below = math.hypot(*(one.value - one.low for one in shares)) / len(shares)
        above = math.hypot(*(one.high - one.value for one in shares)) / len(shares)
        return Estimate(value, max(0.0, value - below), min(1.0, value + above), "Wilson, by class")
    weights = resample_weights(patients_behind(rows), judged.target, config.resamples, config.seed)
    confusion = weighted_confusion(weights, judged.target, judged.called, len(judged.names))
    return _resampled(value, count_metrics(confusion).shared["balanced_accuracy"], config)


def _share(
    counted: npt.NDArray[np.bool_], right: npt.NDArray[np.bool_], rows: pd.DataFrame, config: EvaluationConfig
) -> Estimate:
    """How many of the eyes `counted` (N,), of which there are some, are `right` (N,)."""
    hits = counted & right
    value = float(hits.sum() / counted.sum())
    if _independent(rows[counted]):
        return Estimate(value, *wilson_interval(int(hits.sum()), int(counted.sum()), config.level), "Wilson")
    target = rows["target"].to_numpy(dtype=np.int64)
    weights = resample_weights(patients_behind(rows), target, config.resamples, config.seed)
    whole = weights @ counted.astype(float)
    empty = np.full(len(weights), np.nan)
    return _resampled(value, np.divide(weights @ hits.astype(float), whole, out=empty, where=whole > 0), config)


def _resampled(value: float, values: FloatArray, config: EvaluationConfig) -> Estimate:
    low, high, defined = percentiles(values, config.level)
    if not low < high:
        return Estimate(value, note=NO_WIDTH)
    note = "" if defined == len(values) else f"interval over the {defined} of {len(values)} resamples that define it"
    return Estimate(value, low, high, BOOTSTRAP, note)


def _independent(rows: pd.DataFrame) -> bool:
    """Whether no patient has two eyes, so that eyes can be counted as trials."""
    return not patients_behind(rows).duplicated().any()

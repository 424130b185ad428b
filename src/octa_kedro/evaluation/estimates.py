"""A metric with its interval, and how that was computed: Wilson, DeLong, or the bootstrap over patients."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.delong import TOO_FEW, delong, logit_interval, perfect_bound
from octa_kedro.evaluation.intervals import bootstrap_intervals, percentiles, resample_weights
from octa_kedro.evaluation.metrics import Ranking, count_metrics, weighted_confusion
from octa_kedro.evaluation.predictions import patients_behind
from octa_kedro.evaluation.proportions import proportion_interval, proportions
from octa_kedro.evaluation.reasons import undefined_because
from octa_kedro.evaluation.scores import Judged, all_metrics, judge_rows

BOOTSTRAP, DELONG, EXACT, BY_CLASS = "bootstrap over patients", "DeLong", "one-sided exact bound", "Wilson, by class"
NO_WIDTH = "every resample gives the same value, so that there is no interval"
PERFECT = (
    "every pair of eyes gives the same, so the interval is the one-sided exact bound over pairs of patients, none used "
    "twice"
)


@dataclass(frozen=True)
class Estimate:
    """A value with its interval, how that was computed, and what to know of it; NaN where there is none."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    interval: str = ""
    note: str = ""


def metric_estimates(rows: pd.DataFrame, judged: Judged, config: EvaluationConfig) -> dict[str, Estimate]:
    """Every metric of the rows of one model and one part, by its name, in the order of `scores.METRICS`.

    Shares of eyes and their mean over classes have Wilson's interval, the AUROC of two classes DeLong's, all others
    the bootstrap over patients.
    """
    resampled = bootstrap_intervals(
        rows,
        judged.threshold,
        resamples=config.resamples,
        seed=config.seed,
        level=config.level,
        prevalence=judged.prevalence,
    )
    intervals = {str(row["metric"]): (row["low"], row["high"], row["defined"]) for row in resampled.to_dict("records")}
    shares = proportions(judged)
    found = {}
    for name, metric in all_metrics(judged).items():
        low, high, defined = intervals[name]
        if math.isnan(metric.value):
            found[name] = Estimate(note=metric.reason)
        elif name in shares:
            found[name] = proportion_estimate(name, rows, judged, config)
        elif name == "balanced_accuracy" and _of_one_class_each(rows):
            found[name] = balanced_estimate(rows, judged, config)
        elif name == "auroc":
            found[name] = _auroc(metric.value, low, high, rows, config)
        else:
            found[name] = _resampled(metric.value, low, high, defined, config)
    return found


def auroc_estimate(rows: pd.DataFrame, config: EvaluationConfig) -> Estimate:
    """The AUROC of eyes of two classes, by DeLong or what `config.auroc_interval` asks for; 1.00 has an exact bound."""
    judged = judge_rows(rows, 0.5)
    ranking = Ranking(judged.target == 1, judged.shares[:, 1])
    value = float(ranking.auroc(np.ones((1, len(rows))))[0])
    if math.isnan(value):
        return Estimate(note=undefined_because("auroc", judged))
    weights = resample_weights(patients_behind(rows), judged.target, config.resamples, config.seed)
    low, high, _ = percentiles(ranking.auroc(weights), config.level)
    return _auroc(value, low, high, rows, config)


def proportion_estimate(name: str, rows: pd.DataFrame, judged: Judged, config: EvaluationConfig) -> Estimate:
    """A metric that is a share of eyes (`proportions.proportions`), with Wilson's interval."""
    counted, hits = proportions(judged)[name]
    if not counted.any():
        return Estimate(note=undefined_because(name, judged))
    interval = proportion_interval(hits[counted], patients_behind(rows)[counted], config.level)
    return Estimate(float(hits[counted].mean()), *interval)


def balanced_estimate(rows: pd.DataFrame, judged: Judged, config: EvaluationConfig) -> Estimate:
    """The mean over classes of their sensitivities. Its interval is made of Wilson's by the method of variance
    estimates recovery (Zou and Donner 2008, doi 10.1002/sim.3095): unlike the bootstrap's it keeps a width where every
    eye is called right. Classes have to be independent: where a patient has eyes of several it is the bootstrap over
    patients."""
    target, patients = judged.target, patients_behind(rows)
    classes = range(len(judged.names))
    if not all((target == k).any() for k in classes):
        return Estimate(note=undefined_because("balanced_accuracy", judged))
    right = judged.called == target
    value = float(np.mean([right[target == k].mean() for k in classes]))
    if _of_one_class_each(rows):
        sides = [(target == k, *proportion_interval(right[target == k], patients[target == k], config.level)[:2])
                 for k in classes]  # fmt: skip
        below = math.hypot(*(right[own].mean() - low for own, low, _ in sides)) / len(sides)
        above = math.hypot(*(high - right[own].mean() for own, _, high in sides)) / len(sides)
        return Estimate(value, max(0.0, value - below), min(1.0, value + above), BY_CLASS)
    weights = resample_weights(patients, target, config.resamples, config.seed)
    confusion = weighted_confusion(weights, target, judged.called, len(judged.names))
    interval = percentiles(count_metrics(confusion).shared["balanced_accuracy"], config.level)
    return _resampled(value, *interval, config)


def _auroc(value: float, low: float, high: float, rows: pd.DataFrame, config: EvaluationConfig) -> Estimate:
    """DeLong's interval if it is asked for and exists, else the bootstrap's; of a perfect AUROC the exact bound."""
    patients = patients_behind(rows)
    if value in {0, 1}:
        bound = perfect_bound(rows["target"], patients, config.level)
        ends = (bound, 1.0) if value == 1 else (0.0, 1 - bound)
        return Estimate(value, *ends, EXACT, PERFECT)
    if config.auroc_interval == "delong":
        variance = delong(rows["target"], rows["probability"], patients).covariance[0, 0]
        by_delong = logit_interval(value, float(variance), config.level)
        if by_delong[0] < by_delong[1]:
            return Estimate(value, *by_delong, DELONG)
    if low < high:
        note = f"{TOO_FEW}; bootstrap interval" if config.auroc_interval == "delong" else ""
        return Estimate(value, low, high, BOOTSTRAP, note)
    return Estimate(value, note=TOO_FEW)


def _resampled(value: float, low: float, high: float, defined: int, config: EvaluationConfig) -> Estimate:
    if not low < high:
        return Estimate(value, note=NO_WIDTH)
    all_of_them = defined == config.resamples
    note = "" if all_of_them else f"interval over the {defined} of {config.resamples} resamples that define it"
    return Estimate(value, low, high, BOOTSTRAP, note)


def _of_one_class_each(rows: pd.DataFrame) -> bool:
    """Whether no patient has eyes of several classes."""
    return bool((rows.groupby(patients_behind(rows))["target"].nunique() == 1).all())

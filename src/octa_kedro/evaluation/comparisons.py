"""Every pair of models on the same eyes: paired differences, tests, and how many eyes would show a difference."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar

from octa_kedro.errors import DataError
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.delong import Aurocs, delong, difference_test
from octa_kedro.evaluation.intervals import percentiles, resample_weights
from octa_kedro.evaluation.metrics import FloatArray, Ranking, count_metrics, weighted_confusion
from octa_kedro.evaluation.predictions import (
    OUT_OF_FOLD,
    class_columns,
    mean_over_seeds,
    patients_behind,
    require_same_eyes,
)
from octa_kedro.evaluation.probabilities import brier_losses
from octa_kedro.evaluation.repeated_folds import corrected_test, fold_aurocs
from octa_kedro.evaluation.scores import Judged, judge_rows
from octa_kedro.evaluation.thresholds import thresholds_of
from octa_kedro.identifiers import FLOOR_MARK

COMPARED = ("auroc", "balanced_accuracy", "accuracy", "brier")
BY_FOLD = "auroc_by_fold"
DELONG, MCNEMAR, BOOTSTRAP = "paired DeLong", "exact McNemar", "paired bootstrap"
NADEAU_BENGIO = "corrected resampled t (Nadeau-Bengio)"
POWER = 0.8
NO_DIFFERENCE = "both models give the same in every resample"
Row = dict[str, Any]


@dataclass(frozen=True)
class _Part:
    """One part's eyes, in one order for all models: what each model says, its metrics in all resamples and without."""

    name: str
    patients: pd.Series
    judged: Mapping[str, Judged]
    values: Mapping[str, Mapping[str, FloatArray]]
    resampled: Mapping[str, Mapping[str, FloatArray]]
    aurocs: Aurocs | None


def compare_models(pooled: pd.DataFrame, by_fold: pd.DataFrame, config: EvaluationConfig) -> pd.DataFrame:
    """Return the paired difference of every pair of models, one row per part, pair and metric.

    Input: the result of `pool_predictions`, and the same predictions before they were pooled. Columns: part, first,
    second, metric, first_value, second_value, difference (first less second), low, high, test, p, p_holm (`holm`, over
    all pairs of a part and metric but those of two floors, of which nothing is claimed), non_inferior, eyes_needed,
    n_patients, n_eyes, reason. Two columns are of AUROCs alone: non_inferior says which of the two is not inferior to
    the other by `config.margin` (first, second, both or neither, by the interval and by DeLong's; empty where there is
    none); eyes_needed about how many eyes would show this difference with a power of `POWER` in one comparison at
    `config.level`, by the normal approximation, in the same mix of classes.

    Metrics are those of `COMPARED`, with intervals of a bootstrap over patients that draws the same for both models
    (macro AUROC with more than two classes), and the mean of `BY_FOLD`, the AUROC of each fold's validation eyes, where
    there are two folds or more. DataError if models were judged on other eyes.
    """
    require_same_eyes(pooled)
    rows: list[Row] = []
    for name in dict.fromkeys(pooled["part"]):
        part = _part(str(name), pooled[pooled["part"] == name], pooled, config)
        for first, second in combinations(part.judged, 2):
            rows += [_compared(part, (first, second), metric, config) for metric in COMPARED]
    rows += _by_fold(by_fold, config)
    table = pd.DataFrame(rows, columns=_COLUMNS)
    claimed = ~(table["first"].astype(str).str.startswith(FLOOR_MARK) & table["second"].str.startswith(FLOOR_MARK))
    table["p_holm"] = table["p"].where(claimed).groupby([table["part"], table["metric"]]).transform(holm)
    return table


def holm(p: "pd.Series[float]") -> "pd.Series[float]":
    """Holm's correction (1979, Scandinavian Journal of Statistics 6, 65) of those p that are not NaN."""
    known = p.dropna().sort_values(kind="stable")
    corrected = (known * np.arange(len(known), 0, -1)).cummax().clip(upper=1)
    return corrected.reindex(p.index)


def eyes_needed(n: int, difference: float, error: float, level: float) -> float:
    """About how many eyes would show `difference`, whose standard error is `error` with n eyes; NaN if it is none.

    The two-sided test of two paired AUROCs (Hanley and McNeil 1983, doi 10.1148/radiology.148.3.6878708), whose
    variance falls as 1 / n.
    """
    if not error > 0 or difference == 0:
        return math.nan
    reach = norm.ppf((1 + level) / 2) + norm.ppf(POWER)
    return float(math.ceil(n * (reach * error / difference) ** 2))


def non_inferior(low: float, high: float, margin: float) -> str:
    """Which of two models is not inferior, by the interval of first less second."""
    if math.isnan(low):
        return ""
    first, second = low > -margin, high < margin
    return {(1, 1): "both", (1, 0): "first", (0, 1): "second", (0, 0): "neither"}[first, second]


def _non_inferior(difference: float, interval: tuple[float, float], error: float, config: EvaluationConfig) -> str:
    """By the bootstrap's interval and the normal one, since the first is too narrow with few eyes; an interval without
    width says nothing."""
    if not error > 0:
        return ""
    half = norm.ppf((1 + config.level) / 2) * error
    return non_inferior(min(interval[0], difference - half), max(interval[1], difference + half), config.margin)


_COLUMNS = (
    *("part", "first", "second", "metric", "first_value", "second_value", "difference", "low", "high", "test", "p"),
    *("p_holm", "non_inferior", "eyes_needed", "n_patients", "n_eyes", "reason"),
)


def _part(name: str, rows: pd.DataFrame, pooled: pd.DataFrame, config: EvaluationConfig) -> _Part:
    thresholds = thresholds_of(pooled, config)
    keys = ["subject", "eye"] if "eye" in rows else ["subject"]
    tables = {str(model): table.sort_values(keys) for model, table in rows.groupby("model", sort=False)}
    judged = {model: judge_rows(table, thresholds[model].value) for model, table in tables.items()}
    first = next(iter(tables))
    for model, table in tables.items():
        if not np.array_equal(table[[*keys, "target"]], tables[first][[*keys, "target"]]):
            raise DataError(f"{first} and {model} were judged on different eyes, or by other targets; train both again")
    patients = patients_behind(tables[first]).reset_index(drop=True)
    weights = resample_weights(patients, judged[first].target, config.resamples, config.seed)
    alone = np.ones((1, len(patients)))
    scores = np.stack([one.shares[:, 1] for one in judged.values()])
    return _Part(
        name,
        patients,
        judged,
        {model: _metrics(one, alone) for model, one in judged.items()},
        {model: _metrics(one, weights) for model, one in judged.items()},
        None if class_columns(rows) else delong(judged[first].target, scores, patients),
    )


def _metrics(judged: Judged, weights: FloatArray) -> dict[str, FloatArray]:
    """The metrics of `COMPARED` (R,) under weightings (R, N)."""
    classes = [1] if len(judged.names) == 2 else range(len(judged.names))
    aurocs = [Ranking(judged.target == k, judged.shares[:, k]).auroc(weights) for k in classes]
    counts = count_metrics(weighted_confusion(weights, judged.target, judged.called, len(judged.names)))
    return {
        "auroc": np.mean(aurocs, axis=0),
        "balanced_accuracy": counts.shared["balanced_accuracy"],
        "accuracy": counts.shared["accuracy"],
        "brier": weights @ brier_losses(judged.target, judged.shares) / weights.sum(axis=1),
    }


def _compared(part: _Part, pair: tuple[str, str], metric: str, config: EvaluationConfig) -> Row:
    first, second = (float(part.values[model][metric][0]) for model in pair)
    differences = part.resampled[pair[0]][metric] - part.resampled[pair[1]][metric]
    low, high, defined = percentiles(differences, config.level)
    test, p, error = _test(part, pair, metric, differences)
    judged_by_auroc = metric == "auroc"
    return {
        **{"part": part.name, "first": pair[0], "second": pair[1], "metric": metric},
        **{"first_value": first, "second_value": second, "difference": first - second, "low": low, "high": high},
        **{"test": test, "p": p},
        "non_inferior": _non_inferior(first - second, (low, high), error, config) if judged_by_auroc else "",
        "eyes_needed": eyes_needed(len(part.patients), first - second, error, config.level)
        if judged_by_auroc
        else math.nan,
        "n_patients": part.patients.nunique(),
        "n_eyes": len(part.patients),
        "reason": _reason(part, first - second, low < high, defined < config.resamples),
    }


def _test(part: _Part, pair: tuple[str, str], metric: str, differences: FloatArray) -> tuple[str, float, float]:
    """The test's name, its p, and the standard error of the difference."""
    if metric == "auroc" and part.aurocs is not None:
        places = [list(part.judged).index(model) for model in pair]
        difference, error = part.aurocs.difference(*places)
        return DELONG, difference_test(difference, error), error
    # McNemar's test supposes independent eyes, which two of one patient are not.
    if metric == "accuracy" and not part.patients.duplicated().any():
        return MCNEMAR, mcnemar_p(*(part.judged[model] for model in pair)), math.nan
    known = differences[~np.isnan(differences)]
    if not len(known):
        return BOOTSTRAP, math.nan, math.nan
    tail = min((known <= 0).sum(), (known >= 0).sum())
    p = min(1.0, 2 * (float(tail) + 1) / (len(known) + 1))
    return BOOTSTRAP, p, float(known.std(ddof=1))


def mcnemar_p(first: Judged, second: Judged) -> float:
    """The exact p of McNemar's test of which eyes are called right (1947, doi 10.1007/BF02295996)."""
    right, other = first.called == first.target, second.called == second.target
    table = [[int((a & b).sum()) for b in (other, ~other)] for a in (right, ~right)]
    return float(mcnemar(table, exact=True).pvalue)


def _reason(part: _Part, difference: float, has_width: bool, some_undefined: bool) -> str:
    if math.isnan(difference):
        return "not defined: a class has no eye"
    if not has_width:
        return NO_DIFFERENCE if difference == 0 else "every resample gives the same, so the interval has no width"
    return "interval over the resamples that define it" if some_undefined else ""


def _by_fold(by_fold: pd.DataFrame, config: EvaluationConfig) -> list[Row]:
    """Pairs of models by the AUROCs of each fold's validation eyes."""
    validation = by_fold[by_fold["part"] == OUT_OF_FOLD]
    if validation.empty:  # of a second cohort, whose eyes belong to no fold
        return []
    rows = mean_over_seeds(validation)
    folds: Sequence[Any] = sorted(set(rows["fold"]))
    eyes = rows["subject"].nunique()
    validated = rows.groupby(["model", "fold"])["subject"].nunique().mean()
    if len(folds) < 2 or validated == eyes:  # of one fold, or of one that is trained again and again
        return []
    for model, table in rows.groupby("model", sort=False):
        if missing := set(folds) - set(table["fold"]):
            raise DataError(f"{model} has no out-of-fold predictions of fold {min(missing)}, which other models have")
    aurocs = {str(model): fold_aurocs(table, folds) for model, table in rows.groupby("model", sort=False)}
    found = []
    for first, second in combinations(aurocs, 2):
        difference = aurocs[first] - aurocs[second]
        mean, low, high, p = corrected_test(difference, validated / (eyes - validated), config.level)
        reason = "a fold's validation eyes are of one class" if math.isnan(mean) else ""
        found.append(
            {
                **{"part": OUT_OF_FOLD, "first": first, "second": second, "metric": BY_FOLD},
                **{"first_value": float(aurocs[first].mean()), "second_value": float(aurocs[second].mean())},
                **{"difference": mean, "low": low, "high": high, "test": NADEAU_BENGIO, "p": p, "non_inferior": ""},
                **{"eyes_needed": math.nan, "n_patients": patients_behind(rows).nunique(), "n_eyes": eyes},
                "reason": reason or (NO_DIFFERENCE if math.isnan(p) else ""),
            }
        )
    return found

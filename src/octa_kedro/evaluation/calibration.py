"""Temperature scaling: fitted out of fold, applied to all eyes as it is; and what it changes."""

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.intervals import percentiles, resample_weights
from octa_kedro.evaluation.metrics import FloatArray, IntArray
from octa_kedro.evaluation.predictions import (
    FROZEN_TEMPERATURE,
    OUT_OF_FOLD,
    REQUIRED_COLUMNS,
    patients_behind,
    require_columns,
)
from octa_kedro.evaluation.probabilities import ProbabilityMetrics, tempered
from octa_kedro.evaluation.reasons import undefined_because
from octa_kedro.evaluation.scores import Judged, judge_rows
from octa_kedro.evaluation.tables import PART_TITLES, as_text, markdown_table

HOTTEST = 50.0
"""Temperatures are looked for between this and its inverse."""
NOT_FITTED = "the evaluation of the development cohort has fitted no temperature"


@dataclass(frozen=True)
class Temperature:
    """The temperature of a model, NaN if there is none, and what to know about it."""

    value: float
    note: str = ""


def fit_temperature(target: IntArray, shares: FloatArray) -> Temperature:
    """The temperature by which probabilities (N, K) of eyes of classes `target` (N,) have the lowest log loss.

    Guo et al. 2017, PMLR 70, 1321: above 1 the probabilities were too certain. It changes no order of the eyes.
    """
    if len(set(target.tolist())) < 2:
        return Temperature(math.nan, "no temperature can be fitted: the out-of-fold eyes are of one class")
    if (shares.argmax(axis=1) == target).all():
        return Temperature(math.nan, "no temperature can be fitted: every out-of-fold eye is told right")
    rows, widest = np.arange(len(target)), math.log(HOTTEST)

    def loss(log_temperature: float) -> float:
        shown = tempered(shares, math.exp(log_temperature))[rows, target]
        return float(-np.log(np.maximum(shown, np.finfo(np.float64).tiny)).mean())

    found = float(minimize_scalar(loss, bounds=(-widest, widest), method="bounded", options={"xatol": 1e-8}).x)
    return Temperature(math.exp(found), _note_of(math.exp(found)))


def _note_of(temperature: float) -> str:
    if math.isnan(temperature):
        return NOT_FITTED
    at_bound = abs(math.log(temperature)) > 0.999 * math.log(HOTTEST)
    return "the temperature is at its bound: this is no better than chance" if at_bound else ""


def calibration_table(pooled: pd.DataFrame, config: EvaluationConfig) -> pd.DataFrame:
    """Return Brier score, log loss, calibration error, slope and intercept before and after temperature scaling.

    Input: the result of `pool_predictions`. One temperature per model is fitted on its out-of-fold rows and applied to
    all parts; that of a table with the column `FROZEN_TEMPERATURE` is taken as it is, and nothing is fitted. Columns:
    model, part, metric, temperature, before, before_low, before_high, after, after_low, after_high (percentile
    intervals over patients, both from the same resamples), n_patients, n_eyes, reason (why a value is NaN, or what to
    know of it). Slope and intercept (0 and 1 are right, see `weighted_calibration`) exist with two classes alone.
    Out-of-fold probabilities are one network's, held-out ones the mean of several, which is less certain: one
    temperature need not fit both.
    """
    require_columns(pooled, REQUIRED_COLUMNS, "predictions")
    temperatures = _temperatures(pooled, config)
    nothing = Temperature(math.nan, "the model has no out-of-fold predictions to fit a temperature on")
    groups = pooled.groupby(["model", "part"], sort=False)
    tables = [_of_group(rows, temperatures.get(model, nothing), config) for (model, _), rows in groups]
    return pd.concat(tables, ignore_index=True)


def _temperatures(pooled: pd.DataFrame, config: EvaluationConfig) -> dict[Hashable, Temperature]:
    if FROZEN_TEMPERATURE in pooled:
        first = pooled.drop_duplicates("model")[["model", FROZEN_TEMPERATURE]]
        known = {model: float(value) for model, value in first.itertuples(index=False)}
        return {model: Temperature(value, _note_of(value)) for model, value in known.items()}
    temperatures: dict[Hashable, Temperature] = {}
    for model, rows in pooled[pooled["part"] == OUT_OF_FOLD].groupby("model", sort=False):
        judged = judge_rows(rows, config.threshold)
        temperatures[model] = fit_temperature(judged.target, judged.shares)
    return temperatures


def format_calibration(table: pd.DataFrame) -> str:
    """Return the calibration table as Markdown: a block per part, a line per model, before -> after the temperature."""
    blocks = []
    for part, rows in table.groupby("part", sort=False):
        lines = [["model", "temperature", *dict.fromkeys(rows["metric"])]]
        for model, own in rows.groupby("model", sort=False):
            cells = [f"{row['before']:.2f} -> {row['after']:.2f}".replace("nan", "n/a") for _, row in own.iterrows()]
            temperature = f"{own['temperature'].iloc[0]:.2f}".replace("nan", "n/a")
            lines.append([as_text(str(model)), temperature, *cells])
        title = f"## Calibration before -> after temperature scaling, {PART_TITLES.get(str(part), str(part)).lower()}"
        blocks.append(f"{title}\n\n{markdown_table(lines)}\n")
    return "\n".join(blocks)


def _of_group(rows: pd.DataFrame, temperature: Temperature, config: EvaluationConfig) -> pd.DataFrame:
    judged = judge_rows(rows, config.threshold)
    known = not math.isnan(temperature.value)
    shares = tempered(judged.shares, temperature.value) if known else np.full_like(judged.shares, np.nan)
    weights = resample_weights(patients_behind(rows), judged.target, config.resamples, config.seed)
    before = _values(judged, weights, config)
    after = _values(replace(judged, shares=shares), weights, config) if known else {}
    fitted_here = "fitted on these eyes, so the value after it is optimistic" if _is_out_of_fold(rows) and known else ""
    table = []
    for name, found in before.items():
        missing = undefined_because(name, judged) if math.isnan(found[0]) else ""
        notes = [missing, temperature.note, fitted_here]
        table.append(
            {
                "model": rows["model"].iloc[0],
                "part": rows["part"].iloc[0],
                "metric": name,
                "temperature": temperature.value,
                **dict(zip(("before", "before_low", "before_high"), found, strict=True)),
                **dict(zip(("after", "after_low", "after_high"), after.get(name, (math.nan,) * 3), strict=True)),
                "n_patients": patients_behind(rows).nunique(),
                "n_eyes": len(rows),
                "reason": "; ".join(note for note in notes if note),
            }
        )
    return pd.DataFrame(table)


def _is_out_of_fold(rows: pd.DataFrame) -> bool:
    return bool(rows["part"].iloc[0] == OUT_OF_FOLD)


def _values(judged: Judged, weights: FloatArray, config: EvaluationConfig) -> dict[str, tuple[float, float, float]]:
    """Value, low and high of each metric."""
    evaluate = ProbabilityMetrics(judged.target, judged.called, judged.shares)
    values, resampled = evaluate(np.ones((1, len(judged.target)))), evaluate(weights)
    return {name: (float(v[0]), *percentiles(resampled[name], config.level)[:2]) for name, v in values.items()}

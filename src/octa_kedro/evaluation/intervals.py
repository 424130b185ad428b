"""Confidence intervals by the bootstrap over patients, of every metric and of a mean."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from octa_kedro.errors import DataError
from octa_kedro.evaluation.metrics import FloatArray, IntArray
from octa_kedro.evaluation.predictions import patients_behind, require_columns
from octa_kedro.evaluation.scores import judge_rows, weighted_metrics


def bootstrap_intervals(
    table: pd.DataFrame,
    threshold: float,
    *,
    resamples: int,
    seed: int,
    level: float = 0.95,
    prevalence: float | None = None,
) -> pd.DataFrame:
    """Return the percentile interval of every metric for the rows of one model and one part.

    Patients are drawn, never rows: the eyes of one patient resemble each other, and drawing them one by one
    would make the interval too narrow. The draw is stratified by target, so that each resample holds as many
    patients of a class as the cohort: without it a small part yields resamples of one class, whose AUROC does
    not exist, and dropping those biases the interval. The interval is therefore one at the prevalence of the
    cohort. Patients whose eyes differ in target form a stratum of their own. Patients are sorted before the
    draw, so that two models on the same patients with one seed meet the same resamples.

    Columns: metric, low, high, defined (the number of resamples in which the metric exists; the interval is
    over those). A patient is drawn with all their eyes; without a column `patient` every eye is a patient of its own.
    With more than two classes (`predictions.class_columns`) the metrics are other ones (`scores.SHARED`), and
    `threshold` and `prevalence` are not used.
    Efron and Tibshirani 1993, chapter 13. Raises DataError for rows of several models or parts.
    """
    require_columns(table, ("subject", "target", "probability"), "predictions")
    for column in ("model", "part"):
        if column in table and table[column].nunique() > 1:
            raise DataError(f"an interval is over one {column}, not {sorted(set(table[column]))}")
    judged = judge_rows(table, threshold, prevalence)
    weights = resample_weights(patients_behind(table), judged.target, resamples, seed)
    values = weighted_metrics(weights, judged)
    rows = [(name, *percentiles(value, level)) for name, value in values.items()]
    return pd.DataFrame(rows, columns=["metric", "low", "high", "defined"])


def mean_interval(
    values: npt.ArrayLike, patients: pd.Series, *, resamples: int, seed: int, level: float = 0.95
) -> tuple[float, float, float]:
    """Return mean, low and high of values (N,) of eyes of patients (N,); the eyes of a patient are drawn together.

    The percentile bootstrap over patients of Efron and Tibshirani 1993, chapter 13. NaN are left out; the mean of no
    value is NaN, and so is the interval with fewer than two patients. A difference of two scores of one eye, given as
    the value, makes the comparison a paired one.
    """
    numbers = np.asarray(values, dtype=np.float64)
    defined = ~np.isnan(numbers)
    if not defined.any():
        return (float("nan"),) * 3
    numbers, owners = numbers[defined], patients[defined]
    mean = float(numbers.mean())
    if owners.nunique() < 2:
        return mean, float("nan"), float("nan")
    weights = resample_weights(owners, np.zeros(len(numbers), dtype=np.int64), resamples, seed)
    low, high, _ = percentiles((weights @ numbers) / weights.sum(axis=1), level)
    return mean, low, high


def resample_weights(patients: pd.Series, target: IntArray, resamples: int, seed: int) -> FloatArray:
    """Return how often each of N rows is drawn in each of R resamples, (R, N); see `bootstrap_intervals`."""
    names, row_patient = np.unique(patients.to_numpy(dtype=str), return_inverse=True)
    mixed = int(target.max()) + 1  # the stratum of those whose eyes differ in class
    lowest = np.full(len(names), mixed)
    highest = np.zeros(len(names), dtype=int)
    np.minimum.at(lowest, row_patient, target)
    np.maximum.at(highest, row_patient, target)
    stratum = np.where(lowest == highest, lowest, mixed)
    rng = np.random.default_rng(seed)
    drawn = np.zeros((resamples, len(names)))
    for value in np.unique(stratum):
        members = np.flatnonzero(stratum == value)
        # How often each member comes up in len(members) draws with replacement is multinomial.
        shares = np.full(len(members), 1 / len(members))
        drawn[:, members] = rng.multinomial(len(members), shares, size=resamples)
    return drawn[:, row_patient]


def percentiles(values: FloatArray, level: float) -> tuple[float, float, int]:
    """Low and high of the middle `level` of resampled values (R,), and how many are defined; NaN of none."""
    defined = values[~np.isnan(values)]
    if defined.size == 0:
        return float("nan"), float("nan"), 0
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high), int(defined.size)

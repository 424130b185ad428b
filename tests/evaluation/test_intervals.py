import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from octa_kedro.errors import DataError
from octa_kedro.evaluation.intervals import bootstrap_intervals, mean_interval
from octa_kedro.evaluation.scores import METRICS

from .builders import gaussian_rows, prediction_rows


def intervals(table: pd.DataFrame, *, resamples: int = 500, seed: int = 0, level: float = 0.95) -> pd.DataFrame:
    found = bootstrap_intervals(table, 0.5, resamples=resamples, seed=seed, level=level)
    return found.set_index("metric")


def width(table: pd.DataFrame, metric: str) -> float:
    row = intervals(table).loc[metric]
    return row["high"] - row["low"]


def test_every_metric_has_an_interval_around_its_value():
    found = intervals(gaussian_rows(80, 1.5))
    assert tuple(found.index) == METRICS
    assert (found["low"] < found["high"]).all()
    assert (found["defined"] == 500).all()


def test_seed_decides_and_row_order_does_not():
    table = gaussian_rows(60, 1.0)
    first = intervals(table, seed=3)
    pd.testing.assert_frame_equal(first, intervals(table.sample(frac=1, random_state=1), seed=3))
    assert not first.equals(intervals(table, seed=4))


def test_rows_of_one_subject_are_drawn_together():
    table = gaussian_rows(40, 1.0)
    copies = pd.concat([table] * 4)
    by_row = copies.assign(subject=[str(i) for i in range(len(copies))])
    # Copies of an eye say nothing new: the interval is the same. As subjects of their own, they halve it.
    pd.testing.assert_frame_equal(intervals(copies), intervals(table))
    assert width(by_row, "auroc") < 0.65 * width(copies, "auroc")


def test_auroc_is_defined_in_every_resample_of_few_positives():
    table = prediction_rows([1, 1] + [0] * 28, [0.9, 0.4, *np.linspace(0.1, 0.6, 28)])
    assert intervals(table, resamples=2000).loc["auroc", "defined"] == 2000


@pytest.mark.parametrize("target", [0, 1])
def test_subjects_with_both_targets_are_a_stratum_of_their_own(target: int):
    table = prediction_rows([target, 0, 1], [0.6, 0.3, 0.7]).assign(subject=["pure", "mixed", "mixed"])
    found = intervals(table).drop(index="calibration_slope")  # these few are separated
    # Each stratum has one subject, so every resample is the cohort; one shared stratum would lose a class.
    assert (found["defined"] == 500).all()
    assert (found["low"] == found["high"]).all()


def test_accuracy_interval_has_the_width_of_theory():
    # Sensitivity 0.8 in 100 eyes and specificity 0.9 in 100 eyes, drawn apart.
    table = prediction_rows([1] * 100 + [0] * 100, [0.9] * 80 + [0.1] * 20 + [0.1] * 90 + [0.9] * 10)
    found = intervals(table, resamples=4000)
    error = 0.5 * math.sqrt(0.8 * 0.2 / 100 + 0.9 * 0.1 / 100)
    for name, half in (
        ("accuracy", 1.96 * error),
        ("sensitivity", 1.96 * 0.04),
        ("specificity", 1.96 * 0.03),
    ):
        row = found.loc[name]
        assert (row["high"] - row["low"]) / 2 == pytest.approx(half, rel=0.15)


def test_auroc_interval_covers_the_truth():
    shift = 1.2
    truth = norm.cdf(shift / math.sqrt(2))
    covered = 0
    for seed in range(150):
        row = intervals(gaussian_rows(60, shift, seed=seed), resamples=200, seed=seed).loc["auroc"]
        covered += row["low"] <= truth <= row["high"]
    assert 0.88 <= covered / 150 <= 0.99


def test_lower_level_gives_a_narrower_interval():
    table = gaussian_rows(60, 1.0)
    wide, narrow = (intervals(table, level=level).loc["auroc"] for level in (0.95, 0.6))
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]


def test_resamples_without_the_metric_are_counted():
    # The one eye predicted positive is absent from about (2/3)^3 = 0.30 of the resamples.
    found = intervals(prediction_rows([1, 1, 1, 0, 0], [0.9, 0.2, 0.3, 0.1, 0.1]), resamples=2000)
    assert found.loc["precision", "defined"] / 2000 == pytest.approx(1 - 8 / 27, abs=0.04)
    assert found.loc["precision", ["low", "high"]].tolist() == [1, 1]


def test_metric_that_does_not_exist_has_no_interval():
    found = intervals(prediction_rows([1, 1], [0.9, 0.2]))
    assert found.loc["auroc", ["low", "high"]].isna().all()
    assert found.loc["auroc", "defined"] == 0


@pytest.mark.parametrize("column", ["model", "part"])
def test_rows_of_several_groups_are_refused(column: str):
    table = gaussian_rows(10, 1.0)
    table.loc[3, column] = "held_out"
    with pytest.raises(DataError, match=f"one {column}"):
        intervals(table)


def test_a_mean_is_drawn_by_patient_and_leaves_nan_out():
    patients = pd.Series(["a", "a", "b", "b", "c"])
    mean, low, high = mean_interval([0.0, 0.0, 1.0, 1.0, math.nan], patients, resamples=400, seed=0)
    assert (mean, low, high) == (0.5, 0.0, 1.0)
    assert mean_interval([0.25, 0.75], patients[:2], resamples=10, seed=0)[0] == 0.5
    assert math.isnan(mean_interval([0.25, 0.75], patients[:2], resamples=10, seed=0)[1])  # one patient
    assert math.isnan(mean_interval([math.nan], patients[:1], resamples=10, seed=0)[0])


def test_the_interval_of_a_mean_narrows_as_its_standard_error():
    values = np.random.default_rng(0).normal(3, 2, 400)
    mean, low, high = mean_interval(values, pd.Series(range(400)).astype(str), resamples=2000, seed=1)
    assert mean == pytest.approx(values.mean())
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)

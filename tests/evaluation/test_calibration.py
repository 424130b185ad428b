"""Temperature scaling, and how calibration is measured."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from octa_kedro.evaluation.calibration import calibration_table, fit_temperature, format_calibration
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.probabilities import tempered, weighted_calibration
from octa_kedro.evaluation.scores import judge_binary

from .builders import held_out_rows, prediction_rows
from .test_multiclass import rows

CONFIG = EvaluationConfig(resamples=100)


def calibrated(n: int, factor: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes drawn by true probabilities, and those with their logits multiplied: too certain above 1."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 1.5, n)
    return (rng.random(n) < expit(truth)).astype(int), expit(factor * truth)


def test_the_temperature_undoes_what_made_probabilities_too_certain():
    target, probability = calibrated(5000, 3.0)
    found = fit_temperature(target, judge_binary(target, probability, 0.5).shares)
    assert found.value == pytest.approx(3.0, rel=0.1)
    assert found.note == ""


def test_no_other_temperature_has_a_lower_log_loss():
    target, probability = calibrated(200, 2.0)
    shares = judge_binary(target, probability, 0.5).shares
    best = fit_temperature(target, shares).value

    def loss(temperature: float) -> float:
        return -np.log(tempered(shares, temperature)[np.arange(200), target]).mean()

    assert loss(best) < min(loss(best * 0.97), loss(best * 1.03), loss(1.0))


def test_a_temperature_divides_logits_and_keeps_three_classes_in_order():
    np.testing.assert_allclose(tempered(np.array([[0.2, 0.8]]), 2.0)[0, 1], expit(logit(0.8) / 2))
    shares = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    cooled = tempered(shares, 0.5)
    np.testing.assert_allclose(cooled.sum(axis=1), 1)
    np.testing.assert_allclose(cooled, shares**2 / (shares**2).sum(axis=1, keepdims=True))


def test_slope_and_intercept_say_how_probabilities_are_wrong():
    target, probability = calibrated(20_000, 2.0)
    slope, _ = weighted_calibration(np.ones((1, 20_000)), target == 1, probability)
    assert slope[0] == pytest.approx(0.5, abs=0.03)
    target, probability = calibrated(20_000, 1.0)
    low = expit(logit(probability) - 1)
    slope, intercept = weighted_calibration(np.ones((1, 20_000)), target == 1, low)
    assert slope[0] == pytest.approx(1, abs=0.05)
    assert intercept[0] == pytest.approx(1, abs=0.05)


def test_a_slope_exists_where_one_pair_of_eyes_is_in_the_wrong_order():
    target = np.array([0] * 20 + [1] * 20)
    probability = np.linspace(0.001, 0.999, 40)
    probability[[19, 20]] = probability[[20, 19]]
    slope, intercept = weighted_calibration(np.ones((1, 40)), target == 1, probability)
    assert slope[0] > 1
    assert math.isfinite(intercept[0])


def test_it_is_fitted_out_of_fold_and_applied_as_it_is():
    target, probability = calibrated(200, 3.0)
    development = prediction_rows(target.tolist(), probability.tolist())
    more, theirs = calibrated(60, 3.0, seed=1)
    held_out = [held_out_rows(f"h{i}", [p, p], target=t) for i, (t, p) in enumerate(zip(more, theirs, strict=True))]
    table = calibration_table(pool_predictions(pd.concat([development, *held_out])), CONFIG)
    expected = fit_temperature(target, judge_binary(target, probability, 0.5).shares).value
    assert table["temperature"].to_numpy() == pytest.approx(expected)
    by = table.set_index(["part", "metric"])
    for part in ("out_of_fold", "held_out"):
        assert by.loc[(part, "log_loss"), "after"] < by.loc[(part, "log_loss"), "before"]
    slopes = by.loc[("held_out", "calibration_slope")]
    assert slopes["after"] == pytest.approx(slopes["before"] * expected, rel=1e-3)
    assert slopes["after_low"] < slopes["after"] < slopes["after_high"]
    assert by.loc[("out_of_fold", "brier"), "reason"].startswith("fitted on these eyes")
    assert by.loc[("held_out", "brier"), "reason"] == ""
    text = format_calibration(table)
    assert text.count("\n| training_3d") == 2
    assert f"{expected:.2f}" in text


def test_three_classes_have_no_slope():
    table = calibration_table(pool_predictions(rows()), CONFIG)
    assert table["metric"].tolist() == ["brier", "log_loss", "ece"]
    assert (table["after_low"] < table["after_high"]).all()


@pytest.mark.parametrize(
    ("table", "note"),
    [
        (prediction_rows([1, 1], [0.2, 0.4]), "the out-of-fold eyes are of one class"),
        (prediction_rows([0, 1], [0.2, 0.4], part="held_out"), "no out-of-fold predictions to fit"),
        (
            prediction_rows([0, 0, 1, 1], [0.2, 0.1, 0.8, 0.9]),
            "every out-of-fold eye is told right",
        ),
        (prediction_rows([0, 0, 1, 1], [0.8, 0.9, 0.2, 0.1]), "at its bound"),
    ],
)
def test_a_temperature_that_cannot_be_fitted_says_why(table: pd.DataFrame, note: str):
    found = calibration_table(pool_predictions(table), CONFIG)
    assert found["reason"].str.contains(note).all()
    if "bound" not in note:
        assert found["after"].isna().all()
        assert "n/a" in format_calibration(found)

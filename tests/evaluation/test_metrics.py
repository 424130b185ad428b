import math

import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.evaluation.metrics import (
    METRICS,
    MetricValue,
    binary_metrics,
    confusion_counts,
    count_metrics,
    weighted_auroc,
)

# Three positive eyes, five negative; at 0.5: tp 2, fn 1, fp 2, tn 3.
TARGET = [1, 1, 1, 0, 0, 0, 0, 0]
PROBABILITY = [0.9, 0.6, 0.3, 0.7, 0.55, 0.2, 0.1, 0.4]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", 5 / 8),
        ("balanced_accuracy", (2 / 3 + 3 / 5) / 2),
        ("sensitivity", 2 / 3),
        ("specificity", 3 / 5),
        ("precision", 2 / 4),
        ("f1", 4 / 7),
        # 0.9 beats five negatives, 0.6 four, 0.3 two, out of fifteen pairs.
        ("auroc", 11 / 15),
    ],
)
def test_each_metric_has_the_value_computed_by_hand(name: str, expected: float):
    metric = binary_metrics(TARGET, PROBABILITY, 0.5)[name]
    assert metric.value == pytest.approx(expected)
    assert metric.reason == ""


def test_all_metrics_are_present_and_in_order():
    assert tuple(binary_metrics(TARGET, PROBABILITY, 0.5)) == METRICS


def test_confusion_rows_are_the_true_class():
    assert confusion_counts(TARGET, PROBABILITY, 0.5).tolist() == [[3, 2], [1, 2]]


def test_probability_at_the_threshold_is_positive():
    assert confusion_counts([1], [0.5], 0.5).tolist() == [[0, 0], [0, 1]]


def test_threshold_moves_the_decision():
    metrics = binary_metrics(TARGET, PROBABILITY, 0.65)
    assert metrics["sensitivity"].value == pytest.approx(1 / 3)
    assert metrics["specificity"].value == pytest.approx(4 / 5)
    assert metrics["auroc"].value == pytest.approx(11 / 15)


def undefined(metrics: dict[str, MetricValue]) -> dict[str, str]:
    return {name: metric.reason for name, metric in metrics.items() if math.isnan(metric.value)}


def test_without_positive_eyes_what_needs_them_is_undefined():
    reason = "no eye is of the positive class"
    metrics = binary_metrics([0, 0, 0], [0.1, 0.7, 0.2], 0.5)
    assert undefined(metrics) == dict.fromkeys(["balanced_accuracy", "sensitivity", "f1", "auroc"], reason)
    assert metrics["specificity"].value == pytest.approx(2 / 3)
    assert metrics["precision"].value == 0


def test_without_negative_eyes_what_needs_them_is_undefined():
    reason = "no eye is of the negative class"
    metrics = binary_metrics([1, 1], [0.1, 0.7], 0.5)
    assert undefined(metrics) == dict.fromkeys(["balanced_accuracy", "specificity", "auroc"], reason)
    assert metrics["sensitivity"].value == 0.5


def test_precision_without_predicted_positives_is_undefined_and_f1_is_zero():
    metrics = binary_metrics([1, 0], [0.4, 0.1], 0.5)
    assert undefined(metrics) == {"precision": "no eye is predicted positive"}
    assert metrics["f1"].value == 0


def test_without_eyes_everything_is_undefined():
    assert undefined(binary_metrics([], [], 0.5)) == dict.fromkeys(METRICS, "no eyes")


@pytest.mark.parametrize("probability", [[0.5, math.nan], [0.5, math.inf], [0.5]])
def test_bad_probabilities_are_refused(probability: list[float]):
    with pytest.raises(DataError, match=r"finite|equal"):
        binary_metrics([0, 1], probability, 0.5)


def test_count_metrics_work_on_arrays():
    values = count_metrics(tp=[2, 0], fp=[2, 0], fn=[1, 1], tn=[3, 4])
    np.testing.assert_allclose(values["precision"], [0.5, np.nan])
    np.testing.assert_allclose(values["specificity"], [0.6, 1.0])


def test_weighted_auroc_counts_ties_half_and_weights_as_copies():
    target = np.array([1, 0, 1, 0])
    probability = np.array([0.5, 0.5, 0.8, 0.2])
    weights = np.array([[1.0, 1, 1, 1], [2, 1, 0, 3], [0, 1, 0, 1]])
    # Second row: two copies of 0.5 tie with one negative and beat three; third row: no positive.
    expected = [3.5 / 4, (2 * 0.5 + 2 * 3) / 8, np.nan]
    np.testing.assert_allclose(weighted_auroc(weights, target, probability), expected)

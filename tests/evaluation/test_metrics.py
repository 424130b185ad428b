import math

import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.evaluation.metrics import MetricValue, Ranking, confusion_counts, count_metrics
from octa_kedro.evaluation.reasons import SEPARATED
from octa_kedro.evaluation.scores import METRICS, binary_metrics, judge_binary, weighted_metrics

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
        ("npv", 3 / 4),
        ("net_benefit", 2 / 8 - 2 / 8),
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


NEED_BOTH = ("balanced_accuracy", "mcc", "auroc", "auprc", "calibration_slope", "calibration_intercept")


def undefined(metrics: dict[str, MetricValue]) -> dict[str, str]:
    return {name: metric.reason for name, metric in metrics.items() if math.isnan(metric.value)}


def test_without_positive_eyes_what_needs_them_is_undefined():
    reason = "no eye is of the positive class"
    metrics = binary_metrics([0, 0, 0], [0.1, 0.7, 0.2], 0.5)
    assert undefined(metrics) == dict.fromkeys(["sensitivity", "f1", *NEED_BOTH], reason)
    assert metrics["specificity"].value == pytest.approx(2 / 3)
    assert metrics["precision"].value == 0


def test_without_negative_eyes_what_needs_them_is_undefined():
    reason = "no eye is of the negative class"
    metrics = binary_metrics([1, 1], [0.1, 0.7], 0.5)
    assert undefined(metrics) == dict.fromkeys(["specificity", *NEED_BOTH], reason)
    assert metrics["sensitivity"].value == 0.5


def test_precision_without_predicted_positives_is_undefined_and_f1_is_zero():
    metrics = binary_metrics([1, 0, 1], [0.4, 0.2, 0.1], 0.5)
    assert undefined(metrics) == dict.fromkeys(["precision", "mcc"], "no eye is predicted positive")
    assert metrics["f1"].value == 0


def test_without_eyes_everything_is_undefined():
    assert undefined(binary_metrics([], [], 0.5)) == dict.fromkeys(METRICS, "no eyes")


@pytest.mark.parametrize(
    ("probability", "message"),
    [
        ([0.5, math.nan], "not finite"),
        ([0.5, math.inf], "not finite"),
        ([0.5], "equally many"),
        ([0.5, 1.1], r"not in \[0, 1\]"),
        ([[0.5, 0.5], [0.5, 0.5]], "not one for each eye"),
    ],
)
def test_bad_probabilities_are_refused(probability: list[float], message: str):
    with pytest.raises(DataError, match=message):
        binary_metrics([0, 1], probability, 0.5)


def test_a_target_that_is_no_class_is_refused():
    with pytest.raises(DataError, match=r"not in 0 \.\. 1"):
        binary_metrics([0, 2], [0.1, 0.2], 0.5)


def test_separated_classes_have_no_slope_and_all_else():
    metrics = binary_metrics([0, 0, 1, 1], [0.1, 0.2, 0.7, 0.9], 0.5)
    assert undefined(metrics) == {"calibration_slope": SEPARATED}
    assert binary_metrics([0, 1], [0.4, 0.4], 0.5)["calibration_slope"].reason == "all probabilities are equal"


def test_kappa_of_one_class_called_so_is_undefined():
    assert binary_metrics([0, 0], [0.1, 0.2], 0.5)["kappa"].reason == "all eyes are of one class, and called so"


def test_count_metrics_work_on_arrays():
    values = count_metrics(np.array([[[3.0, 2], [1, 2]], [[4, 0], [1, 0]]])).each
    np.testing.assert_allclose(values["precision"][:, 1], [0.5, np.nan])
    np.testing.assert_allclose(values["specificity"][:, 1], [0.6, 1.0])


def test_weighted_auroc_counts_ties_half_and_weights_as_copies():
    target = np.array([1, 0, 1, 0])
    probability = np.array([0.5, 0.5, 0.8, 0.2])
    weights = np.array([[1.0, 1, 1, 1], [2, 1, 0, 3], [0, 1, 0, 1]])
    # Second row: two copies of 0.5 tie with one negative and beat three; third row: no positive.
    expected = [3.5 / 4, (2 * 0.5 + 2 * 3) / 8, np.nan]
    np.testing.assert_allclose(Ranking(target == 1, probability).auroc(weights), expected)


def test_a_weighting_is_the_same_as_copies_of_eyes():
    rng = np.random.default_rng(0)
    target, probability = rng.integers(0, 2, 40), rng.integers(1, 10, 40) / 10
    weights = rng.multinomial(40, np.full(40, 1 / 40), size=5).astype(float)
    found = weighted_metrics(weights, judge_binary(target, probability, 0.5, 0.1))
    for row, weight in enumerate(weights.astype(int)):
        copies = judge_binary(np.repeat(target, weight), np.repeat(probability, weight), 0.5, 0.1)
        expected = weighted_metrics(np.ones((1, weight.sum())), copies)
        for name, values in found.items():
            np.testing.assert_allclose(values[row], expected[name][0], rtol=1e-8, err_msg=name)


def test_average_precision_counts_ties_as_one_threshold():
    # At .8: precision 1, recall 1/2; at .5: precision 2/3, recall 1.
    assert binary_metrics([1, 1, 0, 0], [0.8, 0.5, 0.5, 0.2], 0.5)["auprc"].value == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_predictive_values_at_a_stated_prevalence_follow_bayes():
    values = weighted_metrics(np.ones((1, 8)), judge_binary(TARGET, PROBABILITY, 0.5, 0.1))
    sensitivity, false_alarms = 2 / 3, 2 / 5
    assert values["ppv_at_prevalence"][0] == pytest.approx(sensitivity * 0.1 / (sensitivity * 0.1 + false_alarms * 0.9))
    assert values["npv_at_prevalence"][0] == pytest.approx(0.6 * 0.9 / (0.6 * 0.9 + 0.1 / 3))

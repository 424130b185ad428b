"""Thresholds are chosen on out-of-fold eyes alone, and applied to held-out eyes as they are."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_curve

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.tables import format_metric_table, metric_table
from octa_kedro.evaluation.thresholds import OPTIMISTIC, best_threshold, thresholds_of

from .builders import gaussian_rows, held_out_rows, prediction_rows
from .test_multiclass import rows

TARGET, PROBABILITY = np.array([0, 0, 0, 1, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8])


def rule(name: str, **more: float) -> EvaluationConfig:
    return EvaluationConfig.model_validate({"threshold_rule": name, "resamples": 100, **more})


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        # Sensitivity 1 and specificity 3/4 at .35; nothing is better.
        (rule("youden"), 0.35),
        (rule("sensitivity", target_sensitivity=1.0), 0.35),
        (rule("sensitivity", target_sensitivity=0.66), 0.55),
        (rule("sensitivity", target_sensitivity=0.1), 0.7),
        # One false alarm at .35 or one missed eye at .55.
        (rule("cost", cost_ratio=2), 0.35),
        (rule("cost", cost_ratio=0.5), 0.55),
        (rule("cost", cost_ratio=100), 0.35),
    ],
)
def test_the_rules_by_hand(config: EvaluationConfig, expected: float):
    assert best_threshold(TARGET, PROBABILITY, config) == pytest.approx(expected)


def test_no_threshold_has_a_larger_youden_index():
    table = gaussian_rows(200, 1.0)
    chosen = best_threshold(table["target"].to_numpy(), table["probability"].to_numpy(), rule("youden"))
    false_rate, true_rate, _ = roc_curve(table["target"], table["probability"])
    called = table["probability"] >= chosen
    index = called[table["target"] == 1].mean() - called[table["target"] == 0].mean()
    assert index == pytest.approx((true_rate - false_rate).max())


def test_a_threshold_is_below_one_and_between_neighbouring_floats():
    assert best_threshold(np.array([1, 0]), np.array([0.3, 1.0]), rule("cost", cost_ratio=0.1)) < 1
    low = 0.5
    high = np.nextafter(low, 1)
    assert best_threshold(np.array([0, 1]), np.array([low, high]), rule("youden")) == high


def test_held_out_eyes_do_not_move_the_threshold():
    development = prediction_rows(TARGET.tolist(), PROBABILITY.tolist())
    for held_out in ([0.01, 0.02], [0.98, 0.99]):
        pooled = pool_predictions(pd.concat([development, held_out_rows("7", held_out)]))
        assert thresholds_of(pooled, rule("youden"))["training_3d"].value == pytest.approx(0.35)


def test_the_table_says_value_and_rule_and_where_it_is_optimistic():
    held_out = [held_out_rows("7", [0.9, 0.8]), held_out_rows("8", [0.36, 0.36], target=0)]
    pooled = pool_predictions(pd.concat([prediction_rows(TARGET.tolist(), PROBABILITY.tolist()), *held_out]))
    table = metric_table(pooled, rule("youden", prevalence=0.1)).set_index(["part", "metric"])
    assert set(table["rule"]) == {"youden"}
    assert table["threshold"].to_numpy() == pytest.approx(0.35)
    assert table.loc[("held_out", "specificity"), "value"] == 0
    for metric in ("sensitivity", "ppv_at_prevalence"):
        assert OPTIMISTIC in table.loc[("out_of_fold", metric), "reason"]
        assert OPTIMISTIC not in table.loc[("held_out", metric), "reason"]
    assert OPTIMISTIC not in table.loc[("out_of_fold", "auroc"), "reason"]
    assert "## Held out (threshold 0.35 by youden)" in format_metric_table(table.reset_index())


def test_models_have_their_own_thresholds():
    other = prediction_rows(TARGET.tolist(), (PROBABILITY / 2).tolist(), model="training_2d")
    pooled = pool_predictions(pd.concat([prediction_rows(TARGET.tolist(), PROBABILITY.tolist()), other]))
    found = thresholds_of(pooled, rule("youden"))
    assert [one.value for one in found.values()] == pytest.approx([0.35, 0.175])
    text = format_metric_table(metric_table(pooled, rule("youden")))
    assert "training_3d: threshold 0.35 by youden, training_2d: threshold 0.175 by youden" in text


def test_eyes_of_one_class_choose_no_threshold():
    pooled = pool_predictions(prediction_rows([1, 1], [0.2, 0.4]))
    with pytest.raises(DataError, match="training_3d has 2 positive and 0 negative; set it to fixed"):
        thresholds_of(pooled, rule("youden"))
    assert thresholds_of(pooled, rule("fixed"))["training_3d"].value == 0.5


def test_with_more_classes_there_is_no_threshold_to_choose():
    with pytest.raises(ConfigError, match="highest probability decides; set fixed"):
        thresholds_of(rows(), rule("cost"))


def test_eyes_without_labels_need_a_stated_threshold():
    assert EvaluationConfig(threshold=0.3).stated_threshold() == 0.3
    with pytest.raises(ConfigError, match="threshold_rule is youden, and new eyes have no labels"):
        EvaluationConfig(threshold_rule="youden").stated_threshold()

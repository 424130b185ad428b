import math

import pandas as pd
import pytest
from pydantic import ValidationError

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.delong import TOO_FEW, delong, logit_interval
from octa_kedro.evaluation.estimates import BOOTSTRAP, BY_CLASS, DELONG, NO_WIDTH, PERFECT, balanced_estimate
from octa_kedro.evaluation.intervals import bootstrap_intervals
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.proportions import WILSON
from octa_kedro.evaluation.scores import METRICS, judge_rows
from octa_kedro.evaluation.tables import format_interval, format_metric_table, metric_table

from .builders import gaussian_rows, held_out_rows, prediction_rows

CONFIG = EvaluationConfig(resamples=200, seed=1)


@pytest.fixture
def pooled() -> pd.DataFrame:
    held_out = [held_out_rows("7", [0.9, 0.8]), held_out_rows("8", [0.1, 0.2], target=0)]
    models = [gaussian_rows(30, 1.0), gaussian_rows(30, 1.0, seed=5, model="training_2d")]
    return pool_predictions(pd.concat([*models, *held_out]))


def test_table_is_long_and_counts_what_it_rests_on(pooled: pd.DataFrame):
    table = metric_table(pooled, CONFIG)
    columns = "model part metric value low high interval n_patients n_eyes n_positive threshold rule reason"
    assert " ".join(table.columns) == columns
    groups = list(table.groupby(["model", "part"], sort=False).groups)
    expected = [("training_3d", "out_of_fold"), ("training_2d", "out_of_fold"), ("training_3d", "held_out")]
    assert sorted(groups) == sorted(expected)
    first = table[(table["model"] == "training_2d")]
    assert tuple(first["metric"]) == METRICS
    assert first[["n_patients", "n_eyes", "n_positive", "threshold"]].iloc[0].tolist() == [30, 30, 15, 0.5]
    assert ((first["low"] <= first["value"]) & (first["value"] <= first["high"])).all()


def test_two_eyes_count_as_one_subject():
    table = pd.concat([prediction_rows([0, 1], [0.1, 0.8]).assign(eye=eye) for eye in ("OD", "OS")])
    first = metric_table(pool_predictions(table), CONFIG).iloc[0]
    assert (first["n_patients"], first["n_eyes"], first["n_positive"]) == (2, 4, 2)


def test_undefined_metric_carries_its_reason():
    table = metric_table(pool_predictions(prediction_rows([1, 1, 1], [0.9, 0.8, 0.2])), CONFIG)
    auroc = table.set_index("metric").loc["auroc"]
    assert all(math.isnan(auroc[column]) for column in ("value", "low", "high"))
    assert auroc["reason"] == "no eye is of the negative class"


def test_perfect_score_is_not_sold_as_certain():
    table = pool_predictions(prediction_rows([1] * 10 + [0] * 10, [0.9] * 10 + [0.1] * 10))
    metrics = metric_table(table, CONFIG).set_index("metric")
    # Wilson for 10 of 10 is 10 / (10 + 1.96^2) = 0.72, for 20 of 20 it is 0.84.
    bounds = metrics[["low", "high"]]
    assert bounds.loc["sensitivity"].tolist() == pytest.approx([0.7225, 1], abs=1e-4)
    assert bounds.loc["accuracy"].tolist() == pytest.approx([0.8389, 1], abs=1e-4)
    assert metrics.loc["f1", "reason"] == NO_WIDTH
    assert math.isnan(metrics.loc["f1", "low"])
    assert metrics.loc["auroc", "reason"] == PERFECT
    assert metrics.loc["auroc", ["value", "low", "high"]].tolist() == pytest.approx([1, 0.05 ** (1 / 10), 1])
    eyes = pd.concat([table.assign(eye=eye, patient=table["subject"]) for eye in ("OD", "OS")])
    again = metric_table(eyes, CONFIG).set_index("metric")[["low", "high"]]
    # Eyes of a patient that are always alike tell nothing new.
    pd.testing.assert_frame_equal(again.loc[["sensitivity", "accuracy"]], bounds.loc[["sensitivity", "accuracy"]])


def test_the_table_says_what_gave_each_interval(pooled: pd.DataFrame):
    table = metric_table(pooled, CONFIG.model_copy(update={"prevalence": 0.1}))
    of_one = table[(table["model"] == "training_2d")].set_index("metric")["interval"]
    assert set(of_one[["accuracy", "sensitivity", "specificity", "precision", "npv"]]) == {WILSON}
    assert of_one["auroc"] == DELONG
    assert of_one["balanced_accuracy"] == BY_CLASS
    assert set(of_one[["f1", "mcc", "brier", "ppv_at_prevalence", "npv_at_prevalence"]]) == {BOOTSTRAP}
    text = format_metric_table(table)
    assert "; Wilson, by class (balanced_accuracy); " in text
    assert "DeLong (auroc)" in text


def test_both_tables_give_a_patient_with_an_eye_of_each_class_the_same_interval(pooled: pd.DataFrame):
    one = pooled[(pooled["model"] == "training_3d") & (pooled["part"] == "out_of_fold")]
    one = one.assign(patient=[f"p{i // 2}" for i in range(len(one))])
    row = metric_table(one, CONFIG).set_index("metric").loc["balanced_accuracy"]
    found = balanced_estimate(one, judge_rows(one, 0.5), CONFIG)
    assert row["interval"] == found.interval == BOOTSTRAP
    assert row[["low", "high"]].tolist() == [found.low, found.high]


def test_the_interval_of_an_auroc_is_delongs_unless_the_bootstrap_is_asked_for(pooled: pd.DataFrame):
    one = pooled[(pooled["model"] == "training_3d") & (pooled["part"] == "out_of_fold")]
    found = delong(one["target"], one["probability"])
    expected = logit_interval(float(found.value[0]), float(found.covariance[0, 0]))
    row = metric_table(one, CONFIG).set_index("metric").loc["auroc"]
    assert row[["low", "high"]].tolist() == pytest.approx(expected)
    other = (
        metric_table(one, CONFIG.model_copy(update={"auroc_interval": "bootstrap"})).set_index("metric").loc["auroc"]
    )
    interval = bootstrap_intervals(one, 0.5, resamples=200, seed=1).set_index("metric").loc["auroc"]
    assert other[["low", "high"]].tolist() == interval[["low", "high"]].tolist()


def test_one_eye_of_each_class_has_an_auroc_without_an_interval():
    table = metric_table(pool_predictions(prediction_rows([1, 0, 0], [0.4, 0.2, 0.6])), CONFIG)
    row = table.set_index("metric").loc["auroc"]
    assert row["value"] == 0.5
    assert row["reason"] == f"{TOO_FEW}; bootstrap interval"
    row = metric_table(pool_predictions(prediction_rows([1, 0], [0.4, 0.4])), CONFIG).set_index("metric").loc["auroc"]
    assert (row["value"], math.isnan(row["low"]), row["reason"]) == (0.5, True, TOO_FEW)


def test_interval_over_some_resamples_says_so():
    table = pool_predictions(prediction_rows([1, 1, 1, 0, 0], [0.9, 0.2, 0.3, 0.1, 0.1]))
    reason = metric_table(table, CONFIG).set_index("metric")["reason"]["mcc"]
    assert reason.startswith("interval over the 1")
    assert reason.endswith("of 200 resamples that define it")


def test_text_has_a_block_per_part_and_a_column_per_model(pooled: pd.DataFrame):
    table = metric_table(pooled, CONFIG)
    text = format_metric_table(table)
    first, second = text.split("## ")[1:]
    assert first.startswith("Out of fold (threshold 0.5)")
    assert second.startswith("Held out (threshold 0.5)")
    auroc = table[(table["metric"] == "auroc") & (table["part"] == "out_of_fold")].iloc[0]
    cell = f"{auroc['value']:.2f} [{auroc['low']:.2f}, {auroc['high']:.2f}]"
    line = next(line for line in first.splitlines() if line.startswith("| auroc"))
    assert cell in line
    assert len({len(row) for row in first.splitlines() if row.startswith("|")}) == 1
    assert "training_2d" in first
    assert "training_2d" not in second
    assert "30 patients, 30 eyes, 15 positive" in first


def test_text_explains_undefined_cells_below_the_block():
    table = metric_table(pool_predictions(prediction_rows([1, 1, 0], [0.4, 0.2, 0.1])), CONFIG)
    text = format_metric_table(table)
    assert "| n/a *" in text
    assert "- training_3d, precision, mcc: no eye is predicted positive" in text


def test_text_marks_a_metric_that_one_model_lacks(pooled: pd.DataFrame):
    table = metric_table(pooled, CONFIG)
    shorter = table.drop(table[(table["model"] == "training_2d") & (table["metric"] == "f1")].index)
    line = next(line for line in format_metric_table(shorter).splitlines() if line.startswith("| f1"))
    assert line.split("|")[3].strip() == "-"


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.912, 0.8, 0.979), "0.91 [0.80, 0.98]"),
        ((math.nan, math.nan, math.nan), "n/a"),
        ((0.5, math.nan, math.nan), "0.50 [n/a]"),
    ],
)
def test_interval_format(numbers: tuple[float, float, float], text: str):
    assert format_interval(*numbers) == text


@pytest.mark.parametrize(
    ("key", "value"),
    [("threshold", 0), ("threshold", 1), ("resamples", 99), ("level", 1), ("seed", -1), ("tresholt", 0.5)],
)
def test_config_names_the_wrong_key(key: str, value: float):
    with pytest.raises(ValidationError, match=key):
        EvaluationConfig(**{key: value})


def test_config_is_frozen_and_has_the_stated_defaults():
    config = EvaluationConfig()
    assert config.model_dump() == {
        **{"threshold": 0.5, "threshold_rule": "fixed", "target_sensitivity": 0.9, "cost_ratio": 1.0},
        **{"prevalence": None, "resamples": 1000, "level": 0.95, "seed": 0, "auroc_interval": "delong", "margin": 0.05},
    }
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 1

"""Pairs of models on the same eyes, and the words for what was found."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, norm, ttest_1samp

from octa_kedro.datasets.table import TableDataset
from octa_kedro.errors import DataError
from octa_kedro.evaluation.comparisons import (
    BOOTSTRAP,
    BY_FOLD,
    COMPARED,
    MCNEMAR,
    compare_models,
    eyes_needed,
    holm,
    non_inferior,
)
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.delong import delong, difference_test
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.repeated_folds import corrected_test, fold_aurocs
from octa_kedro.evaluation.tables import metric_table
from octa_kedro.evaluation.verdict import pair_verdict, verdict_text

from .builders import gaussian_rows, prediction_rows
from .test_multiclass import rows as rows_of_three

CONFIG = EvaluationConfig(resamples=500)


def cohort(n: int = 120, **shifts: float) -> pd.DataFrame:
    tables = [gaussian_rows(n, shift, seed=k, model=model) for k, (model, shift) in enumerate(shifts.items())]
    # The builder's folds are of one class each.
    return pd.concat([table.assign(fold=1 + np.arange(n) // 2 % 2) for table in tables], ignore_index=True)


def compared(table: pd.DataFrame, config: EvaluationConfig = CONFIG) -> pd.DataFrame:
    return compare_models(pool_predictions(table), table, config)


def row(table: pd.DataFrame, metric: str) -> pd.Series:
    return table[table["metric"] == metric].iloc[0]


def test_every_pair_of_models_has_every_metric():
    table = compared(cohort(a=2.0, b=1.0, c=0.5))
    pairs = {("a", "b"), ("a", "c"), ("b", "c")}
    assert set(zip(table["first"], table["second"], strict=True)) == pairs
    assert table["metric"].value_counts().to_dict() == dict.fromkeys((*COMPARED, BY_FOLD), 3)
    assert table["difference"].to_numpy() == pytest.approx(table["first_value"] - table["second_value"])
    assert (table["low"] <= table["difference"]).all()
    assert (table["difference"] <= table["high"]).all()


def test_the_tests_are_those_of_the_libraries():
    rows = cohort(a=2.0, b=1.0)
    table = compared(rows)
    first, second = (rows[rows["model"] == model].reset_index(drop=True) for model in ("a", "b"))
    expected = delong(first["target"], [first["probability"], second["probability"]]).difference(0, 1)
    assert row(table, "auroc")["p"] == pytest.approx(difference_test(*expected))
    right = [(one["probability"] >= 0.5) == (one["target"] == 1) for one in (first, second)]
    only = [int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())]
    assert row(table, "accuracy")["test"] == MCNEMAR
    assert row(table, "accuracy")["p"] == pytest.approx(binomtest(only[0], sum(only)).pvalue)


def test_the_paired_interval_is_that_of_the_paired_variance():
    rows = cohort(400, a=1.5, b=1.0)
    values = np.stack([rows[rows["model"] == model]["probability"] for model in ("a", "b")])
    values[1] = (values[0] + values[1]) / 2  # two models that mostly agree
    rows.loc[rows["model"] == "b", "probability"] = values[1]
    found = row(compared(rows, EvaluationConfig(resamples=2000)), "auroc")
    _, error = delong(rows[rows["model"] == "a"]["target"], values).difference(0, 1)
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_row_order_does_not_matter():
    rows = cohort(a=2.0, b=1.0)
    pd.testing.assert_frame_equal(
        compared(rows), compared(pd.concat([rows[rows["model"] == "a"], rows[rows["model"] == "b"].iloc[::-1]]))
    )


def test_eyes_of_one_patient_are_drawn_together_and_have_no_mcnemar():
    rows = cohort(a=2.0, b=1.0)
    alone = compared(rows)
    twice = pd.concat([rows.assign(eye=eye, patient=rows["subject"]) for eye in ("OD", "OS")], ignore_index=True)
    found = compared(twice)
    assert row(found, "accuracy")["test"] == BOOTSTRAP
    for name in ("low", "high", "p"):
        assert row(found, "auroc")[name] == pytest.approx(row(alone, "auroc")[name])
    assert row(found, "auroc")[["n_patients", "n_eyes"]].tolist() == [120, 240]


def test_three_classes_are_compared_by_macro_auroc():
    rows = pd.concat([rows_of_three(90, skill=2.0), rows_of_three(90, skill=0.2, model="other")])
    found = row(compared(rows), "auroc")
    assert found["test"] == BOOTSTRAP
    assert found["low"] > 0
    assert found["p"] < 0.05


def test_a_model_and_its_copy_do_not_differ():
    rows = cohort(a=1.0)
    table = compared(pd.concat([rows, rows.assign(model="b")]))
    assert (table["difference"] == 0).all()
    assert table.loc[table["metric"] != BY_FOLD, "p"].tolist() == [1, 1, 1, 1]
    assert (table["reason"] == "both models give the same in every resample").all()
    assert table["eyes_needed"].isna().all()


def test_one_class_gives_nan_with_the_reason():
    rows = pd.concat([prediction_rows([1, 1], [0.2, 0.8], model=model) for model in ("a", "b")])
    found = row(compared(rows), "auroc")
    assert all(math.isnan(found[name]) for name in ("difference", "low", "high", "p", "p_holm"))
    assert found["reason"] == "not defined: a class has no eye"
    assert "cannot be compared: not defined" in verdict_text(compared(rows), metric_table(rows, CONFIG), CONFIG)


def test_one_eye_a_class_has_a_difference_and_no_p():
    scores = {"a": [0.8, 0.2], "b": [0.2, 0.8]}
    rows = pd.concat([prediction_rows([1, 0], pair, model=name) for name, pair in scores.items()])
    found = row(compared(rows), "auroc")
    assert found["difference"] == 1
    assert math.isnan(found["p"])
    sentence = pair_verdict(found.to_dict(), CONFIG)
    assert sentence.startswith("not shown that a exceeds b")
    assert sentence.endswith("these are too few eyes to test it")


def test_few_eyes_without_a_wrong_pair_show_nothing():
    rows = pd.concat([prediction_rows([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1], model=model) for model in ("a", "b")])
    found = row(compared(rows), "auroc")
    assert (found["difference"], found["low"], found["high"], found["p"]) == (0, 0, 0, 1)
    assert found["non_inferior"] == ""
    assert pair_verdict(found.to_dict(), CONFIG).endswith(
        "interval .00 to .00; no number of eyes can be named that would show it"
    )


def test_two_floors_take_nothing_from_the_networks_correction():
    table = compared(cohort(a=1.0, floor_b=0.5, floor_c=0.2))
    aurocs = table[table["metric"] == "auroc"].set_index(["first", "second"])
    assert math.isnan(aurocs.loc[("floor_b", "floor_c"), "p_holm"])
    assert aurocs.loc[("a", "floor_b"), "p_holm"] == pytest.approx(
        max(aurocs.loc[("a", "floor_b"), "p"], min(1, 2 * aurocs["p"].drop(("floor_b", "floor_c")).min()))
    )


def test_a_comparison_comes_back_from_its_file(tmp_path: Path):
    for number, rows in enumerate((cohort(a=1.0, b=0.5), cohort(a=1.0))):
        dataset = TableDataset(filepath=str(tmp_path / f"{number}.csv"))
        table, metrics = compared(rows), metric_table(rows, CONFIG)
        dataset.save(table)
        assert verdict_text(dataset.load(), metrics, CONFIG) == verdict_text(table, metrics, CONFIG)


@pytest.mark.parametrize(("skill", "said"), [(1.0, 0), (0.0, 1)])
def test_one_model_is_compared_with_chance_alone(skill: float, said: int):
    rows = cohort(a=skill)
    table = compared(rows)
    assert table.empty
    text = verdict_text(table, metric_table(rows, CONFIG), CONFIG)
    assert text.count("No network is shown to be better than chance") == said
    assert bool(text) == bool(said)


def test_models_on_other_eyes_are_refused():
    rows = cohort(a=2.0, b=1.0)
    pooled = pool_predictions(rows)
    with pytest.raises(DataError, match="a and b were judged on different eyes"):
        compare_models(pooled.drop(index=pooled.index[-1]), rows, CONFIG)
    with pytest.raises(DataError, match="b has no out-of-fold predictions of fold 2"):
        compare_models(pooled, rows[(rows["model"] != "b") | (rows["fold"] != 2)], CONFIG)


def test_holm_by_hand_leaves_nan_out():
    found = holm(pd.Series([0.01, math.nan, 0.04, 0.03]))
    assert found.tolist() == pytest.approx([0.03, math.nan, 0.06, 0.06], nan_ok=True)


def test_fold_by_fold_is_the_corrected_t():
    differences = np.array([0.1, 0.2, 0.15, 0.05])
    plain = ttest_1samp(differences, 0)
    mean, low, high, p = corrected_test(differences, 0.0)
    assert (mean, p) == pytest.approx((0.125, plain.pvalue))
    assert (low, high) == pytest.approx(plain.confidence_interval())
    # 3 folds in training, 1 in validation: the variance is (1/4 + 1/3) / (1/4) times as large.
    wider = corrected_test(differences, 1 / 3)
    assert wider[2] - wider[1] == pytest.approx((high - low) * math.sqrt((1 / 4 + 1 / 3) * 4))
    assert wider[3] > p
    assert all(math.isnan(value) for value in corrected_test(np.array([0.1, math.nan]), 0.5))


def test_the_ratio_of_eyes_is_that_of_the_folds():
    rows = cohort(40, a=2.0, b=0.5)
    found = row(compared(rows), BY_FOLD)
    aurocs = [fold_aurocs(table, [1, 2]) for _, table in rows.groupby("model", sort=False)]
    assert found[["difference", "low", "high", "p"]].tolist() == pytest.approx(
        list(corrected_test(aurocs[0] - aurocs[1], 1.0))
    )


def test_as_many_eyes_as_are_needed_have_the_power():
    needed = eyes_needed(100, 0.05, 0.04, 0.95)
    error = 0.04 * math.sqrt(100 / needed)
    assert norm.sf(1.96 - 0.05 / error) == pytest.approx(0.8, abs=0.005)
    assert math.isnan(eyes_needed(100, 0.0, 0.04, 0.95))


@pytest.mark.parametrize(
    ("low", "high", "which"),
    [(-0.04, 0.04, "both"), (-0.04, 0.2, "first"), (-0.2, 0.04, "second"), (-0.2, 0.2, "neither"), (math.nan, 0, "")],
)
def test_non_inferiority_is_read_from_the_interval(low: float, high: float, which: str):
    assert non_inferior(low, high, 0.05) == which

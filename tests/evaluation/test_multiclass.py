"""Metrics of three classes, computed by hand and against scikit-learn; tables and figures that hold them."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from octa_kedro.errors import DataError
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.figures.confusion import confusion_figure
from octa_kedro.evaluation.figures.curves import roc_figure
from octa_kedro.evaluation.floor import linear_floor
from octa_kedro.evaluation.intervals import bootstrap_intervals
from octa_kedro.evaluation.metrics import multiclass_counts
from octa_kedro.evaluation.predictions import class_columns, detection, pool_predictions
from octa_kedro.evaluation.scores import PER_CLASS, SHARED, multiclass_metrics
from octa_kedro.evaluation.tables import format_metric_table, metric_table
from tests.evaluation.figures.drawing import render

NAMES = ("NORMAL", "DR", "AMD")
CONFIG = EvaluationConfig(resamples=100)


def rows(n: int = 60, *, seed: int = 0, skill: float = 1.0, model: str = "net") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    target = np.arange(n) % 3
    scores = rng.normal(size=(n, 3))
    scores[np.arange(n), target] += skill
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    table = pd.DataFrame({"model": model, "subject": [f"s{i}" for i in range(n)], "part": "out_of_fold", "fold": 1})
    table = table.assign(disease=np.array(NAMES)[target], target=target, probability=1 - shares[:, 0])
    return table.assign(**{f"probability_{name}": shares[:, k] for k, name in enumerate(NAMES)})


def test_by_hand():
    target = [0, 0, 1, 1, 2]
    shares = [[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1], [0.5, 0.1, 0.4]]
    values = {name: metric.value for name, metric in multiclass_metrics(target, shares, NAMES).items()}
    # Called 0, 1, 1, 1, 0. F1: NORMAL 2/(2+1+1), DR 4/(4+1+0), AMD 0.
    assert values["accuracy"] == pytest.approx(3 / 5)
    assert [values[f"sensitivity_{name}"] for name in NAMES] == [0.5, 1, 0]
    assert values["balanced_accuracy"] == pytest.approx(0.5)
    assert values["macro_f1"] == pytest.approx((0.5 + 0.8 + 0) / 3)
    # NORMAL: .7 over all three, .3 over .2 and .1: 5/6. DR: .5 and .8 against .2, .6, .1: 5/6. AMD: .4 over all.
    assert values["macro_auroc"] == pytest.approx((5 / 6 + 5 / 6 + 1) / 3)
    assert multiclass_counts(target, shares).tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]


def test_as_scikit_learn_says():
    table = rows(90)
    shares = table[class_columns(table)].to_numpy()
    called = shares.argmax(axis=1)
    values = multiclass_metrics(table["target"], shares, NAMES)
    assert values["balanced_accuracy"].value == pytest.approx(balanced_accuracy_score(table["target"], called))
    assert values["macro_f1"].value == pytest.approx(f1_score(table["target"], called, average="macro"))
    expected = roc_auc_score(table["target"], shares, multi_class="ovr", average="macro")
    assert values["macro_auroc"].value == pytest.approx(expected)


def test_a_class_without_eyes_leaves_macro_means_undefined_with_the_reason():
    table = rows(30).query("target < 2")
    values = multiclass_metrics(table["target"], table[class_columns(table)], NAMES)
    assert not math.isnan(values["accuracy"].value)
    for name in ("balanced_accuracy", "macro_f1", "macro_auroc", "macro_auprc", "sensitivity_AMD", "auroc_AMD"):
        assert math.isnan(values[name].value)
        assert values[name].reason == "no eye is of class AMD"
    nothing = multiclass_metrics([], np.empty((0, 3)), NAMES)
    assert {metric.reason for metric in nothing.values()} == {"no eyes"}


def test_chance_is_a_half_and_a_third():
    table = rows(900, skill=0.0)
    values = multiclass_metrics(table["target"], table[class_columns(table)], NAMES)
    assert values["macro_auroc"].value == pytest.approx(0.5, abs=0.05)
    assert values["balanced_accuracy"].value == pytest.approx(1 / 3, abs=0.05)


def test_intervals_surround_the_values_and_are_drawn_by_patient():
    table = rows(90)
    intervals = bootstrap_intervals(table, 0.5, resamples=200, seed=0).set_index("metric")
    values = multiclass_metrics(table["target"], table[class_columns(table)], NAMES)
    assert list(intervals.index) == [*SHARED, *(f"{m}_{name}" for m in PER_CLASS for name in NAMES)] == list(values)
    for name, metric in values.items():
        assert intervals.loc[name, "low"] < metric.value < intervals.loc[name, "high"]
    # The same eye three times over is no more evidence than once.
    thrice = pd.concat([table.assign(subject=table["subject"] + str(i), patient=table["subject"]) for i in range(3)])
    again = bootstrap_intervals(thrice, 0.5, resamples=200, seed=0).set_index("metric")
    pd.testing.assert_frame_equal(again, intervals)


def test_tables_say_what_decides_and_count_patients():
    table = pool_predictions(pd.concat([rows(), rows(seed=1, model="other")]))
    metrics = metric_table(table.assign(patient=[f"p{i // 2}" for i in range(len(table))]), CONFIG)
    assert metrics["threshold"].isna().all()
    assert metrics.iloc[0][["n_patients", "n_eyes", "n_positive"]].tolist() == [30, 60, 40]
    text = format_metric_table(metrics)
    assert text.startswith("## Out of fold (highest probability)")
    assert "| sensitivity_AMD" in text


def test_figures_of_three_classes():
    table = pool_predictions(rows())
    figure = confusion_figure(table, metric_table(table, CONFIG), CONFIG, NAMES)
    render(figure)
    counts = multiclass_counts(table["target"], table[class_columns(table)])
    drawn = [int(text.get_text().split("\n")[0]) for text in figure.axes[0].texts]
    assert drawn == counts.ravel().tolist()
    roc = roc_figure(table, metric_table(table, CONFIG), CONFIG)
    render(roc)
    assert roc.get_suptitle() == "ROC curves of any class but NORMAL"


def test_detection_is_the_first_class_against_all_others():
    two = detection(rows(6))
    assert two["target"].tolist() == [0, 1, 1, 0, 1, 1]
    assert class_columns(two) == []


def test_bad_probabilities_are_named():
    with pytest.raises(DataError, match=r"subject 's0' do not add up to 1"):
        pool_predictions(rows().assign(probability_AMD=0.9, probability_DR=0.9))
    with pytest.raises(DataError, match=r"target 3 of .* is not in 0 \.\. 2"):
        pool_predictions(rows().assign(target=3))
    with pytest.raises(DataError, match="3 probabilities per eye, but classes A, B"):
        multiclass_metrics([0], [[0.2, 0.3, 0.5]], ("A", "B"))
    with pytest.raises(DataError, match=r"the probabilities of eye 2 add up to 0\.9, not to 1"):
        multiclass_metrics([0, 1], [[0.2, 0.3, 0.5], [0.3, 0.3, 0.3]], NAMES)


def test_the_floor_tells_three_classes_and_repeats():
    n = 90
    target = np.arange(n) % 3
    splits = pd.DataFrame(
        {
            "subject": [f"s{i}" for i in range(n)],
            "label": np.array(NAMES)[target],
            "target": target,
            "held_out": np.arange(n) >= 72,
            "fold": np.where(np.arange(n) >= 72, 0, np.arange(n) // 3 % 2 + 1),
            "fold_repeat_2": np.where(np.arange(n) >= 72, 0, np.arange(n) // 6 % 2 + 3),
        }
    )
    rng = np.random.default_rng(0)
    features = {s: rng.normal(size=3) + 4 * np.eye(3)[t] for s, t in zip(splits["subject"], target, strict=True)}
    table = linear_floor(features, splits, "floor")
    pooled = pool_predictions(table, 2)
    assert class_columns(pooled) == [f"probability_{name}" for name in NAMES]
    assert pooled.groupby("part")["folds"].unique().map(list).to_dict() == {"held_out": [4], "out_of_fold": [2]}
    values = multiclass_metrics(pooled["target"], pooled[class_columns(pooled)], NAMES)
    assert values["balanced_accuracy"].value > 0.9

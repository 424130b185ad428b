"""Input that is wrong or too little, on everything that an evaluation tabulates: refused by the name of what is at
fault, NaN with the reason beside it, or shown as the words they are (pages: tests/report/test_hostile_words.py)."""

import io
import math
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from octa_kedro.datasets.table import TableDataset
from octa_kedro.errors import DataError, LeakError
from octa_kedro.evaluation.calibration import calibration_table
from octa_kedro.evaluation.comparisons import compare_models
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.figures.confusion import confusion_figure
from octa_kedro.evaluation.figures.curves import precision_recall_figure, roc_figure
from octa_kedro.evaluation.figures.decision import decision_figure
from octa_kedro.evaluation.figures.forest import forest_figure
from octa_kedro.evaluation.figures.reliability import reliability_figure
from octa_kedro.evaluation.figures.spread import spread_figure
from octa_kedro.evaluation.permutation import label_permutation
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.subgroups import subgroup_table
from octa_kedro.evaluation.tables import metric_table
from octa_kedro.evaluation.variation import variation_table
from octa_kedro.pipelines.evaluation.nodes import pool_models, tabulate_metrics

from .builders import gaussian_rows, held_out_rows, prediction_rows
from .figures.drawing import render

CONFIG = EvaluationConfig(resamples=100)


def subgroups(rows: pd.DataFrame) -> pd.DataFrame:
    pooled = pool_predictions(rows)
    eyes = pooled.drop_duplicates("subject")[["subject", "target", "disease"]].assign(label="x", sex="F")
    return subgroup_table(pooled, eyes, pd.DataFrame({"subject": eyes["subject"]}), CONFIG)


TABLES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "metrics": lambda rows: metric_table(pool_predictions(rows), CONFIG),
    "subgroups": subgroups,
    "comparisons": lambda rows: compare_models(pool_predictions(rows), rows, CONFIG),
    "calibration": lambda rows: calibration_table(pool_predictions(rows), CONFIG),
    "permutation": lambda rows: label_permutation(pool_predictions(rows), permutations=50),
    "variation": lambda rows: variation_table(pool_predictions(rows), rows, {1: 1, 2: 1}, CONFIG),
}
TOO_LITTLE = {
    "one class": ([1, 1, 1, 1], [0.9, 0.2, 0.7, 0.6]),
    "the other class": ([0, 0, 0], [0.9, 0.2, 0.7]),
    "one eye a class": ([1, 0], [0.4, 0.6]),
    "one eye": ([1], [0.4]),
    "equal probabilities": ([1, 0, 1, 0], [0.5] * 4),
    "all right": ([1, 1, 0, 0], [1.0, 0.9, 0.1, 0.0]),
}


NUMBERS = (
    *("value", "low", "high", "difference", "p", "auroc", "null_mean"),
    *("before", "before_low", "before_high", "after", "after_low"),
)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("case", TOO_LITTLE)
def test_what_cannot_be_known_is_nan_with_its_reason(table: str, case: str):
    rows = pd.concat([prediction_rows(*TOO_LITTLE[case], model=model) for model in ("a", "b")], ignore_index=True)
    found = TABLES[table](rows)
    assert len(found)
    numbers = found[[name for name in NUMBERS if name in found]]
    unknown = numbers.isna().any(axis=1)
    assert (found.loc[unknown, "reason"] != "").all(), found[unknown & (found["reason"] == "")].to_string()


def splits() -> pd.DataFrame:
    """Six eyes in two folds, two of them held out."""
    return pd.DataFrame(
        {"subject": [*"abcdhi"], "patient": [*"abcdhi"], "target": [0, 1] * 3, "label": ["well", "ill"] * 3,
         "held_out": [False] * 4 + [True] * 2, "fold": [1, 1, 2, 2, 0, 0]}
    )  # fmt: skip


def network(fold: int, judged: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions of the network of a fold for the eyes `judged`, held-out ones among them, and whom it has seen."""
    part = ["held_out" if subject in "hi" else "out_of_fold" for subject in judged]
    target = ["abcdhi".index(subject) % 2 for subject in judged]
    table = {"subject": [*judged], "part": part, "fold": fold, "target": target, "probability": 0.5}
    learnt = "cd" if fold == 1 else "ab"
    seen = {"fold": fold, "subject": [*learnt], "patient": [*learnt], "used_for": "training"}
    return pd.DataFrame(table), pd.DataFrame(seen)


def pooled_by_node(first: str = "abhi", second: str = "cdhi", *, only_first: bool = False) -> pd.DataFrame:
    inputs: dict[str, pd.DataFrame] = {}
    for fold, judged in ((1, first), (2, second)):
        if fold == 1 or not only_first:
            key = f"training_3d__fold_{fold}"
            inputs[key], inputs[f"seen__{key}"] = network(fold, judged)
    floor = pd.concat([network(1, "abhi")[0], network(2, "cdhi")[0]]).assign(model="floor")
    return pool_models(floor, splits(), **inputs)[0]


@pytest.mark.parametrize(
    ("eyes", "error", "words"),
    [
        ({"only_first": True}, DataError, "training_3d: fold 2 has no"),
        ({"second": "dhi"}, DataError, "training_3d: fold 2 has no out of fold prediction of subject c"),
        ({"second": "cdh"}, DataError, "training_3d: fold 2 has no held-out prediction of subject i"),
        ({"second": "acdhi"}, LeakError, "training_3d: subject a is reported out of fold by fold 2"),
        ({"second": "ccdhi"}, DataError, "model 'training_3d', subject 'c' is predicted more than once"),
    ],
)
def test_predictions_of_other_folds_and_splits_are_refused(eyes: dict, error: type[Exception], words: str):
    assert len(pooled_by_node()) == 12  # two models, six eyes
    with pytest.raises(error, match=words):
        pooled_by_node(**eyes)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.1, 1.1])
def test_a_probability_that_is_none_is_named(bad: float):
    with pytest.raises(DataError, match="subject '1001'"):
        pool_predictions(prediction_rows([0, 1], [0.2, bad]))


def test_probabilities_that_do_not_add_up_are_named():
    rows = prediction_rows([0, 1, 1], [0.2, 0.9, 0.8])
    shares = np.array([[0.8, 0.1, 0.1], [0.1, 0.5, 0.4], [0.2, 0.5, 0.5]])
    rows = rows.assign(**{f"probability_{name}": shares[:, k] for k, name in enumerate("xyz")})
    with pytest.raises(DataError, match=r"the probabilities of .*subject '1002' do not add up to 1"):
        pool_predictions(rows)


def test_an_eye_in_both_parts_and_one_with_two_targets_are_named():
    both = pd.concat([gaussian_rows(4, 1.0), held_out_rows("1002", [0.5])])
    with pytest.raises(LeakError, match="subject '1002'"):
        pool_predictions(both)
    with pytest.raises(DataError, match="subject '1001' has rows with target"):
        pool_predictions(
            pd.concat([prediction_rows([0, 1], [0.1, 0.2]), prediction_rows([0, 0], [0.1, 0.2], model="b")])
        )


@pytest.mark.parametrize("case", ["one class", "one eye a class", "all right"])
def test_figures_of_too_few_eyes_are_drawn(case: str):
    rows = prediction_rows(*TOO_LITTLE[case])
    pooled = pool_predictions(rows)
    metrics = metric_table(pooled, CONFIG)
    render(roc_figure(pooled, metrics, CONFIG))
    render(precision_recall_figure(pooled, metrics, CONFIG))
    render(decision_figure(pooled, metrics, CONFIG))
    render(forest_figure(pooled, metrics, CONFIG))
    render(confusion_figure(pooled, metrics, CONFIG, ("well", "ill")))
    render(reliability_figure(pooled, metrics, calibration_table(pooled, CONFIG), CONFIG))
    render(spread_figure(rows, pooled, metrics, CONFIG))


MARKUP, FORMULA = "<script>alert(1)</script>", "=HYPERLINK(A1)"


def test_a_name_that_is_markup_is_a_word_in_an_svg():
    pooled = pool_predictions(gaussian_rows(20, 1.0, model=MARKUP))
    buffer = io.BytesIO()
    confusion_figure(pooled, metric_table(pooled, CONFIG), CONFIG, (MARKUP, "x")).savefig(buffer, format="svg")
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(buffer.getvalue()).iter()}
    assert "text" in tags or "path" in tags
    assert "script" not in tags


def test_a_name_that_is_a_formula_is_a_word_in_a_table(tmp_path: Path):
    table = metric_table(pool_predictions(gaussian_rows(20, 1.0, model=FORMULA)), CONFIG)
    dataset = TableDataset(filepath=str(tmp_path / "metrics.csv"))
    dataset.save(table)
    lines = (tmp_path / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("'=") for line in lines[1:])
    assert (dataset.load()["model"] == FORMULA).all()


def test_names_that_are_markup_are_words_in_the_text():
    rows = pd.concat([gaussian_rows(20, shift, model=model) for model, shift in ((MARKUP, 1.0), ("b", 0.5))])
    pooled = pool_predictions(rows)
    comparisons, variation = compare_models(pooled, rows, CONFIG), TABLES["variation"](rows)
    _, text = tabulate_metrics(pooled, comparisons, calibration_table(pooled, CONFIG), variation, CONFIG)
    assert "<script" not in text
    assert "&lt;script" in text

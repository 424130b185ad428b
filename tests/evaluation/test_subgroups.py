import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import DataError
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.estimates import auroc_estimate, balanced_estimate, proportion_estimate
from octa_kedro.evaluation.groups import UNKNOWN
from octa_kedro.evaluation.mistakes import error_table
from octa_kedro.evaluation.names import model_titles, readable_model
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.proportions import CLUSTERED, WILSON, wilson_interval
from octa_kedro.evaluation.scores import judge_rows
from octa_kedro.evaluation.subgroups import subgroup_table
from octa_kedro.evaluation.tables import metric_table

from .builders import gaussian_rows, prediction_rows

CONFIG = EvaluationConfig(resamples=100)


def eyes(pooled: pd.DataFrame, **columns: object) -> pd.DataFrame:
    """Splits of these eyes with further columns."""
    return pooled[["subject", "target", "disease"]].assign(label=pooled["disease"], **columns)


def quality(pooled: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"subject": pooled["subject"], "signal_db": np.arange(len(pooled)) * 1.0, "reasons": ""})


@pytest.fixture
def pooled() -> pd.DataFrame:
    return pool_predictions(gaussian_rows(48, 1.5))


def rows_of(table: pd.DataFrame, group: str, metric: str) -> pd.DataFrame:
    return table[(table["group"] == group) & (table["metric"] == metric)].set_index("level")


def test_each_level_is_judged_on_its_own_eyes(pooled: pd.DataFrame):
    sex = np.where(np.arange(48) // 2 % 2, "F", "M")
    table = subgroup_table(pooled, eyes(pooled, sex=sex), quality(pooled), CONFIG)
    found = rows_of(table, "sex", "auroc")
    for level in ("F", "M"):
        own = metric_table(pooled[sex == level], CONFIG).set_index("metric").loc["auroc"]
        assert found.loc[level, ["value", "low", "high"]].tolist() == own[["value", "low", "high"]].tolist()
        assert found.loc[level, ["n_eyes", "n_positive"]].tolist() == [24, 12]
    assert set(found["interval"]) == {"DeLong"}


def test_a_disease_is_judged_beside_all_healthy_eyes(pooled: pd.DataFrame):
    words = np.where(pooled["target"] == 0, "NORMAL", np.where(np.arange(48) % 4 == 1, "DR", "CNV"))
    pooled = pooled.assign(disease=words)
    table = subgroup_table(pooled, eyes(pooled), quality(pooled), CONFIG)
    found = rows_of(table, "disease", "sensitivity")
    assert set(found.index) == {"DR", "CNV"}
    of_dr = pooled[pooled["disease"] == "DR"]
    hits = int((of_dr["probability"] >= 0.5).sum())
    assert found.loc["DR", ["value", "low", "high"]].tolist() == pytest.approx([hits / 12, *wilson_interval(hits, 12)])
    assert found.loc["DR", ["n_eyes", "n_positive"]].tolist() == [36, 12]
    both = rows_of(table, "disease", "specificity")["value"]
    assert both["DR"] == both["CNV"] == rows_of(table, "all eyes", "specificity")["value"].iloc[0]


def test_what_is_not_known_is_a_level_and_a_missing_column_has_no_value(pooled: pd.DataFrame):
    sex = ["F", None, "", "M"] * 12
    table = subgroup_table(pooled, eyes(pooled, sex=sex), quality(pooled), CONFIG)
    assert rows_of(table, "sex", "auroc")["n_eyes"].to_dict() == {"F": 12, "M": 12, UNKNOWN: 24}
    (age,) = rows_of(table, "age", "auroc").to_dict("records")
    assert np.isnan(age["value"])
    assert age["reason"] == "the cohort has no column age"


def test_ages_are_in_bands_in_their_order_and_quality_is_halved(pooled: pd.DataFrame):
    table = subgroup_table(pooled, eyes(pooled, age=[39, 40, 59, 60] * 12), quality(pooled), CONFIG)
    assert rows_of(table, "age", "auroc")["n_eyes"].to_dict() == {"under 40": 12, "40 to 59": 24, "60 and over": 12}
    halves = rows_of(table, "quality: signal", "auroc")["n_eyes"]
    assert halves.to_dict() == {"at or above the median (23.5)": 24, "below the median (23.5)": 24}


def test_a_value_of_few_patients_never_stands_without_its_note(pooled: pd.DataFrame):
    table = subgroup_table(pooled, eyes(pooled, laterality=["OD"] * 40 + ["OS"] * 8), quality(pooled), CONFIG)
    found = rows_of(table, "side", "sensitivity")
    assert found["small"].to_dict() == {"left (OS)": True, "right (OD)": False}
    assert "rests on 4 patients of a class, fewer than 10" in found.loc["left (OS)", "reason"]
    values = table[table["value"].notna()]
    assert (values["small"] == values["reason"].str.contains("fewer than 10")).all()


def test_a_predicted_eye_that_the_splits_do_not_have_is_refused(pooled: pd.DataFrame):
    with pytest.raises(DataError, match="subject 1000 is predicted but not in the splits"):
        subgroup_table(pooled, eyes(pooled.iloc[1:]), quality(pooled), CONFIG)


def test_the_interval_of_a_perfect_value_keeps_its_width():
    rows = prediction_rows([1, 1, 1, 0, 0], [0.9, 0.8, 0.7, 0.2, 0.1])
    judged = judge_rows(rows, 0.5)
    sensitivity = proportion_estimate("sensitivity", rows, judged, CONFIG)
    assert (sensitivity.low, sensitivity.high) == wilson_interval(3, 3)
    balanced = balanced_estimate(rows, judged, CONFIG)
    below = np.hypot(1 - wilson_interval(3, 3)[0], 1 - wilson_interval(2, 2)[0]) / 2
    assert (balanced.value, balanced.low, balanced.high) == pytest.approx((1, 1 - below, 1))
    assert auroc_estimate(rows, CONFIG).interval == "one-sided exact bound"


def test_two_eyes_of_a_patient_are_no_two_trials():
    rows = prediction_rows([1, 1, 1, 1, 0, 0], [0.9, 0.8, 0.3, 0.2, 0.2, 0.1]).assign(patient=[*"aabbcd"])
    judged = judge_rows(rows, 0.5)
    found = proportion_estimate("sensitivity", rows, judged, CONFIG)
    assert (found.low, found.high) == pytest.approx(wilson_interval(1, 2))
    assert found.interval == CLUSTERED
    assert proportion_estimate("specificity", rows, judged, CONFIG).interval == WILSON


def test_more_classes_have_sensitivities_of_each():
    table = pool_predictions(gaussian_rows(48, 1.5))
    p = table["probability"]
    table = table.assign(
        target=np.arange(48) % 3, probability_A=1 - p, probability_B=p / 2, probability_C=p / 2,
        disease=np.array([*"ABC"])[np.arange(48) % 3],
    )  # fmt: skip
    found = subgroup_table(table, eyes(table), quality(table), CONFIG)
    metrics = set(found.loc[found["group"] == "all eyes", "metric"])
    assert metrics >= {"auroc", "sensitivity_A", "specificity_C", "balanced_accuracy"}
    assert np.isnan(found["threshold"]).all()


def test_errors_are_ranked_by_the_probability_of_what_is_wrong():
    rows = prediction_rows([1, 1, 0, 0, 1], [0.4, 0.1, 0.8, 0.2, 0.9])
    floor = prediction_rows([1, 1, 0, 0, 1], [0.1] * 5, model="floor_majority")
    pooled = pool_predictions(pd.concat([floor, rows]))
    splits = eyes(pooled.drop_duplicates("subject"), sex="F")
    table = error_table(pooled, splits, quality(splits), CONFIG)
    assert table["subject"].tolist() == ["1001", "1002", "1000"]
    assert table["wrong_probability"].tolist() == pytest.approx([0.9, 0.8, 0.6])
    assert table["rank"].tolist() == [1, 2, 3]
    assert table.loc[1, ["label", "called", "sex", "signal_db"]].tolist() == ["NORMAL", "DR", "F", 2.0]
    assert set(table["model"]) == {"training_3d"}


def test_floors_alone_have_no_errors_to_show():
    pooled = pool_predictions(prediction_rows([1, 0], [0.4, 0.1], model="floor_majority"))
    with pytest.raises(DataError, match="no network, only floors"):
        error_table(pooled, eyes(pooled), quality(pooled), CONFIG)


def test_models_have_readable_names():
    names = ("training_3d", "training_2d_two_slabs", "floor_depth_profile", "mine")
    assert [readable_model(name) for name in names] == [
        "3D network", "2D network (two slabs)", "depth profile (floor)", "mine",
    ]  # fmt: skip
    table = pd.DataFrame({"model": ["training_3d", "floor_majority"], "network": ["vgg16", ""]})
    assert model_titles(table) == {"training_3d": "3D network (vgg16)", "floor_majority": "majority (floor)"}

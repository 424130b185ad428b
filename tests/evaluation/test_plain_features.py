"""Floors on tables with gaps and words, and the features of all floors."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from octa_kedro.biomarkers.definitions import COLUMNS
from octa_kedro.errors import DataError
from octa_kedro.evaluation.floor import majority_floor, table_floor
from octa_kedro.evaluation.plain_features import all_floors, confounders, enface_histogram
from octa_kedro.evaluation.predictions import pool_predictions

N = 60


@pytest.fixture
def splits() -> pd.DataFrame:
    held_out = np.arange(N) >= 48
    return pd.DataFrame(
        {
            "subject": [f"s{i}" for i in range(N)],
            "label": np.where(np.arange(N) % 3 == 0, "DR", "NORMAL"),
            "target": (np.arange(N) % 3 == 0).astype(int),
            "held_out": held_out,
            "fold": np.where(held_out, 0, np.arange(N) // 3 % 3 + 1),
        }
    )


def auroc(table: pd.DataFrame) -> float:
    rows = table[table["part"] == "out_of_fold"]
    return float(roc_auc_score(rows["target"], rows["probability"]))


def test_a_gap_alone_may_tell_the_class(splits: pd.DataFrame):
    noise = np.random.default_rng(0).normal(size=N)
    gaps = pd.DataFrame({"a": np.where(splits["target"] == 1, np.nan, noise)}, index=splits["subject"])
    assert auroc(table_floor(gaps, splits, "floor")) == 1.0
    assert auroc(table_floor(gaps.fillna(0.0).assign(a=noise), splits, "floor")) < 0.8


def test_gaps_are_filled_from_training_eyes_alone(splits: pd.DataFrame):
    features = pd.DataFrame({"a": np.random.default_rng(1).normal(size=N)}, index=splits["subject"])
    features.iloc[5] = np.nan  # s5 is validated in fold 2
    changed = features.copy()
    changed.iloc[50] = 1e6  # held out
    first, second = (table_floor(table, splits, "floor") for table in (features, changed))
    others = first["subject"] != "s50"
    pd.testing.assert_frame_equal(first[others], second[others])


def test_words_are_columns_and_unknown_ones_do_no_harm(splits: pd.DataFrame):
    words = pd.DataFrame({"sex": np.where(splits["target"] == 1, "F", "M")}, index=splits["subject"], dtype=object)
    words.loc["s59"] = "unheard of"
    words.loc["s58"] = None
    table = table_floor(words, splits, "floor")
    assert auroc(table) == 1.0
    assert table["probability"].notna().all()


def test_a_column_without_any_value_and_a_missing_eye_are_gaps(splits: pd.DataFrame):
    features = pd.DataFrame({"empty": np.nan, "a": splits["target"].to_numpy(float)}, index=splits["subject"])
    assert auroc(table_floor(features.iloc[1:], splits, "floor")) > 0.9


def test_infinite_and_doubled_features_are_refused(splits: pd.DataFrame):
    features = pd.DataFrame({"a": np.where(np.arange(N) == 3, np.inf, 1.0)}, index=splits["subject"])
    with pytest.raises(DataError, match="the feature a of 'floor' is infinite"):
        table_floor(features, splits, "floor")
    with pytest.raises(DataError, match="subject 's0' has two rows of features"):
        table_floor(pd.concat([features, features]), splits, "floor")


def test_the_majority_has_the_share_of_each_class_and_an_auroc_of_one_half(splits: pd.DataFrame):
    table = majority_floor(splits)
    assert set(table["probability"]) == {16 / 48}
    assert auroc(table) == 0.5


def test_the_majority_of_three_classes_adds_up_to_one(splits: pd.DataFrame):
    three = splits.assign(target=np.arange(N) % 3, label=np.array(["A", "B", "C"])[np.arange(N) % 3])
    three["fold"] = np.where(three["held_out"], 0, np.arange(N) // 3 % 3 + 1)
    table = majority_floor(three)
    assert table[["probability_A", "probability_B", "probability_C"]].sum(axis=1).to_numpy() == pytest.approx(1)


def test_a_histogram_does_not_know_where_pixels_lie():
    maps = np.random.default_rng(0).random((8, 9, 2))
    shuffled = np.random.default_rng(1).permutation(maps.reshape(-1, 2)).reshape(maps.shape)
    np.testing.assert_allclose(enface_histogram(maps), enface_histogram(shuffled))
    assert enface_histogram(maps).shape == (42,)
    assert enface_histogram(maps)[[0, 20]] == pytest.approx([maps[..., 0].min(), maps[..., 0].max()])


def test_confounders_are_what_the_two_tables_have(splits: pd.DataFrame):
    quality = pd.DataFrame({"subject": splits["subject"], "signal_db": np.arange(N), "reasons": ""}).iloc[1:]
    found = confounders(splits.assign(age=["50", "x", *["60"] * (N - 2)], sex="F", scanner="A"), quality)
    assert found.columns.tolist() == ["age", "signal_db", "sex"]
    assert np.isnan([found.loc["s1", "age"], found.loc["s0", "signal_db"]]).all()
    assert found.loc["s5", "signal_db"] == 5


def stored(array: np.ndarray) -> object:
    return lambda: SimpleNamespace(array=array)


def test_all_floors_are_pooled_as_models_and_those_without_features_are_left_out(splits: pd.DataFrame, caplog):
    caplog.set_level("INFO")
    rng = np.random.default_rng(0)
    images = {name: stored(rng.random((3, 3, 5))) for name in splits["subject"]}
    maps = {name: stored(rng.random((4, 4, 2))) for name in splits["subject"]}
    table = pd.DataFrame({"subject": splits["subject"], **dict.fromkeys(COLUMNS, 0.5)})
    quality = pd.DataFrame({"subject": splits["subject"], "signal_db": 1.0})
    pooled = pool_predictions(all_floors(images, maps, table, quality, splits))
    named = {"depth_profile", "biomarkers", "enface_histogram", "confounders", "majority"}
    assert set(pooled["model"]) == {f"floor_{name}" for name in named}
    assert pooled.groupby("model").size().eq(N).all()
    few = all_floors(images, {}, table.iloc[:0], quality.iloc[:0], splits)
    assert set(few["model"]) == {"floor_depth_profile", "floor_confounders", "floor_majority"}
    assert "no retina was looked for" in caplog.text
    assert "no maps were made" in caplog.text

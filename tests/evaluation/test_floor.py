import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import DataError
from octa_kedro.evaluation.floor import depth_profile_floor, linear_floor
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.scores import binary_metrics

N = 100


@pytest.fixture
def splits() -> pd.DataFrame:
    """100 subjects: 20 held out, 76 in folds 1 to 4, 4 always in training; targets in turn."""
    index = np.arange(N)
    held_out = index >= 80
    fold = np.where(held_out | (index < 4), 0, 1 + (index // 2) % 4)
    return pd.DataFrame(
        {
            "subject": [str(1000 + i) for i in index],
            "disease": np.where(index % 2, "DR", "NORMAL"),
            "target": index % 2,
            "held_out": held_out,
            "fold": fold,
        }
    )


def profiles(splits: pd.DataFrame, shift: float, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Depth profiles of 16 samples; `shift` raises the lower half in positive eyes."""
    rng = np.random.default_rng(seed)
    lift = np.r_[np.zeros(8), np.full(8, shift)]
    return {
        subject: rng.normal(size=16) + target * lift
        for subject, target in zip(splits["subject"], splits["target"], strict=True)
    }


def auroc(table: pd.DataFrame, part: str) -> float:
    rows = pool_predictions(table).query("part == @part")
    return binary_metrics(rows["target"], rows["probability"], 0.5)["auroc"].value


def test_separable_profiles_are_separated_in_both_parts(splits: pd.DataFrame):
    table = depth_profile_floor(profiles(splits, 4.0), splits)
    assert auroc(table, "out_of_fold") == 1
    assert auroc(table, "held_out") == 1


def test_random_profiles_score_at_chance(splits: pd.DataFrame):
    table = pd.concat(
        depth_profile_floor(profiles(splits, 0.0, seed=seed), splits).assign(model=f"seed_{seed}") for seed in range(10)
    )
    scores = [auroc(rows, "out_of_fold") for _, rows in table.groupby("model")]
    # One score has a standard error of about 0.07; a fit on the validated subjects would give above 0.7.
    assert np.mean(scores) == pytest.approx(0.5, abs=0.08)


def test_table_has_the_rows_of_a_predictions_table(splits: pd.DataFrame):
    table = depth_profile_floor(profiles(splits, 1.0), splits)
    assert set(table.columns) == {"model", "subject", "part", "fold", "disease", "target", "probability"}
    assert set(table["model"]) == {"floor_depth_profile"}
    out_of_fold, held_out = (table[table["part"] == part] for part in ("out_of_fold", "held_out"))
    merged = out_of_fold.merge(splits, on="subject", suffixes=("", "_split"))
    assert len(out_of_fold) == 76
    assert (merged["fold"] == merged["fold_split"]).all()
    assert (merged["target"] == merged["target_split"]).all()
    assert held_out.groupby("subject").size().eq(4).all()
    assert held_out["subject"].nunique() == 20


def test_a_fold_never_sees_its_subjects_nor_the_held_out_ones(splits: pd.DataFrame):
    features = profiles(splits, 1.0)
    before = linear_floor(features, splits, "floor")
    flipped = splits.assign(
        target=np.where(splits["held_out"] | (splits["fold"] == 2), 1 - splits["target"], splits["target"])
    )
    after = linear_floor(features, flipped, "floor")
    same = (before["fold"] == 2).to_numpy()
    np.testing.assert_array_equal(before.loc[same, "probability"], after.loc[same, "probability"])
    assert not np.allclose(before.loc[~same, "probability"], after.loc[~same, "probability"])


def test_scaler_ignores_the_subjects_it_is_judged_on(splits: pd.DataFrame):
    features = profiles(splits, 1.0)
    table = linear_floor(features, splits, "floor")
    outlier = {**features, "1099": np.full(16, 1e6)}
    changed = linear_floor(outlier, splits, "floor")
    others = (table["subject"] != "1099").to_numpy()
    np.testing.assert_array_equal(table.loc[others, "probability"], changed.loc[others, "probability"])


def test_always_training_subjects_are_used_and_never_predicted(splits: pd.DataFrame):
    features = profiles(splits, 1.0)
    table = linear_floor(features, splits, "floor")
    assert not set(table["subject"]) & {"1000", "1001", "1002", "1003"}
    without = linear_floor(features, splits.iloc[4:], "floor")
    assert not np.allclose(table["probability"], without["probability"])


def test_balanced_classes_put_a_lone_feature_at_half(splits: pd.DataFrame):
    # A constant feature leaves the intercept alone, which balanced weights hold at probability 0.5.
    few = splits.assign(target=(np.arange(N) % 4 == 0).astype(int))
    table = linear_floor(dict.fromkeys(splits["subject"], np.ones(1)), few, "floor")
    np.testing.assert_allclose(table["probability"], 0.5, atol=1e-3)


def test_subjects_read_as_numbers_find_their_features(splits: pd.DataFrame):
    numbered = splits.assign(subject=splits["subject"].astype(int))
    table = linear_floor(profiles(splits, 1.0), numbered, "floor")
    assert set(table["subject"].map(type)) == {str}


def test_splits_without_held_out_subjects_give_one_part(splits: pd.DataFrame):
    table = linear_floor(profiles(splits, 1.0), splits[~splits["held_out"]], "floor")
    assert set(table["part"]) == {"out_of_fold"}


def test_bad_features_are_named(splits: pd.DataFrame):
    features = profiles(splits, 1.0)
    lacking = {subject: vector for subject, vector in features.items() if subject != "1005"}
    with pytest.raises(DataError, match="subject '1005' of the splits table has no features"):
        linear_floor(lacking, splits, "floor")
    with pytest.raises(DataError, match="subject '1006' have shape"):
        linear_floor({**features, "1006": np.ones(3)}, splits, "floor")
    with pytest.raises(DataError, match="subject '1000' have shape"):
        linear_floor({**features, "1000": np.ones((4, 4))}, splits, "floor")
    with pytest.raises(DataError, match="subject '1007' are not finite"):
        linear_floor({**features, "1007": np.full(16, np.nan)}, splits, "floor")


def test_bad_splits_are_refused(splits: pd.DataFrame):
    features = profiles(splits, 1.0)
    with pytest.raises(DataError, match="subject '1000' is listed more than once"):
        linear_floor(features, pd.concat([splits, splits.head(1)]), "floor")
    with pytest.raises(DataError, match="not boolean"):
        linear_floor(features, splits.assign(held_out="False"), "floor")
    with pytest.raises(DataError, match="fold of 1 or more"):
        linear_floor(features, splits.assign(fold=0), "floor")
    with pytest.raises(DataError, match="not 0 or 1"):
        linear_floor(features, splits.assign(target=2), "floor")
    with pytest.raises(DataError, match="training subjects of fold 1 lack a class"):
        linear_floor(features, splits.assign(target=1), "floor")

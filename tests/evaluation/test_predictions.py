import pandas as pd
import pytest

from octa_kedro.errors import DataError, LeakError
from octa_kedro.evaluation.predictions import mean_over_seeds, pool_predictions, require_same_eyes

from .builders import held_out_rows, prediction_rows


def test_out_of_fold_rows_are_kept_as_they_are():
    table = prediction_rows([0, 1, 1], [0.1, 0.8, 0.4])
    pooled = pool_predictions(table)
    pd.testing.assert_frame_equal(pooled[table.columns], table)
    assert pooled["folds"].tolist() == pooled["networks"].tolist() == [1, 1, 1]
    assert pooled["seed"].tolist() == [1, 1, 1]
    assert pooled["spread"].isna().all()


def test_held_out_rows_are_averaged_over_folds():
    table = pd.concat([held_out_rows("7", [0.2, 0.4, 0.9]), held_out_rows("8", [0.0, 0.1, 0.2], target=0)])
    pooled = pool_predictions(table).set_index("subject")
    assert pooled["probability"].to_dict() == pytest.approx({"7": 0.5, "8": 0.1})
    assert pooled["folds"].tolist() == [3, 3]
    assert pooled["spread"].to_dict() == pytest.approx({"7": 0.13**0.5, "8": 0.1})  # of 3 values, divided by 2
    assert pooled["fold"].tolist() == [0, 0]
    assert pooled["target"].to_dict() == {"7": 1, "8": 0}
    assert pooled["disease"].tolist() == ["DR", "DR"]


def test_models_are_averaged_apart():
    first = held_out_rows("7", [0.2, 0.4])
    second = held_out_rows("7", [0.8, 1.0]).assign(model="training_2d")
    pooled = pool_predictions(pd.concat([first, second])).set_index("model")
    assert pooled["probability"].to_dict() == pytest.approx({"training_3d": 0.3, "training_2d": 0.9})


def test_two_eyes_of_one_subject_stay_two_rows():
    table = pd.concat([held_out_rows("7", [0.2, 0.4]).assign(eye=eye) for eye in ("OD", "OS")])
    pooled = pool_predictions(table)
    assert pooled["eye"].tolist() == ["OD", "OS"]


def test_missing_eye_names_do_not_lose_rows():
    table = pd.concat([held_out_rows("7", [0.2, 0.4]), held_out_rows("8", [0.2, 0.4]).assign(eye="OD")])
    assert sorted(pool_predictions(table)["subject"]) == ["7", "8"]


def test_input_is_left_unchanged():
    table = pd.concat([held_out_rows("7", [0.2, 0.4]).assign(eye=None), prediction_rows([0, 1], [0.1, 0.8])])
    before = table.copy(deep=True)
    pool_predictions(table)
    pd.testing.assert_frame_equal(table, before)


def test_eye_predicted_twice_out_of_fold_is_named():
    table = prediction_rows([0, 1], [0.1, 0.8])
    again = table.tail(1).assign(fold=9)
    with pytest.raises(DataError, match=r"model 'training_3d', subject '1001'.* out of fold"):
        pool_predictions(pd.concat([table, again]))


def test_held_out_eye_predicted_twice_by_one_fold_is_named():
    table = held_out_rows("7", [0.2, 0.4]).assign(fold=1)
    with pytest.raises(DataError, match=r"subject '7'.* held-out"):
        pool_predictions(table)


def test_held_out_eye_that_a_fold_left_out_is_named():
    table = pd.concat([held_out_rows("7", [0.2, 0.4, 0.5]), held_out_rows("8", [0.2, 0.4])])
    with pytest.raises(DataError, match=r"subject '8' is predicted by 2 folds .* 3"):
        pool_predictions(table)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -0.01, 1.01])
def test_bad_probability_is_named(bad: float):
    table = prediction_rows([0, 1], [0.1, bad], model="training_2d")
    with pytest.raises(DataError, match=r"model 'training_2d', subject '1001' is not in \[0, 1\]"):
        pool_predictions(table)


def test_subject_in_both_parts_is_a_leak():
    table = pd.concat([prediction_rows([0], [0.1]), held_out_rows("1000", [0.3], target=0)])
    with pytest.raises(LeakError, match="subject '1000'"):
        pool_predictions(table)


def test_models_that_disagree_on_a_target_are_refused():
    table = pd.concat([prediction_rows([0], [0.1]), prediction_rows([1], [0.1], model="training_2d")])
    with pytest.raises(DataError, match="subject '1000' has rows with target 0 and rows with target 1"):
        pool_predictions(table)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"part": "test"}, "unknown part"), ({"target": 2}, "target 2 of model 'training_3d', subject '1000'")],
)
def test_values_out_of_format_are_refused(change: dict[str, object], message: str):
    with pytest.raises(DataError, match=message):
        pool_predictions(prediction_rows([0], [0.1]).assign(**change))


def test_missing_column_and_empty_table_are_refused():
    table = prediction_rows([0], [0.1])
    with pytest.raises(DataError, match="lacks the columns \\['fold'\\]"):
        pool_predictions(table.drop(columns="fold"))
    with pytest.raises(DataError, match="no rows"):
        pool_predictions(table.head(0))


def test_models_judged_on_different_eyes_are_named():
    rows = {"part": "held_out", "fold": 1, "target": 0, "probability": 0.5}
    one = pd.DataFrame([{"model": "a", "subject": "s1"} | rows, {"model": "b", "subject": "s1"} | rows])
    require_same_eyes(one)
    other = pd.DataFrame([{"model": "a", "subject": "s1"} | rows, {"model": "b", "subject": "s2"} | rows])
    with pytest.raises(DataError, match=r"a and b were judged on different eyes \(first s1, held_out\)"):
        require_same_eyes(other)


def seeded_rows() -> pd.DataFrame:
    """Two development eyes in two folds and a held-out eye, by two seeds of each fold."""
    out_of_fold = [prediction_rows([0, 1], [0.1 + s / 10, 0.5 + s / 10]).assign(seed=s) for s in (1, 2)]
    held_out = [held_out_rows("7", [0.2, 0.6 + s / 10]).assign(seed=s) for s in (1, 2)]
    return pd.concat([*out_of_fold, *held_out], ignore_index=True)


def test_seeds_are_averaged_with_their_spread():
    pooled = pool_predictions(seeded_rows(), 1, {"training_3d": 2}).set_index("subject")
    assert pooled["probability"].to_dict() == pytest.approx(
        {"1000": 0.25, "1001": 0.65, "7": (0.2 + 0.7 + 0.2 + 0.8) / 4}
    )
    assert pooled["networks"].to_dict() == {"1000": 2, "1001": 2, "7": 4}
    assert pooled["folds"].to_dict() == {"1000": 1, "1001": 1, "7": 2}
    assert pooled[["fold", "seed"]].to_numpy().tolist() == [[1, 0], [2, 0], [0, 0]]
    assert pooled.loc["1000", "spread"] == pytest.approx(0.1 / 2**0.5)


def test_a_model_that_is_fitted_once_stands_beside_one_with_seeds():
    floor = prediction_rows([0, 1], [0.3, 0.7], model="floor_depth_profile")
    pooled = pool_predictions(pd.concat([seeded_rows().query("part == 'out_of_fold'"), floor]), 1, {"training_3d": 2})
    assert pooled.groupby("model")["networks"].first().to_dict() == {"floor_depth_profile": 1, "training_3d": 2}
    pd.testing.assert_series_equal(
        pooled.query("model != 'training_3d'")["probability"], floor["probability"], check_index=False
    )


@pytest.mark.parametrize(("subject", "fold"), [("1001", 2), ("7", 1)])
def test_a_missing_seed_is_named(subject: str, fold: int):
    table = seeded_rows()
    short = table[(table["subject"] != subject) | (table["fold"] != fold) | (table["seed"] == 1)]
    with pytest.raises(DataError, match=rf"subject '{subject}' has no prediction of fold {fold}, seed 2; .*structure"):
        pool_predictions(short, 1, {"training_3d": 2})


def test_a_seed_twice_and_one_too_many_are_named():
    table = seeded_rows()
    with pytest.raises(DataError, match=r"subject '1000' is predicted more than once out of fold \(fold 1, seed 2\)"):
        pool_predictions(pd.concat([table, table.query("seed == 2 and subject == '1000'")]), 1, {"training_3d": 2})
    with pytest.raises(DataError, match="subject '1000' has a prediction of seed 2, but there is none"):
        pool_predictions(table)


def test_the_mean_over_seeds_leaves_folds_apart():
    table = mean_over_seeds(seeded_rows())
    assert table.columns.tolist() == seeded_rows().columns.tolist()
    assert table.query("subject == '7'")["probability"].tolist() == pytest.approx([0.2, 0.75])
    assert table.query("subject == '7'")["fold"].tolist() == [1, 2]

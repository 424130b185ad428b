"""The leak guard of evaluation: leaks planted in predictions and in what networks have seen."""

import pandas as pd
import pytest

from octa_kedro.cohort.splits import REPEAT_MARK
from octa_kedro.errors import DataError, LeakError
from octa_kedro.evaluation.agreement import count_repeats, require_agreement, require_unseen
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.pipelines.evaluation.nodes import pool_models


@pytest.fixture
def splits() -> pd.DataFrame:
    """Four subjects in two folds, one always in training, two held out."""
    return pd.DataFrame(
        {
            "subject": ["a", "b", "c", "d", "t", "h", "i"],
            "disease": "DR",
            "target": [0, 1, 0, 1, 0, 0, 1],
            "held_out": [False] * 5 + [True] * 2,
            "fold": [1, 1, 2, 2, 0, 0, 0],
        }
    )


def predicted(splits: pd.DataFrame, column: str = "fold") -> pd.DataFrame:
    """What an honest model predicts, one fold after the other."""
    tables = []
    for fold in sorted(set(splits.loc[~splits["held_out"], column]) - {0}):
        for part, rows in (("out_of_fold", splits[splits[column] == fold]), ("held_out", splits[splits["held_out"]])):
            kept = rows[["subject", "disease", "target"]]
            tables.append(kept.assign(model="net", part=part, fold=fold, probability=0.1 * fold))
    return pd.concat(tables, ignore_index=True)


def seen_by(splits: pd.DataFrame) -> pd.DataFrame:
    """What an honest model's networks have seen."""
    rows = []
    for fold in (1, 2):
        for row in splits[~splits["held_out"]].to_dict("records"):
            used = "validation" if row["fold"] == fold else "training"
            patient = row.get("patient", row["subject"])
            rows.append({"model": "net", "fold": fold, "subject": row["subject"], "patient": patient, "used_for": used})
    return pd.DataFrame(rows)


def move(table: pd.DataFrame, who: str, **values) -> pd.DataFrame:
    """The table with other values for one subject's rows."""
    return table.assign(**{name: table[name].mask(table["subject"] == who, value) for name, value in values.items()})


def test_honest_predictions_pass(splits: pd.DataFrame):
    require_agreement(predicted(splits), splits)
    require_unseen(predicted(splits), seen_by(splits), splits)


@pytest.mark.parametrize(
    ("subject", "values", "words"),
    [
        (
            "a",
            {"fold": 2},
            r"net: subject a is reported out of fold by fold 2, .* not say that it is a validation subject",
        ),
        ("a", {"part": "held_out"}, r"net: subject a is reported held-out by fold 1"),
        ("h", {"part": "out_of_fold"}, r"net: subject h is reported out of fold by fold 1"),
        ("a", {"subject": "t"}, r"net: subject t is reported out of fold by fold 1"),
    ],
)
def test_a_row_that_the_splits_do_not_ask_for_is_a_leak(splits: pd.DataFrame, subject: str, values: dict, words: str):
    with pytest.raises(LeakError, match=words):
        require_agreement(move(predicted(splits), subject, **values), splits)


def test_missing_unknown_and_altered_eyes_are_named(splits: pd.DataFrame):
    table = predicted(splits)
    with pytest.raises(DataError, match="net: fold 2 has no out of fold prediction of subject d"):
        require_agreement(table[table["subject"] != "d"], splits)
    with pytest.raises(DataError, match="net: fold 2 has no held-out prediction of subject h"):
        require_agreement(table[(table["subject"] != "h") | (table["fold"] == 1)], splits)
    with pytest.raises(DataError, match="net: subject z is predicted but not in the splits"):
        require_agreement(move(table, "a", subject="z"), splits)
    with pytest.raises(DataError, match="net: subject a has another target"):
        require_agreement(move(table, "a", target=1), splits)


def planted(splits: pd.DataFrame, subject: str, used_for: str) -> pd.DataFrame:
    extra = {"model": "net", "fold": 1, "subject": subject, "patient": subject, "used_for": used_for}
    return pd.concat([seen_by(splits), pd.DataFrame([extra])], ignore_index=True)


@pytest.mark.parametrize(
    ("subject", "used_for"), [("a", "training"), ("a", "pretraining"), ("h", "training"), ("h", "pretraining")]
)
def test_a_network_that_has_learnt_from_whom_it_is_judged_on(splits: pd.DataFrame, subject: str, used_for: str):
    with pytest.raises(LeakError, match=rf"net, fold 1: 1 subject \({subject}\) were seen by the network"):
        require_unseen(predicted(splits), planted(splits, subject, used_for), splits)


def test_a_held_out_eye_that_chose_the_epoch(splits: pd.DataFrame):
    with pytest.raises(LeakError, match=r"net, fold 1, held out: 1 subject \(i\) .* the choice of its epoch"):
        require_unseen(predicted(splits), planted(splits, "i", "validation"), splits)


def test_the_other_eye_of_a_patient_counts(splits: pd.DataFrame):
    paired = splits.assign(patient=["p", "b", "p", "d", "t", "h", "i"])
    with pytest.raises(LeakError, match=r"net, fold 1: 1 subject \(a\) or the other eye of their patient \(p\)"):
        require_unseen(predicted(paired), seen_by(paired), paired)


def test_splits_that_part_the_eyes_of_a_patient_are_refused(splits: pd.DataFrame):
    torn = splits.assign(patient=["p", "b", "p", "d", "t", "h", "i"])
    with pytest.raises(LeakError, match="patient p: its eyes differ in fold of the splits"):
        require_agreement(predicted(splits), torn)
    with pytest.raises(LeakError, match="patient p: its eyes differ in held_out of the splits"):
        require_agreement(predicted(splits), splits.assign(patient=["a", "b", "c", "d", "p", "p", "i"]))


def test_a_network_of_which_nothing_is_known_is_refused(splits: pd.DataFrame):
    seen = seen_by(splits)
    with pytest.raises(DataError, match="net, fold 2: what its network has seen is not known"):
        require_unseen(predicted(splits), seen[seen["fold"] == 1], splits)


@pytest.fixture
def repeated(splits: pd.DataFrame) -> pd.DataFrame:
    return splits.assign(**{f"{REPEAT_MARK}2": [3, 4, 3, 4, 0, 0, 0]})


def test_repeats_are_pooled_into_one_row_per_eye(repeated: pd.DataFrame):
    table = pd.concat([predicted(repeated), predicted(repeated, f"{REPEAT_MARK}2")])
    require_agreement(table, repeated)
    pooled = pool_predictions(table, count_repeats(repeated)).set_index("subject")
    assert len(pooled) == 6
    # Out of fold: the mean of its fold in each repeat (0.1 times the number); held out: of all four folds.
    expected = {"a": 0.2, "b": 0.25, "c": 0.25, "d": 0.3, "h": 0.25, "i": 0.25}
    assert pooled["probability"].to_dict() == pytest.approx(expected)
    assert pooled["folds"].to_dict() == {"a": 2, "b": 2, "c": 2, "d": 2, "h": 4, "i": 4}
    assert set(pooled["fold"]) == {0}


def test_a_repeat_that_is_missing_is_named(repeated: pd.DataFrame):
    table = pd.concat([predicted(repeated), predicted(repeated, f"{REPEAT_MARK}2")])
    short = table[(table["subject"] != "b") | (table["fold"] != 4)]
    with pytest.raises(DataError, match="net: fold 4 has no out of fold prediction of subject b"):
        require_agreement(short, repeated)
    with pytest.raises(DataError, match="subject 'b' is predicted out of fold 1 times, but there are 2 repeats"):
        pool_predictions(short[short["part"] == "out_of_fold"], 2)


def test_every_seed_of_every_fold_is_asked_for(splits: pd.DataFrame):
    table = pd.concat([predicted(splits).assign(seed=seed) for seed in (1, 2)], ignore_index=True)
    require_agreement(table, splits, {"net": 2})
    lost = (table["subject"] == "c") & (table["seed"] == 2)
    with pytest.raises(DataError, match="net: fold 2, seed 2, has no out of fold prediction of subject c"):
        require_agreement(table[~lost], splits, {"net": 2})
    with pytest.raises(DataError, match=r"predictions of fold 1, seed 2, but it is trained with 1 seeds"):
        require_agreement(table, splits)
    seen = seen_by(splits)
    with pytest.raises(DataError, match="net, fold 1, seed 2: what its network has seen is not known"):
        require_unseen(table, seen, splits)
    leaky = pd.concat([seen, planted(splits, "h", "training").assign(seed=2)], ignore_index=True)
    with pytest.raises(LeakError, match="net, fold 1, seed 2: 1 subject"):
        require_unseen(table, leaky, splits)


def test_the_node_takes_seeds_from_the_names_of_its_inputs(splits: pd.DataFrame):
    table, seen = predicted(splits).drop(columns="model"), seen_by(splits).drop(columns="model")
    places = {f"net__fold_{k}{mark}": (k, s) for k in (1, 2) for s, mark in ((1, ""), (2, "__seed_2"))}
    parts = {name: table[table["fold"] == k].assign(seed=s) for name, (k, s) in places.items()}
    known = {f"seen__{name}": seen[seen["fold"] == k].assign(seed=s) for name, (k, s) in places.items()}
    pooled, by_network = pool_models(table.assign(model="floor"), splits, **parts, **known)
    assert pooled.groupby("model")["networks"].max().to_dict() == {"floor": 2, "net": 4}
    assert by_network.groupby("model")["seed"].max().to_dict() == {"floor": 1, "net": 2}
    assert not by_network.duplicated(["model", "fold", "seed", "subject"]).any()
    stray = parts | {"net__fold_1__seed_2": parts["net__fold_1"]}
    with pytest.raises(DataError, match="net: fold 1, seed 2, has no"):
        pool_models(table.assign(model="floor"), splits, **stray, **known)


def test_the_node_checks_both(splits: pd.DataFrame):
    table, seen = predicted(splits), seen_by(splits)
    floor = table.assign(model="floor")
    parts = {f"net__fold_{k}": table[table["fold"] == k].drop(columns="model") for k in (1, 2)}
    known = {f"seen__net__fold_{k}": seen[seen["fold"] == k].drop(columns="model") for k in (1, 2)}
    pooled, by_fold = pool_models(floor, splits, **parts, **known)
    assert pooled.groupby("model").size().to_dict() == {"net": 6, "floor": 6}
    assert len(by_fold) == len(floor) + sum(len(part) for part in parts.values())
    leaky = known | {"seen__net__fold_1": planted(splits, "h", "training").query("fold == 1").drop(columns="model")}
    with pytest.raises(LeakError, match="net, fold 1"):
        pool_models(floor, splits, **parts, **leaky)
    with pytest.raises(LeakError, match="floor: subject a"):
        pool_models(move(floor, "a", fold=2), splits, **parts, **known)


def test_an_eye_whose_image_was_learnt_under_another_name_is_in_no_metric_of_any_model(splits: pd.DataFrame, caplog):
    network = predicted(splits).assign(learnt_from_copy="")
    by_one_fold = (network["subject"] == "h") & (network["fold"] == 2)
    network["learnt_from_copy"] = network["learnt_from_copy"].mask(by_one_fold, "t")
    seen = seen_by(splits)
    tables = {f"net__fold_{k}": network[network["fold"] == k].drop(columns="model") for k in (1, 2)}
    tables |= {f"seen__net__fold_{k}": seen[seen["fold"] == k].drop(columns="model") for k in (1, 2)}
    for table in pool_models(predicted(splits).assign(model="floor"), splits, **tables):
        kept = {model: "".join(sorted(set(rows["subject"]))) for model, rows in table.groupby("model")}
        assert kept == {"floor": "abcdi", "net": "abcdi"}
    assert "eye h is in no metric: its image is nearly that of t" in caplog.text

"""Hold-out and folds."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from octa_kedro.cohort.columns import subjects_of
from octa_kedro.cohort.config import SplitConfig
from octa_kedro.cohort.groups import deal_groups
from octa_kedro.cohort.splits import (
    fold_columns,
    fold_table,
    fold_tables,
    make_splits,
    validated_by,
)
from octa_kedro.errors import DataError, LeakError


def cohort(n: int = 16) -> pd.DataFrame:
    diseases = ["NORMAL"] * n + ["DR"] * n + ["CNV"] * n
    return pd.DataFrame(
        {
            "subject": [str(10001 + i) for i in range(3 * n)],
            "disease": diseases,
            "label": ["NORMAL"] * n + ["DISEASED"] * 2 * n,
            "target": [0] * n + [1] * 2 * n,
            "field_of_view_mm": [3.0, 6.0] * (3 * n // 2),
        }
    )


CONFIG = SplitConfig(hold_out=0.25, folds=3, seed=1)


def test_parts_are_disjoint_complete_and_stratified():
    splits = make_splits(cohort(), CONFIG)
    held_out = splits[splits["held_out"]]
    assert held_out["disease"].value_counts().to_dict() == {"NORMAL": 4, "DR": 4, "CNV": 4}
    assert held_out.groupby(["disease", "field_of_view_mm"]).size().tolist() == [2] * 6
    assert (held_out["fold"] == 0).all()
    development = splits[~splits["held_out"]]
    assert development.groupby(["fold", "disease"]).size().tolist() == [4] * 9


def test_every_fold_validates_other_subjects_and_holds_out_the_same():
    tables = [fold_table(make_splits(cohort(), CONFIG), fold) for fold in (1, 2, 3)]
    validated = [set(subjects_of(t, "validation")) for t in tables]
    assert len(set.union(*validated)) == sum(map(len, validated)) == 36
    assert len({tuple(subjects_of(t, "held_out")) for t in tables}) == 1
    for table in tables:
        roles = [set(subjects_of(table, role)) for role in ("train", "validation", "held_out")]
        assert sum(map(len, roles)) == len(set.union(*roles)) == 48


def test_seed_decides():
    first, same = make_splits(cohort(), CONFIG), make_splits(cohort(), CONFIG)
    other = make_splits(cohort(), CONFIG.model_copy(update={"seed": 2}))
    pd.testing.assert_frame_equal(first, same)
    assert (first["held_out"] != other["held_out"]).any()


def test_too_small_a_class_is_named():
    table = cohort().iloc[:35]
    with pytest.raises(DataError, match="disease CNV has 3 subjects, but 3 folds and a hold-out need at least 4"):
        make_splits(table[table["disease"].isin(["NORMAL", "CNV"])].reset_index(drop=True), CONFIG)


def test_a_disease_rare_in_one_field_of_view_is_stratified_alone_and_the_others_by_both():
    table = cohort()
    table.loc[:15, "field_of_view_mm"] = [6.0] + [3.0] * 15
    splits = make_splits(table, CONFIG)
    held_out = splits[splits["held_out"]]
    assert held_out["disease"].value_counts().to_dict() == {"NORMAL": 4, "DR": 4, "CNV": 4}
    others = held_out[held_out["disease"] != "NORMAL"]
    assert others.groupby(["disease", "field_of_view_mm"]).size().tolist() == [2] * 4


def test_a_hold_out_too_small_for_its_strata_is_named():
    with pytest.raises(DataError, match=r"hold_out 0\.1 of 48 subjects is fewer than the 6 groups"):
        make_splits(cohort(), CONFIG.model_copy(update={"hold_out": 0.1}))


def test_official_split_is_kept():
    table = cohort(4).assign(split=["train", "val", "test"] * 4)
    splits = make_splits(table, SplitConfig(folds=1))
    one = fold_table(splits, 1)
    for role, word in (("train", "train"), ("validation", "val"), ("held_out", "test")):
        assert subjects_of(one, role) == table.loc[table["split"] == word, "subject"].tolist()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "val", "tset"] * 4, "split 'tset'"),
        (["train", "val", "val"] * 4, "no subject has the split of test"),
    ],
)
def test_bad_official_split_is_named(words: list[str], message: str):
    with pytest.raises(DataError, match=message):
        make_splits(cohort(4).assign(split=words), SplitConfig(folds=1))


def test_official_split_that_parts_a_patient_is_a_leak():
    table = cohort(4).assign(split=["train", "val", "test"] * 4, patient=["p", "p", *map(str, range(10))])
    with pytest.raises(LeakError, match="patient p: 10001 is in training and 10002 in validation, so"):
        make_splits(table, SplitConfig(folds=1))


def test_official_split_and_several_folds_disagree():
    with pytest.raises(DataError, match="which is one fold"):
        make_splits(cohort(4).assign(split="train"), CONFIG)


def paired(n: int = 16, share: float = 0.5) -> pd.DataFrame:
    """The cohort with that share of its eyes in pairs, an eye of each pair with another disease than the next."""
    table = cohort(n)
    rng = np.random.default_rng(0)
    pairs = int(share * len(table)) // 2
    order = rng.permutation(len(table))
    patient = np.array([f"q{i}" for i in range(len(table))], dtype=object)
    patient[order[:pairs]] = patient[order[pairs : 2 * pairs]]
    return table.assign(patient=patient)


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_eyes_of_a_patient_never_part_and_strata_stay_even(share: float):
    splits = make_splits(paired(share=share), CONFIG)
    assert splits.groupby("patient")["held_out"].nunique().eq(1).all()
    assert splits.groupby("patient")["fold"].nunique().eq(1).all()
    held_out, development = splits[splits["held_out"]], splits[~splits["held_out"]]
    assert abs(len(held_out) - 12) <= 1
    assert held_out["disease"].value_counts().sub(4).abs().max() <= 1
    assert set(development["fold"]) == {1, 2, 3}
    sizes = development.groupby(["fold", "disease"]).size()
    assert len(sizes) == 9
    assert (sizes - 4).abs().max() <= 1
    for table in fold_tables(splits, CONFIG):
        assert table.groupby("patient")["role"].nunique().eq(1).all()


def test_patients_are_dealt_by_the_seed():
    first, same = (make_splits(paired(), CONFIG)["fold"] for _ in range(2))
    assert first.tolist() == same.tolist()
    assert first.tolist() != make_splits(paired(), CONFIG.model_copy(update={"seed": 2}))["fold"].tolist()


def test_single_eyes_are_dealt_in_exact_shares():
    strata = pd.Series(["a"] * 8 + ["b"] * 12)
    part = deal_groups(strata, pd.Series(range(20)), (0.25, 0.75), seed=3)
    assert pd.crosstab(strata, part).to_numpy().tolist() == [[2, 6], [3, 9]]


def test_a_class_of_too_few_patients_is_named():
    table = cohort().assign(patient=[f"q{i}" for i in range(32)] + ["q99"] * 16)
    with pytest.raises(DataError, match="disease CNV has 1 patients, but 3 folds"):
        make_splits(table, CONFIG)


REPEATED = SplitConfig(hold_out=0.25, folds=3, repeats=3, seed=1)


def test_each_repeat_divides_the_same_development_subjects_anew():
    once, splits = make_splits(cohort(), CONFIG), make_splits(cohort(), REPEATED)
    assert fold_columns(splits) == ["fold", "fold_repeat_2", "fold_repeat_3"]
    pd.testing.assert_frame_equal(splits[once.columns], once)
    development = splits[~splits["held_out"]]
    for repeat, name in enumerate(fold_columns(splits), start=1):
        assert development.groupby([name, "disease"]).size().tolist() == [4] * 9
        assert {(n - 1) // 3 + 1 for n in development[name]} == {repeat}
        assert (splits.loc[splits["held_out"], name] == 0).all()
    assert (development["fold_repeat_2"] - 3 != development["fold"]).any()
    assert (development["fold_repeat_3"] - 3 != development["fold_repeat_2"]).any()


def test_fold_tables_of_repeats():
    splits = make_splits(cohort(), REPEATED)
    tables = fold_tables(splits, REPEATED)
    assert [int(t["fold"].iloc[0]) for t in tables] == list(range(1, 10))
    assert list(tables[4].columns) == list(fold_table(make_splits(cohort(), CONFIG), 1).columns)
    assert subjects_of(tables[4], "validation") == splits.loc[splits["fold_repeat_2"] == 5, "subject"].tolist()
    assert {len(subjects_of(t, "train")) for t in tables} == {24}
    long = validated_by(splits)
    assert len(long) == 3 * 36
    assert long.groupby("subject")["fold"].nunique().eq(3).all()


@pytest.mark.parametrize("wrong", [{"repeats": 0}, {"hold_out": 1.5}, {"holdout": 0.3}, {"folds": 0}])
def test_misspelt_or_impossible_parameters_are_named(wrong: dict):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SplitConfig(**wrong)

"""Hold-out and folds."""

import pandas as pd
import pytest
from pydantic import ValidationError

from octa_kedro.cohort.splits import SplitConfig, fold_table, make_splits, subjects_of
from octa_kedro.errors import DataError


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
        (["train", "val", "val"] * 4, "no subject has the split 'held_out'"),
    ],
)
def test_bad_official_split_is_named(words: list[str], message: str):
    with pytest.raises(DataError, match=message):
        make_splits(cohort(4).assign(split=words), SplitConfig(folds=1))


def test_official_split_and_several_folds_disagree():
    with pytest.raises(DataError, match="which is one fold"):
        make_splits(cohort(4).assign(split="train"), CONFIG)


@pytest.mark.parametrize("wrong", [{"hold_out": 1.5}, {"holdout": 0.3}, {"folds": 0}])
def test_misspelt_or_impossible_parameters_are_named(wrong: dict):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SplitConfig(**wrong)

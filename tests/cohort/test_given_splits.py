"""Splits that the label table gives."""

from pathlib import Path

import pandas as pd
import pytest

from octa_kedro.cohort.config import CohortConfig, SplitConfig
from octa_kedro.cohort.given_splits import given_roles, require_given_splits
from octa_kedro.cohort.splits import admit_subjects, make_splits
from octa_kedro.cohort.table import select_eyes
from octa_kedro.errors import DataError, LeakError
from octa_kedro.io.nifti_folder import NiftiFolder


def table(split: list[str], **columns: list[str]) -> pd.DataFrame:
    names = [f"e{i}" for i in range(len(split))]
    return pd.DataFrame({"subject": names, "label": ["0", "1"] * (len(split) // 2), "split": split} | columns)


GOOD = ["train", "train", "val", "val", "test", "test"]


def test_words_are_read_in_any_case_and_with_spaces():
    roles = given_roles(table([" Train", "TRAINING", "val ", "Validation", "test\u00a0", "held_out"]))
    assert roles.tolist() == ["train"] * 2 + ["validation"] * 2 + ["held_out"] * 2
    require_given_splits(table(GOOD), ["0", "1"])


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (["train", "test", "val", "val", "test", "test"], "training has no subject of class 1"),
        (["train", "train", "val", "train", "test", "test"], "validation has no subject of class 1"),
        (["train", "train", "val", "val", "test", "val"], "test has no subject of class 1"),
        (["train", "train", "val", "val", "val", "val"], "no subject has the split of test"),
        (["train", "train", "val", "val", "test", ""], "subject e5: split '' in the label table; write train"),
        (["train", "train", "val", "dev", "test", "test"], "subject e3: split 'dev'"),
    ],
)
def test_splits_that_cannot_be_used_are_named(split: list[str], words: str):
    with pytest.raises(DataError, match=words):
        require_given_splits(table(split), ["0", "1"])


def test_a_patient_in_two_parts_is_a_leak():
    with pytest.raises(LeakError, match="patient p: e0 is in training and e4 in test"):
        require_given_splits(table(GOOD, patient=["p", "q", "r", "s", "p", "t"]), ["0", "1"])


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (
            "e1",
            "training has no subject of class 1: 1 eyes are left out, such as e1 .*correct their.*; or move some",
        ),
        ("e0 e1", "training has no subject of class 0, 1"),
        ("e2 e3", "validation has no subject of class 0, 1"),
        ("e4 e5", "the hold-out has no subject of class 0, 1"),
        ("e1 e3 e5", "the hold-out has no subject of class 1: 3 eyes are left out, such as e1"),
    ],
)
def test_a_part_that_lost_a_class_in_processing_is_named(gone: str, words: str):
    cohort = table(GOOD).assign(disease=["0", "1"] * 3, target=[0, 1] * 3, field_of_view_mm=3.0)
    splits = make_splits(cohort, SplitConfig(folds=1))
    with pytest.raises(DataError, match=words):
        admit_subjects(splits, {f"e{n}" for n in range(6)} - {*gone.split()})


def test_a_drawn_fold_that_is_empty_after_processing_is_named():
    splits = pd.DataFrame({"subject": [*"abcdefgh"], "label": ["x", "y"] * 4, "fold": [0, 0, 1, 1, 2, 2, 3, 3]})
    splits["held_out"] = splits["fold"] == 0
    with pytest.raises(DataError, match=r"fold 3 has no subject of class x, y: 2 eyes are left out, .*splits\.seed"):
        admit_subjects(splits, {*"abcdef"})


def cohort(folder: Path, split: list[str], **columns: list[str]) -> None:
    """Select eyes whose files cannot be read, so that the table must be refused before they are."""
    rows = table(split, **columns).assign(path="no_scan.nii")
    rows.to_csv(folder / "subjects.csv", index=False)
    (folder / "no_scan.nii").write_bytes(b"no scan")
    select_eyes(NiftiFolder(folder), CohortConfig(classes=None, diseases=None, modalities=("OCTA",)))


def test_splits_are_refused_before_a_scan_is_opened(tmp_path: Path):
    with pytest.raises(DataError, match="training has no subject of class 1"):
        cohort(tmp_path, ["train", "test", "val", "val", "test", "test"])
    with pytest.raises(LeakError, match="patient p"):
        cohort(tmp_path, GOOD, patient=["p", "q", "r", "s", "p", "t"])
    with pytest.raises(DataError, match=r"no_scan\.nii"):
        cohort(tmp_path, GOOD)


def test_a_class_that_nobody_has_is_named(release):
    classes = {"classes": ["NORMAL", "DR", "AMD"]}
    with pytest.raises(DataError, match="no eye that takes part is of the class AMD"):
        select_eyes(release, CohortConfig.model_validate(classes))


def test_unlabelled_eyes_that_could_not_be_processed_leave_no_part_empty(tmp_path: Path):
    empty = make_splits(pd.DataFrame({"subject": ["a", "b"]}), SplitConfig())
    empty.to_csv(tmp_path / "splits.csv", index=False)  # of no rows the file keeps no types
    assert admit_subjects(pd.read_csv(tmp_path / "splits.csv"), {"a"}).empty

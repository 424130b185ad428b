"""Classes that are read from a label table."""

from pathlib import Path

import numpy as np
import pytest

from octa_kedro.cohort.classes import label_classes
from octa_kedro.cohort.config import CohortConfig
from octa_kedro.cohort.table import select_eyes
from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.volume import scan_affine


@pytest.mark.parametrize(
    ("words", "classes"),
    [
        (["DR", "normal", "amd"], ("normal", "amd", "DR")),
        (["1", "0"], ("0", "1")),
        (["10", "2", "0"], ("0", "2", "10")),
        (["Healthy", "NA", "None"], ("Healthy", "NA", "None")),
        (["Ill", "control", "ILL"], ("control", "Ill")),
    ],
)
def test_the_negative_class_is_the_first(words: list[str], classes: tuple[str, ...]):
    assert label_classes(words) == classes


@pytest.mark.parametrize("negative", ["grade a", " GRADE A "])
def test_the_negative_class_can_be_named(negative: str):
    assert label_classes(["Grade B", "Grade A"], negative) == ("Grade A", "Grade B")
    assert label_classes(["normal", "control", "Grade A"], negative) == ("Grade A", "control", "normal")


@pytest.mark.parametrize(
    ("words", "negative", "message"),
    [
        (["1", "2"], None, "labels 1, 2 is the negative class is not sure .none of them.*cohort.negative=1"),
        (["1", "-1"], None, "cohort.negative=-1"),
        (["0", "DR"], None, "not sure"),
        (["NORMAL", "CONTROL"], None, "CONTROL and NORMAL of them"),
        (["A", "B"], "C", "cohort.negative=C is no label of the table, which has A, B"),
        (["NO", "YES"], False, "cohort.negative: False may mean 'NO'"),
        (["007", "1"], 7, "may mean '007'"),
    ],
)
def test_a_negative_class_that_is_not_sure_is_refused(words: list[str], negative: str | None, message: str):
    with pytest.raises(ConfigError, match=message):
        label_classes(words, negative)


def test_one_word_is_no_classes():
    with pytest.raises(DataError, match="every labelled eye has the label DR"):
        label_classes(["DR", "dr"])


def cohort(folder: Path, labels: dict[str, str], **settings):
    """The eyes of a folder that are selected."""
    for number, subject in enumerate(labels):
        array = np.random.default_rng(number).integers(0, 90, (5, 4, 6)).astype(np.uint8)
        write_nifti(folder / f"{subject}.nii", array, scan_affine(array.shape, (2.0, 2.0, 2.0)))
    rows = "".join(f"{subject},{subject}.nii,{label}\n" for subject, label in labels.items())
    (folder / "subjects.csv").write_text("subject,path,label\n" + rows)
    given = {"classes": None, "diseases": None, "modalities": ["OCTA"]} | settings
    return select_eyes(NiftiFolder(folder), CohortConfig.model_validate(given))


def test_labels_are_read_as_text(tmp_path: Path):
    table = cohort(tmp_path, {"a": "NA", "b": "007", "c": "Normal", "d": "None"}).table
    assert table["label"].tolist() == ["NA", "007", "Normal", "None"]
    assert table["target"].tolist() == [2, 1, 0, 3]


def test_a_class_whose_word_may_say_unknown_is_told(tmp_path: Path, caplog):
    cohort(tmp_path, {"a": "normal", "b": "DR", "c": "nan"})
    assert "the label nan is taken for a class of its own" in caplog.text


def test_an_eye_named_like_the_patient_of_another_is_refused(tmp_path: Path):
    cohort(tmp_path, {"a": "normal", "e1": "DR"})
    (tmp_path / "subjects.csv").write_text("subject,path,label,patient\na,a.nii,0,E1\ne1,e1.nii,1,\n")
    with pytest.raises(DataError, match=r"the patients 'E1' \(subject a\) and 'e1' \(subject e1\) differ only"):
        select_eyes(NiftiFolder(tmp_path), CohortConfig(classes=None, diseases=None, modalities=("OCTA",)))


def test_an_empty_label_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="subject b: its label is empty; fill it in, or take the row out"):
        cohort(tmp_path, {"a": "0", "b": " ", "c": "1"})


def test_classes_may_be_named_and_need_no_list_of_words(tmp_path: Path):
    labels, classes = {"a": "0", "b": "1", "c": "2"}, [{"name": "HEALTHY", "diseases": ["0"]}]
    selection = cohort(tmp_path, labels, classes=[*classes, {"name": "ILL", "diseases": ["2"]}])
    assert selection.table["label"].tolist() == ["HEALTHY", "ILL"]
    with pytest.raises(ConfigError, match=r"cohort\.classes: 3 is no label of the table, it has 0, 1, 2"):
        cohort(tmp_path, labels, classes=[*classes, {"name": "ILL", "diseases": ["3"]}])


def test_excluded_eyes_keep_their_spelling(tmp_path: Path):
    labels = {"7": "0", "007": "1", "8": "0", "9": "1"}
    assert cohort(tmp_path, labels, exclude=["007", 8]).table["subject"].tolist() == ["7", "9"]
    with pytest.raises(ConfigError, match=r"cohort\.exclude: 7 may mean '007' or '7'|'7' or '007'"):
        cohort(tmp_path, labels, exclude=[7])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"classes": [0, 1]}, "0 is a number or a truth value; put the word in quotes"),
        ({"classes": ["A", "B"], "negative": "A"}, "of cohort.classes, name it first"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict, words: str):
    with pytest.raises(ValueError, match=words):
        CohortConfig.model_validate({"diseases": None} | settings)


@pytest.mark.parametrize(("one", "other"), [("grade A", "gradeA"), ("DR", "\uff24R")])
def test_labels_that_a_person_takes_for_one_are_refused(tmp_path: Path, one: str, other: str):
    with pytest.raises(
        DataError, match=f"the labels '{one.upper()}' .subject a. and '{other.upper()}' .subject b. differ"
    ):
        cohort(tmp_path, {"a": one, "b": other, "c": "Normal"})


def test_labels_that_differ_in_capitals_and_surrounding_spaces_are_one_class(tmp_path: Path):
    table = cohort(tmp_path, {"a": "Healthy", "b": " healthy\u00a0", "c": "NA", "d": "na"}).table
    assert table["label"].tolist() == ["Healthy", "Healthy", "NA", "NA"]

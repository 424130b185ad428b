"""An eye of the development cohort is known again in the second one, whatever it is called."""

from pathlib import Path

import pandas as pd
import pytest

from octa_kedro.cohort.config import CohortConfig
from octa_kedro.errors import ConfigError, DataError, LeakError
from octa_kedro.external.cohort import (
    require_other_images,
    require_other_people,
    second_cohort,
    select_second,
)
from octa_kedro.external.config import ExternalConfig
from octa_kedro.io.nifti_folder import NiftiFolder
from tests.faults.projects import nifti_project
from tests.preprocessing.test_copies import eye, stored

SPLITS = pd.DataFrame({"subject": ["a", "b"], "label": ["healthy", "ill"], "target": [0, 1]})
OWN_WORDS = CohortConfig(classes=None, diseases=None, modalities=("OCTA",))


def eyes(*subjects: str, patients: tuple[str, ...] = ()) -> pd.DataFrame:
    table = pd.DataFrame({"subject": subjects})
    return table.assign(patient=patients) if patients else table


@pytest.mark.parametrize(
    ("second", "first"),
    [
        (eyes("e1", "x"), eyes("e1", "y")),
        (eyes("E1 "), eyes("e1")),
        (eyes("new", patients=("P7",)), eyes("old", patients=("p7",))),
        (eyes("new", patients=("e1",)), eyes("e1")),
        (eyes("e1"), eyes("other", patients=("e1",))),
    ],
)
def test_a_person_of_the_development_cohort_is_refused_by_name(second: pd.DataFrame, first: pd.DataFrame):
    with pytest.raises(LeakError, match=rf"second cohort: 1 of {len(second)} eyes \({second['subject'][0]}\)"):
        require_other_people(second, first)


def test_other_people_pass():
    require_other_people(eyes("x", "y", patients=("p1", "p2")), eyes("a", "b", patients=("q1", "q2")))


def test_an_image_is_known_again_under_another_name(tmp_path: Path):
    images = stored(tmp_path, a=eye(1), x=eye(1), y=eye(1)[::-1] + 0.01 * eye(3), z=eye(2))
    first = {"a": images["a"]}
    assert require_other_images({"z": images["z"]}, first) == []
    with pytest.raises(LeakError, match=r"1 images are those of development eyes, or nearly so \(x is a\)"):
        require_other_images({"x": images["x"]}, first)
    with pytest.raises(LeakError, match="y is a"):
        require_other_images({"y": images["y"]}, first)


def test_the_second_cohort_has_the_networks_classes_and_its_own_list():
    who = second_cohort(OWN_WORDS, ExternalConfig(exclude={"e3": "twice"}), SPLITS)
    assert who.class_names == ("healthy", "ill")
    assert who.exclude == {"e3": "twice"}
    other = CohortConfig(
        classes=({"name": "healthy", "diseases": ["A"]}, {"name": "bad", "diseases": ["B"]}), diseases=None
    )
    with pytest.raises(ConfigError, match=r"cohort\.classes are healthy, bad, but the networks know healthy, ill"):
        second_cohort(other, ExternalConfig(), SPLITS)
    with pytest.raises(ConfigError, match="labelled is false"):
        second_cohort(OWN_WORDS.model_copy(update={"labelled": False}), ExternalConfig(), SPLITS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    nifti_project(tmp_path / "p")
    return tmp_path / "p" / "eyes"


def select(folder: Path, **external: object) -> pd.DataFrame:
    config = ExternalConfig.model_validate(external)
    source = NiftiFolder(folder)
    who = second_cohort(OWN_WORDS, config, SPLITS)
    return select_second(source, who, config, eyes("other"), own_words=True).table


def change(folder: Path, row: int, **cells: str) -> None:
    table = pd.read_csv(folder / "subjects.csv", dtype=str)
    for name, cell in cells.items():
        table.loc[row, name] = cell
    table.to_csv(folder / "subjects.csv", index=False)


def test_the_column_split_says_nothing_of_a_second_cohort(folder: Path):
    change(folder, 0, split="")
    assert "split" not in select(folder)
    assert len(select(folder)) == 8


def test_a_class_that_the_networks_do_not_know_is_refused_by_name(folder: Path):
    change(folder, 1, label="strange")
    with pytest.raises(DataError, match="subject e1: its label STRANGE is no class of the networks"):
        select(folder)
    assert "e1" not in set(select(folder, exclude=["e1"])["subject"])


def test_a_single_class_is_refused(folder: Path):
    with pytest.raises(DataError, match="no eye that takes part is of the class ill"):
        select(folder, exclude=["e1", "e3", "e5", "e7"])


def test_missing_labels_are_refused(folder: Path):
    change(folder, 2, label="")
    with pytest.raises(DataError, match="e2"):
        select(folder)

"""The cohort table and its checks."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from octa_kedro.cohort.leak import require_disjoint
from octa_kedro.cohort.table import CohortConfig, class_names, make_cohort_table
from octa_kedro.errors import DataError, LeakError
from octa_kedro.io.release import Octa500Release


def config(**classes: list[str]) -> CohortConfig:
    return CohortConfig.model_validate({"classes": [{"name": n, "diseases": d} for n, d in classes.items()]})


CONFIG = config(NORMAL=["NORMAL"], DISEASED=["DR", "CNV"])


def edit_sheet(root: Path, change) -> None:
    path = next(root.glob("OCTA_3mm/Text labels.xlsx"))
    sheet = pd.read_excel(path)
    change(sheet).to_excel(path, index=False)


def test_one_row_per_eye_with_label_and_measures(release):
    table = make_cohort_table(release, CONFIG)
    assert len(table) == 12
    assert table["subject"].is_monotonic_increasing
    assert (table["target"] == (table["disease"] != "NORMAL")).all()
    assert set(table["field_of_view_mm"]) == {3.0, 6.0}
    assert class_names(table) == ("NORMAL", "DISEASED")


def test_classes_choose_eyes(release):
    table = make_cohort_table(release, config(NORMAL=["NORMAL"], CNV=["CNV"]))
    assert table["disease"].value_counts().to_dict() == {"NORMAL": 4, "CNV": 4}


def test_excluded_eyes_are_left_out(release):
    subject = release.subjects()[0]
    assert (
        subject not in make_cohort_table(release, CONFIG.model_copy(update={"exclude": (subject,)}))["subject"].tolist()
    )


def test_unknown_disease_is_named_with_a_guess(release_copy: Path):
    edit_sheet(release_copy, lambda t: t.assign(Disease=["NORMLA", *t["Disease"][1:]]))
    subject = pd.read_excel(next(release_copy.glob("OCTA_3mm/Text labels.xlsx")))["ID"][0]
    with pytest.raises(DataError, match=f"subject {subject}: unknown disease 'NORMLA', did you mean NORMAL"):
        make_cohort_table(Octa500Release(release_copy), CONFIG)


def test_eye_without_volume_is_named(release_copy: Path):
    folder = next(release_copy.glob("OCTA_3mm/OCTA/*"))
    shutil.rmtree(folder)
    with pytest.raises(DataError, match=f"eye {folder.name}: no OCTA volume"):
        make_cohort_table(Octa500Release(release_copy), CONFIG)


def test_modalities_that_disagree_are_named(release_copy: Path):
    folder = next(release_copy.glob("OCTA_3mm/OCT/*"))
    (folder / "32.bmp").unlink()
    with pytest.raises(DataError, match=f"subject {folder.name}: OCTA is .* but OCT is"):
        make_cohort_table(Octa500Release(release_copy), CONFIG)


def test_no_eye_of_the_classes_is_an_error(release):
    with pytest.raises(DataError, match=r"no labelled eye has a disease of the classes AMD, RVO"):
        make_cohort_table(release, config(A=["AMD"], B=["RVO"]))


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ({"NORMAL": ["NORMAL"], "D": ["DRR"]}, "DRR is no disease word"),
        ({"NORMAL": ["NORMAL"], "D": ["DR", "NORMAL"]}, "stands in two classes"),
        ({"NORMAL": ["NORMAL"]}, "classes"),
    ],
)
def test_bad_classes_are_named(classes: dict, words: str):
    with pytest.raises(ValidationError, match=words):
        config(**classes)


def test_leak_guard_names_the_subjects():
    require_disjoint(["a", "b"], ["c"], judge="x", learner="y")
    with pytest.raises(LeakError, match=r"fold 1: 2 subjects \(a, b\) were seen by the pre-training"):
        require_disjoint(["b", "a", "d"], ["a", "b"], judge="fold 1", learner="the pre-training")

"""The cohort table and its checks."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from octa_kedro.cohort.columns import class_names, patients_of
from octa_kedro.cohort.config import CohortConfig
from octa_kedro.cohort.table import select_eyes
from octa_kedro.errors import DataError
from octa_kedro.io.release import Octa500Release


def config(**classes: list[str]) -> CohortConfig:
    return CohortConfig.model_validate({"classes": [{"name": n, "diseases": d} for n, d in classes.items()]})


CONFIG = config(NORMAL=["NORMAL"], DISEASED=["DR", "CNV"])


def edit_sheet(root: Path, change) -> None:
    path = next(root.glob("OCTA_3mm/Text labels.xlsx"))
    sheet = pd.read_excel(path)
    change(sheet).to_excel(path, index=False)


def test_one_row_per_eye_with_label_and_measures(release):
    table = select_eyes(release, CONFIG).table
    assert len(table) == 12
    assert table["subject"].is_monotonic_increasing
    assert (table["target"] == (table["disease"] != "NORMAL")).all()
    assert set(table["field_of_view_mm"]) == {3.0, 6.0}
    assert class_names(table) == ("NORMAL", "DISEASED")


def test_classes_choose_eyes(release):
    table = select_eyes(release, config(NORMAL=["NORMAL"], CNV=["CNV"])).table
    assert table["disease"].value_counts().to_dict() == {"NORMAL": 4, "CNV": 4}


@pytest.mark.parametrize("listed", [["10002", 10003], {"10002": "damaged", 10003: "tilted"}])
def test_excluded_eyes_are_left_out_with_their_reasons(release, listed: list | dict):
    selection = select_eyes(release, CohortConfig.model_validate(CONFIG.model_dump() | {"exclude": listed}))
    assert len(selection.table) == 10
    assert not set(selection.table["subject"]) & {"10002", "10003"}
    left = selection.flow.query("left_at == 'exclusion list'").set_index("subject")["reason"].to_dict()
    words = ["damaged", "tilted"] if isinstance(listed, dict) else ["on the exclusion list"] * 2
    assert left == dict(zip(["10002", "10003"], words, strict=True))


def test_nobody_is_excluded_by_default():
    assert CohortConfig.model_validate(CONFIG.model_dump() | {"exclude": None}).exclude == CONFIG.exclude == {}


def test_a_class_can_be_a_bare_word_and_there_can_be_many(release):
    config = CohortConfig.model_validate({"classes": ["NORMAL", " dr ", "CNV"], "diseases": ["normal", "Dr", "cnv"]})
    table = select_eyes(release, config).table
    assert class_names(table) == config.class_names == ("NORMAL", "DR", "CNV")
    assert table["target"].value_counts().to_dict() == {0: 4, 1: 4, 2: 4}
    assert (table["label"] == table["disease"]).all()


def test_words_are_compared_whole(release_copy: Path):
    # The system this project re-implements found DR in PDR.
    edit_sheet(release_copy, lambda t: t.assign(Disease=[" pdr", *t["Disease"][1:]]))
    words = {
        "classes": ["NORMAL", {"name": "D", "diseases": ["DR", "CNV"]}],
        "diseases": ["NORMAL", "DR", "CNV", "PDR"],
    }
    selection = select_eyes(Octa500Release(release_copy), CohortConfig.model_validate(words))
    odd = selection.flow[selection.flow["left_at"] != ""]
    assert odd[["disease", "left_at", "reason"]].to_numpy().tolist() == [["PDR", "class", "PDR is in no class"]]
    assert set(odd["field_of_view_mm"]) == {3.0}
    assert len(selection.table) == 11


def test_an_eye_that_is_not_on_the_sheet_is_in_the_flow(release_copy: Path):
    edit_sheet(release_copy, lambda t: t.iloc[1:])
    selection = select_eyes(Octa500Release(release_copy), CONFIG)
    assert selection.flow["left_at"].value_counts().to_dict() == {"": 11, "label sheet": 1}


def test_bad_files_can_be_left_out(release_copy: Path):
    folder = next(release_copy.glob("OCTA_3mm/OCTA/*"))
    shutil.rmtree(folder)
    selection = select_eyes(Octa500Release(release_copy), CONFIG, on_error="quarantine")
    row = selection.flow.set_index("subject").loc[folder.name]
    assert row["left_at"] == "files"
    assert "no OCTA volume" in row["reason"]
    assert folder.name not in selection.table["subject"].tolist()
    assert selection.table[["target", "width"]].notna().all(axis=None)


def test_unlabelled_eyes_all_flow_through(release):
    config = CohortConfig.model_validate(CONFIG.model_dump() | {"labelled": False})
    selection = select_eyes(release, config)
    assert "disease" not in selection.table
    assert (selection.flow["left_at"] == "").all()


def test_patients_of_unlabelled_eyes_are_kept(release, monkeypatch):
    one, other, *_ = release.subjects()
    monkeypatch.setattr(type(release), "patients", lambda _: {one: "p1"})
    config = CohortConfig.model_validate(CONFIG.model_dump() | {"labelled": False})
    patients = select_eyes(release, config).table.set_index("subject")["patient"]
    assert (patients[one], patients[other]) == ("p1", other)


def test_an_eye_without_a_patient_is_its_own():
    table = pd.DataFrame({"subject": ["a", "b", "c"], "patient": [" p1", None, ""]})
    assert patients_of(table) == ["p1", "b", "c"]
    assert patients_of(table[["subject"]]) == ["a", "b", "c"]


def test_unknown_disease_is_named_with_a_guess(release_copy: Path):
    edit_sheet(release_copy, lambda t: t.assign(Disease=["NORMLA", *t["Disease"][1:]]))
    subject = pd.read_excel(next(release_copy.glob("OCTA_3mm/Text labels.xlsx")))["ID"][0]
    with pytest.raises(DataError, match=f"subject {subject}: unknown disease 'NORMLA', did you mean NORMAL"):
        select_eyes(Octa500Release(release_copy), CONFIG)


def test_eye_without_volume_is_named(release_copy: Path):
    folder = next(release_copy.glob("OCTA_3mm/OCTA/*"))
    shutil.rmtree(folder)
    with pytest.raises(DataError, match=f"eye {folder.name}: no OCTA volume"):
        select_eyes(Octa500Release(release_copy), CONFIG)


def test_modalities_that_disagree_are_named(release_copy: Path):
    folder = next(release_copy.glob("OCTA_3mm/OCT/*"))
    (folder / "32.bmp").unlink()
    with pytest.raises(DataError, match=f"subject {folder.name}: OCTA and OCT are not of one scan"):
        select_eyes(Octa500Release(release_copy), CONFIG)


def test_no_eye_of_the_classes_is_an_error(release):
    with pytest.raises(DataError, match=r"no labelled eye has a disease of the classes AMD, RVO"):
        select_eyes(release, config(A=["AMD"], B=["RVO"]))


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ({"NORMAL": ["NORMAL"], "D": ["DRR"]}, "DRR is no disease word"),
        ({"NORMAL": ["NORMAL"], "D": ["DR", "NORMAL"]}, "stands in two classes"),
        ({"NORMAL": ["NORMAL"], "D": ["DR", " dr"]}, "stands in two classes"),
        ({"NORMAL": ["NORMAL"]}, "classes"),
    ],
)
def test_bad_classes_are_named(classes: dict, words: str):
    with pytest.raises(ValidationError, match=words):
        config(**classes)

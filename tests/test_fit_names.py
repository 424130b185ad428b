"""Names of eyes, classes, models and cohorts that cannot name files, or be told apart."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from octa_kedro.cohort.config import ClassConfig, CohortConfig
from octa_kedro.configuration.structure import parse_structure
from octa_kedro.errors import ConfigError, DataError
from octa_kedro.identifiers import unfit_for_files
from octa_kedro.inference.config import InferenceConfig
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.release_files import ReleaseFiles


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".a",
        "a.",
        "a ",
        "a/b",
        "a\\b",
        "a:b",
        "a*",
        "CON",
        "nul",
        "Com1.txt",
        "lpt\u00b9",
        "a\nb",
        "a\u202eb",
        "x" * 121,
    ],
)
def test_what_cannot_be_a_file_on_every_system_is_told(name: str):
    assert unfit_for_files(name)


@pytest.mark.parametrize("name", ["10001", "a b", "M\u00fcller-1", "con1", "COM10", "a.b", "x" * 120, "$5", "a'b"])
def test_what_can_be_a_file_is_left(name: str):
    assert unfit_for_files(name) == ""


@pytest.mark.parametrize("name", ["aux", "a:b", "x" * 121])
def test_eyes_whose_files_or_folders_cannot_name_results_are_refused(tmp_path: Path, name: str):
    (tmp_path / f"{name}.nii").touch()
    with pytest.raises(DataError, match=r"its subject would be .*, which .*or name the subject in a table"):
        NiftiFolder(tmp_path).subjects()
    (tmp_path / "OCTA_3mm" / "OCT" / name).mkdir(parents=True)
    with pytest.raises(DataError, match=r"the eye .*: rename its folders"):
        _ = ReleaseFiles(tmp_path).eyes


@pytest.mark.parametrize("name", ["", " ", "a\x1b[31mb", "a\nb", "x" * 61])
def test_classes_have_names_that_can_be_shown(name: str):
    with pytest.raises(ValidationError, match="tables and figures are to show it"):
        ClassConfig(name=name, diseases=("A",))


def test_two_classes_have_names_that_cannot_be_confused():
    classes = [{"name": name, "diseases": [name]} for name in ("Ill", "I ll")]
    with pytest.raises(ValidationError, match="classes: Ill and I ll differ only in capitals, spaces"):
        CohortConfig.model_validate({"classes": classes, "diseases": None})


@pytest.mark.parametrize("name", ["NUL", "a.", "COM1.x"])
def test_folders_of_results_have_names_that_every_system_takes(name: str):
    for config in (CohortConfig, InferenceConfig):
        with pytest.raises(ValidationError, match="cannot name a file"):
            config.model_validate({"name": name, "classes": None} if config is CohortConfig else {"name": name})


@pytest.mark.parametrize("names", [["../x"], ["a b"], ["aux"], ["A|B"], ["net", "Net"]])
def test_models_have_names_that_are_folders(names: list[str]):
    raw = {"source": "phantom", "folds": 2, "pretraining": False, "models": dict.fromkeys(names, 3)}
    with pytest.raises(ConfigError, match=r"structure\.yml: .*models: .*(cannot name a folder|differ only)"):
        parse_structure(raw)

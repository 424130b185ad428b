"""Names that YAML and --params read as numbers, and names that cannot name files or be told apart."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from octa_kedro.cohort.config import ClassConfig, CohortConfig
from octa_kedro.configuration.structure import parse_structure
from octa_kedro.errors import ConfigError, DataError
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.identifiers import clean_name, find_alike, find_name, unfit_for_files
from octa_kedro.inference.config import InferenceConfig
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.release_files import ReleaseFiles
from octa_kedro.preprocessing.registration_config import RegistrationConfig
from octa_kedro.training.config import AutoencoderConfig


@pytest.mark.parametrize(
    ("given", "names"), [("007", ["7", "007"]), (7, ["7", "8"]), ("nan", ["nan"]), ("1e5", ["1e5"])]
)
def test_a_name_that_is_sure_is_found(given, names: list[str]):
    assert find_name(given, names, "p") == str(given)


def test_a_name_may_be_typed_in_another_form_of_its_letters():
    assert find_name("M\u00fcller 1\u200b", ["Mu\u0308ller 1"], "p") == "Mu\u0308ller 1"


@pytest.mark.parametrize(
    ("given", "name"), [("p07", "P07"), ("P 07", "P07"), ("7", "007"), ("\uff1007", "007"), ("x", "'x")]
)
def test_a_name_that_is_spelt_otherwise_is_refused_with_the_right_spelling(given: str, name: str):
    with pytest.raises(ConfigError, match=f"cohort.exclude: there is no '{given}', it may mean '{name}'"):
        find_name(given, ["a", name], "cohort.exclude", in_a_list=True)


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (["P07", "q", "p07"], (0, 2)),
        (["Mu\u0308ller", "M\u00fcller"], (0, 1)),
        (["a b", "a\u00a0b"], (0, 1)),
        (["ab", "a\u200bb"], (0, 1)),
        (["a b", "ab"], (0, 1)),
        (["7", "007"], None),
        (["a", "a"], None),
    ],
)
def test_names_that_a_person_takes_for_one_are_alike(names: list[str], places: tuple[int, int] | None):
    assert find_alike(names) == places


def test_a_name_is_kept_without_what_cannot_be_seen():
    assert clean_name(" \ufeffMu\u0308ller\u00a0\t x\u200b\n") == "M\u00fcller x"


@pytest.mark.parametrize(
    ("given", "name"),
    [(7, "007"), (8, "010"), (100000.0, "1e5"), (1000, "1_000"), (True, "true"), (False, "no")],
)
def test_a_name_that_lost_its_spelling_is_named_with_what_to_write(given, name: str):
    with pytest.raises(
        ConfigError, match=rf"inference\.subject: {given} may mean '{name}'.*as \"{name}\".*inference\.subject={name}$"
    ):
        find_name(given, ["a", name], "inference.subject")


def test_a_number_that_two_names_are_read_as_is_refused():
    with pytest.raises(ConfigError, match="7 may mean '7' or '007'"):
        find_name(7, ["7", "007"], "p")


def test_a_name_that_is_not_there_is_none():
    assert find_name(9, ["7"], "p") is find_name("x", ["7"], "p") is None


def test_other_parameters_that_name_eyes_or_diseases_compare_them_so():
    exclude = AutoencoderConfig.model_validate({"model": {"name": "resnet10"}, "exclude": {7: "tilted", "x": "dark"}})
    assert exclude.exclude == {7: "tilted", "x": "dark"}
    assert RegistrationConfig.model_validate({"reference": {3: 7}}).reference == {3.0: 7}
    assert ExplainConfig(lesion_slabs={"dr ": "ILM_OPL"}).lesion_slabs == {"DR": "ILM_OPL"}


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

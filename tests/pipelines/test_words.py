"""Names that look like numbers or like missing values, from the label table and the command line to the report."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.volume import scan_affine
from tests.conftest import ROOT
from tests.pipelines.conftest import catalog, kedro, new_project, run

NAMES = ["7", "007", "nan", "NA", "null", "None", "1e5", "true", "N/A", "00123", "NO", "1_000", "x", "y", "z", "w"]
CLASSES = ("NA", "null")
SPLITS = ["train"] * 8 + ["validation"] * 4 + ["test"] * 4
SMALL = {
    "training_3d": {"model": {"name": "resnet10", "widths": [4, 4, 8, 8]}, "max_epochs": 1},
    "evaluation": {"resamples": 100},
    "explainability": {"checked_eyes": 0, "target_class": "null"},
    "cohort": {"negative": "NA"},
}


def make_eyes(folder: Path) -> pd.DataFrame:
    """Small volumes and their table: every name is a subject and, in capitals with a mark, a patient."""
    for index in range(len(NAMES)):
        array = np.random.default_rng(index).integers(0, 60, (12, 14, 16)).astype(np.uint8)
        array[4:8, 4:8, 4:8] = 200 if index % 2 else array[4:8, 4:8, 4:8]
        write_nifti(folder / f"v{index}.nii", array, scan_affine(array.shape, (3.0, 3.0, 2.0)))
    table = {
        "subject": [name.replace("/", "-") for name in NAMES],
        "path": [f"v{index}.nii" for index in range(len(NAMES))],
        "label": [CLASSES[index % 2] for index in range(len(NAMES))],
        "split": SPLITS,
        "patient": NAMES,
        "sex": ["NA"] * len(NAMES),
    }
    rows = pd.DataFrame(table)
    rows.to_csv(folder / "participants.tsv", sep="\t", index=False)
    return rows


@pytest.fixture(scope="module")
def mission(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, pd.DataFrame]:
    """A project in which the whole mission has been run, the table of its eyes, and what it holds."""
    folder = tmp_path_factory.mktemp("words")
    rows, project = make_eyes(folder / "eyes"), folder / "project"
    project.mkdir()
    new_project(project)
    place = folder / "eyes" / "participants.tsv"
    run(project, env="nifti_folder", params=SMALL | {"source": {"path": str(place)}})
    return project, place, rows


def test_every_table_of_a_mission_has_the_words_of_the_label_table(mission):
    project, place, rows = mission
    loaded = catalog(project, env="nifti_folder", params={"source": {"path": str(place)}})
    assert loaded.load("training_3d.fold_1.checkpoint").card.classes == CLASSES
    known = {"subject": set(rows["subject"]), "patient": set(rows["patient"]), "disease": {"NA", "NULL"}}
    known |= {"label": set(CLASSES), "sex": {"NA"}, "explained_class": {"null"}}
    tables = ["cohort_table", "eye_flow", "drawn_splits", "splits", "splits_fold_1", "training_3d.fold_1.predictions"]
    tables += [
        "training_3d.fold_1.seen",
        "evaluation.predictions",
        "quality_table",
        "explainability.training_3d.scores",
    ]
    for name in tables:
        table = loaded.load(name)
        for column in known.keys() & set(table.columns):
            words = table[column].tolist()
            assert set(words) <= known[column], (name, column)
    for name in ("cohort_table", "splits", "eye_flow"):
        assert sorted(loaded.load(name)["subject"]) == sorted(rows["subject"])
    judged = loaded.load("evaluation.predictions").query("model == 'training_3d'")
    assert sorted(judged["subject"]) == sorted(rows.query("split != 'train'")["subject"])


@pytest.mark.parametrize("subject", ["007", "null"])
def test_the_eye_that_is_typed_is_the_eye_that_is_read(mission, subject: str):
    project, place, rows = mission
    given = f"source.path={place},cohort.negative=NA,inference.subject={subject},inference.name=one_{subject}"
    result = kedro(project, "run", "--env", "nifti_folder", "--pipelines", "inference", "--params", given)
    assert result.returncode == 0, result.stderr[-2000:]
    parameters = {"source": {"path": str(place)}, "inference": {"name": f"one_{subject}"}}
    loaded = catalog(project, env="nifti_folder", params=parameters)
    table = loaded.load("inference.predictions")
    assert table["subject"].tolist() == [subject]
    file = rows.set_index("subject").loc[subject, "path"]
    assert Path(table["source"][0]).name == file
    assert list(loaded.load("inference.eyes")) == [subject]


def test_an_eye_that_is_not_there_is_refused_before_any_is_read(mission):
    project, place, _ = mission
    for subject, words in (("8", "inference.subject=8: no such eye in the source"), ("X", "it may mean 'x'")):
        params = {"source": {"path": str(place)}, "inference": {"subject": subject, "name": "none"}}
        with pytest.raises(ConfigError, match=words):
            run(project, env="nifti_folder", pipeline_names=["inference"], params=params)


def test_every_table_text_and_json_of_the_catalog_is_sealed():
    catalog = yaml.safe_load((ROOT / "conf/base/catalog.yml").read_text())
    kinds = {Path(entry["filepath"]).suffix: set() for entry in catalog.values() if "filepath" in entry}
    for entry in catalog.values():
        if "filepath" in entry:
            kinds[Path(entry["filepath"]).suffix].add(entry["type"].removeprefix("octa_kedro.datasets."))
    assert kinds[".csv"] == {"table.TableDataset"}
    assert kinds[".txt"] == kinds[".md"] == {"plain.TextDataset"}
    assert kinds[".json"] == {
        "plain.JSONDataset", "manifest.ManifestDataset", "settings.ProcessingDataset", "eyes.EyeFoldersDataset"
    }  # fmt: skip


def test_given_splits_are_refused_before_a_volume_is_read(project: Path, tmp_path: Path):
    rows = make_eyes(tmp_path / "eyes")
    rows.loc[rows["split"] == "train", "label"] = "NA"
    rows.to_csv(tmp_path / "eyes" / "subjects.csv", index=False)
    params = SMALL | {"source": {"path": str(tmp_path / "eyes")}}
    with pytest.raises(DataError, match="training has no subject of class null"):
        run(project, env="nifti_folder", params=params)
    written = [path for path in (project / "data" / "nifti_folder").rglob("*") if path.is_file()]
    assert {path.name for path in written} <= {"source.json"}


def test_a_class_to_explain_that_nobody_has_is_refused_before_a_volume_is_read(project: Path, tmp_path: Path):
    make_eyes(tmp_path / "eyes")
    place = tmp_path / "eyes" / "participants.tsv"
    given = f"source.path={place},cohort.negative=NA,explainability.target_class=none"
    result = kedro(project, "run", "--env", "nifti_folder", "--params", given)
    assert "explainability.target_class is none, but the network has the classes NA, null" in result.stderr
    assert not (project / "data" / "nifti_folder" / "02_intermediate" / "inspected").exists()

"""Nothing that tells who a patient is leaves the files that are read, and no folder of the machine is kept."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.io import DatasetError

from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.volume import scan_affine
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.training.checkpoint import Checkpoint, save_checkpoint
from tests.explain.test_patches import checkpoint
from tests.faults.projects import nifti_project, subjects
from tests.pipelines.conftest import catalog, new_project, run
from tests.pipelines.marked_files import FILES, MARK, RAW, SHAPE, VOXELS, holding, write_clinic

ONLY_READ: dict[str, Any] = {
    "cohort": {"labelled": False},
    "processing": {"grid": [8, 8, 8], "field_mm": None, "depth_mm": None, "slabs": []},
}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files, in a folder that is named by a patient."""
    folder = tmp_path_factory.mktemp("scans") / MARK
    write_clinic(folder)
    return folder


def processed(project: Path, env: str, source: dict[str, Any], *, nodes: list[str] | None = None, **more: Any) -> Any:
    params = ONLY_READ | {"source": source} | more
    run(project, env=env, params=params, pipeline_names=["data_processing"], to_nodes=nodes)
    return catalog(project, env=env, params=params)


@pytest.mark.slow  # all devices, with workers; the inference at the end of this file is the quick one
def test_nothing_of_a_patient_leaves_the_files_of_devices(project: Path, clinic: Path, capfd):
    source = {"path": str(clinic), "anatomy": "any", "pseudonyms": str(clinic.parent / "pseudonyms.csv")}
    loaded = processed(project, "vendor", source)
    flow = loaded.load("eye_flow_files")
    assert len(flow) == 14
    assert set(flow.loc[flow["left_at"].isna(), "subject"]) >= {f"eye{n}" for n in (0, 2, 4, 6, 8)}
    assert flow["left_at"].eq("files").sum() >= 4
    assert len(loaded.load("processed_volumes")) >= 5
    told = capfd.readouterr()
    assert MARK.lower() not in (told.out + told.err).lower()
    assert holding(project / "data", MARK, str(clinic.parent)) == []


def test_the_free_texts_of_nifti_files_and_workbooks_are_left_there(project: Path, tmp_path: Path, capfd):
    folder = tmp_path / "volumes"
    folder.mkdir()
    for n in range(3):
        image = nib.Nifti1Image(VOXELS + np.uint8(n), scan_affine(SHAPE, (3.0, 3.0, 2.0)))
        image.header["descrip"] = image.header["aux_file"] = RAW
        image.header["db_name"] = image.header["intent_name"] = RAW
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", RAW * 9))
        nib.save(image, folder / f"a{n}.nii.gz")
    (folder / "a2.nii.gz").write_bytes((folder / "a2.nii.gz").read_bytes()[:-100])
    pd.DataFrame({"path": [f"a{n}.nii.gz" for n in range(3)], MARK: [MARK] * 3}).to_excel(folder / "subjects.xlsx")
    loaded = processed(
        project, "nifti_folder", {"path": str(folder), "anatomy": "any"}, execution={"on_error": "quarantine"}
    )
    assert sorted(loaded.load("processed_volumes")) == ["a0", "a1"]
    assert loaded.load("processed_volumes")["a0"].meta["source"] == "a0.nii.gz"
    assert loaded.load("processed_volumes").failed["a2"].startswith("subject a2: a2.nii.gz: ")
    assert MARK not in capfd.readouterr().err.replace(f"not read: {MARK}", "")  # the name of a column is told
    assert holding(project / "data", MARK, str(tmp_path)) == []


@pytest.mark.slow
def test_results_stay_valid_where_project_and_source_are_moved(tmp_path: Path, monkeypatch):
    """And nothing in them holds a folder, the user or the machine."""
    monkeypatch.setattr("octa_kedro.io.files.MACHINE", "ZZMACHINEZZ")
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, "ZZUSERZZ")
    project, folder = new_project(tmp_path / "work" / "project"), tmp_path / "first" / "volumes"
    for n in range(2):
        write_nifti(folder / f"a{n}.nii", VOXELS + np.uint8(n), scan_affine(SHAPE, (3.0, 3.0, 2.0)))
    processed(project, "nifti_folder", {"path": str(folder), "anatomy": "any"}, nodes=["process_eyes"])
    assert holding(project / "data", str(tmp_path), "ZZMACHINEZZ", "ZZUSERZZ") == []
    before = {path.name: path.stat().st_mtime_ns for path in project.rglob("*.nii")}
    project, moved = tmp_path / "elsewhere", tmp_path / "second"
    shutil.move(tmp_path / "work" / "project", project)
    shutil.move(tmp_path / "first", moved)
    loaded = processed(
        project, "nifti_folder", {"path": str(moved / "volumes"), "anatomy": "any"}, nodes=["process_eyes"]
    )
    assert {path.name: path.stat().st_mtime_ns for path in project.rglob("*.nii")} == before != {}
    assert {eye: stored.meta["source"] for eye, stored in loaded.load("processed_volumes").items()} == {
        "a0": "a0.nii", "a1": "a1.nii",
    }  # fmt: skip


def test_eyes_without_a_pseudonym_are_told_by_their_place(project: Path, clinic: Path, tmp_path: Path):
    table = pd.read_csv(clinic.parent / "pseudonyms.csv")
    table.drop(index=[3]).to_csv(tmp_path / "few.csv", index=False)
    source = {"path": str(clinic), "anatomy": "any", "pseudonyms": str(tmp_path / "few.csv")}
    with pytest.raises(DatasetError, match=r"few\.csv: 1 of 14 eyes of the source have no row: number \d+ of") as told:
        run(project, env="vendor", params=ONLY_READ | {"source": source}, pipeline_names=["data_processing"])
    assert MARK not in str(told.value)
    assert holding(project / "data", MARK) == []


@pytest.mark.parametrize("place", ["--params", "conf/local"])
def test_pseudonyms_hold_for_the_mission_and_an_inference_wherever_they_are_named(
    project: Path, clinic: Path, place: str
):
    source = {"path": str(clinic), "anatomy": "any", "pseudonyms": str(clinic.parent / "pseudonyms.csv")}
    if place == "conf/local":
        (project / "conf" / "local" / "parameters.yml").write_text(yaml.safe_dump({"source": source}))
    loaded = catalog(project, env="vendor", params={"source": source} if place == "--params" else None)
    for name in ("source", "inference.source"):
        assert loaded.load(name).subjects() == sorted(f"eye{n}" for n in range(14))
    assert holding(project / "data", MARK) == []
    assert (project / "data" / "vendor" / "inference" / "source" / "source.json").is_file()


@pytest.fixture
def network(project: Path) -> str:
    """A small network that has learnt nothing, by its file."""
    processing = ProcessingConfig(modality="OCT", grid=(16, 16, 16), field_mm=None, depth_mm=None, slabs=())
    small = ModelConfig(name="resnet10", widths=(4, 4, 8, 8))
    card = checkpoint(model=small, processing=processing, slabs=()).card
    save_checkpoint(project / "network.safetensors", Checkpoint(build_model(small).state_dict(), card))
    return "network.safetensors"


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Lets a test set up logging, which other tests share."""
    loggers = [logging.getLogger(name) for name in (None, "kedro", "kedro.io", "octa_kedro")]
    before = [(logger.level, [*logger.handlers]) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        for handler in {*logger.handlers} - {*handlers}:
            handler.close()
        logger.handlers[:] = handlers
        logger.setLevel(level)


@pytest.mark.usefixtures("own_logging")
def test_an_inference_names_no_patient_anywhere(project: Path, network: str, tmp_path: Path, capfd):
    """Neither in its results nor in the log file of a user who has all lines written into it."""
    clinic = tmp_path / "scans" / MARK
    write_clinic(clinic, [*FILES][:2])
    file = {"class": "logging.FileHandler", "filename": "info.log", "formatter": "line"}
    lines = {"handlers": {"file": file}, "root": {"level": "INFO", "handlers": ["file"]}}
    lines["loggers"] = {name: {"level": "INFO"} for name in ("kedro", "kedro.io", "octa_kedro")}
    (project / "conf" / "local" / "logging.yml").write_text(yaml.safe_dump(lines))
    source = {"path": str(clinic), "anatomy": "any", "pseudonyms": str(clinic.parent / "pseudonyms.csv")}
    params = {"source": source, "inference": {"checkpoint": network}, "execution": {"workers": 1}}
    version = run(project, env="vendor", params=params, pipeline_names=["inference"])
    results = project / "data" / "vendor" / "inference" / "source"
    table = pd.read_csv(results / "predictions.csv" / version / "predictions.csv")
    assert set(table["subject"]) | {"eye1", "eye3"} == {"eye0", "eye1", "eye2", "eye3"}
    assert sorted(path.name for path in (results / "eyes" / version).iterdir()) == sorted(table["subject"])
    told = capfd.readouterr()
    log = (project / "info.log").read_text()
    assert "eye1" in log
    assert MARK.lower() not in (told.out + told.err + log).lower()
    assert holding(project / "data", MARK, str(clinic.parent)) == []


@pytest.mark.slow
def test_a_whole_mission_names_no_patient_anywhere(tmp_path: Path, capfd):
    """Checkpoints, cards, tables, figures, pages, viewers and maps, of eyes, masks and people called by their names."""
    project, source = tmp_path / "project", tmp_path / MARK
    nifti_project(project)
    table = subjects()
    for column in ("path", "lesion_path"):
        table[column] = [Path(MARK, f"{MARK}_{name}").as_posix() for name in table[column]]
    for path in (project / "eyes").glob("*.nii.gz"):
        image = nib.load(path)
        image.header["descrip"] = image.header["aux_file"] = RAW
        (source / MARK).mkdir(parents=True, exist_ok=True)
        nib.save(image, source / MARK / f"{MARK}_{path.name}")
    names = table.assign(subject=MARK + table["subject"], patient=MARK + table["patient"])
    names.to_csv(source / "subjects.csv", index=False)
    rows = pd.DataFrame({"name": names["subject"], "subject": table["subject"], "patient": table["patient"]})
    rows.to_csv(tmp_path / "pseudonyms.csv", index=False)
    given = {"path": str(source), "pseudonyms": str(tmp_path / "pseudonyms.csv")}
    run(project, env="nifti_folder", params={"source": given})
    run(project, env="nifti_folder", params={"source": given}, pipeline_names=["inference"])
    told = capfd.readouterr()
    assert MARK not in told.out + told.err
    assert len(list((project / "data").rglob("*.html"))) > 1
    assert holding(project / "data", MARK, str(source)) == []

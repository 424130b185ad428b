"""Nothing that tells who a patient is leaves the files that are read, and no folder of the machine is kept."""

import gzip
import re
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import openpyxl
import pandas as pd
import pytest
import yaml
from pydicom.dataset import Dataset

from octa_kedro.errors import DataError
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.volume import scan_affine
from tests.io import test_e2e, test_heidelberg, test_topcon, test_zeiss
from tests.io.dicom_files import DicomEye
from tests.pipelines.conftest import catalog, new_project, run

MARK = "ZZPATIENTZZ"
RAW = MARK.encode()
SHAPE = (9, 9, 16)
VOXELS = np.random.default_rng(0).integers(1, 255, SHAPE).astype(np.uint8)
ONLY_READ: dict[str, Any] = {
    "cohort": {"labelled": False},
    "processing": {"grid": [8, 8, 8], "field_mm": None, "depth_mm": None, "slabs": []},
}


def mark_everything(data: Dataset) -> None:
    """Names, dates and identifiers of the file, of its meta information, and private ones; many are no valid values."""
    for name in (
        "PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "InstitutionName", "ReferringPhysicianName",
        "StudyDescription", "SeriesDescription", "ImageComments", "DeviceSerialNumber", "StudyDate", "PatientAge",
    ):  # fmt: skip
        setattr(data, name, MARK)
    data.private_block(0x0009, MARK, create=True).add_new(1, "LO", MARK)
    data.file_meta.ImplementationVersionName = data.file_meta.SourceApplicationEntityTitle = MARK


def wrong_value(data: Dataset) -> None:
    mark_everything(data)
    data.ImageLaterality = MARK


def save_dicom(path: Path) -> None:
    DicomEye(shown=VOXELS, change=mark_everything).write(path)


def save_wrong_dicom(path: Path) -> None:
    DicomEye(shown=VOXELS, change=wrong_value).write(path)


def save_vol(path: Path) -> None:
    data = bytearray(test_heidelberg.Writer()(VOXELS / 255))
    for place in range(300, 2000, len(RAW) + 1):  # where patients, visits and programs stand
        data[place : place + len(RAW)] = RAW
    path.write_bytes(data)


def save_wrong_vol(path: Path) -> None:
    path.write_bytes(test_heidelberg.Writer(version=RAW, side=RAW[:4])(VOXELS / 255))


def save_e2e(path: Path) -> None:
    writer = test_e2e.Writer().volume(test_e2e.random_voxels((9, 9, 16))[0])
    writer.chunks += [((7, -1, -1, -1), 9, RAW.ljust(131, b"\0")), ((7, 1, -1, -1), 7, RAW * 9)]
    writer.save(path)


def save_fda(path: Path) -> None:
    path.write_bytes(test_topcon.fda_bytes(VOXELS, PATIENT_INFO_02=RAW * 4, HW_INFO_03=RAW * 4, CAPTURE_INFO=RAW))


def save_zeiss(path: Path) -> None:
    test_zeiss.write(path, test_zeiss.random_voxels(9, 9, 1024))


FILES: dict[str, Callable[[Path], None]] = {
    f"{MARK}_a.dcm": save_dicom,
    f"{MARK}_b.vol": save_vol,
    f"{MARK}_c.e2e": save_e2e,
    f"{MARK}_d.fda": save_fda,
    f"{MARK}, Anna_Macular Cube 9x9_1-2-2020_3-4-5_OD_sn1_cube_z.img": save_zeiss,
    f"{MARK}_f.dcm": save_wrong_dicom,
    f"{MARK}_g.vol": save_wrong_vol,
}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are named by patients, whole and cut short, in a folder named by one, with a workbook that lists
    them; and beside it the table of pseudonyms."""
    folder = tmp_path_factory.mktemp("scans") / MARK
    (folder / MARK).mkdir(parents=True)
    names = []
    for name, save in FILES.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of values that are not valid, as the reader must not
            save(folder / name)
        cut = folder / MARK / f"cut_{name}"
        cut.write_bytes((folder / name).read_bytes()[:-200])
        names += [name, f"{MARK}/{cut.name}"]
    book = openpyxl.Workbook()
    book.properties.creator = book.properties.title = book.properties.description = MARK
    sheet = book.active
    sheet.title = MARK
    sheet.append(["path", "subject", "patient", "field_x_mm", "field_y_mm", "depth_mm", "Patient's name"])
    for name in names:
        sheet.append([name, Path(name).name, f"{MARK} {name[-8:]}", "3", "3", "2", MARK])
    book.save(folder / "subjects.xlsx")
    rows = {"name": [Path(name).name for name in names], "subject": [f"eye{n}" for n in range(len(names))]}
    pd.DataFrame(rows | {"patient": rows["subject"]}).to_csv(folder.parent / "pseudonyms.csv", index=False)
    return folder


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Names, and bytes without compression, of all files below a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            yield path.relative_to(folder).as_posix(), gzip.decompress(data) if path.suffix == ".gz" else data
            if zipfile.is_zipfile(path):
                yield path.name, b"".join(map(zipfile.ZipFile(path).read, zipfile.ZipFile(path).namelist()))


def holding(folder: Path, *words: str) -> list[str]:
    """Files below a folder of which the name or the content holds one of the words, in whatever case or UTF-16."""
    sought = [re.compile(re.escape(w.encode(code)), re.IGNORECASE) for w in words for code in ("utf-8", "utf-16-le")]
    return [name for name, data in contents(folder) if any(one.search(name.encode() + b"\0" + data) for one in sought)]


def processed(project: Path, env: str, source: dict[str, Any], *, nodes: list[str] | None = None, **more: Any) -> Any:
    params = ONLY_READ | {"source": source} | more
    run(project, env=env, params=params, pipeline_names=["data_processing"], to_nodes=nodes)
    return catalog(project, env=env, params=params)


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
    with pytest.raises(
        DataError, match=r"few\.csv: 1 of 14 eyes of the source have no row: number \d+ of them"
    ) as told:
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

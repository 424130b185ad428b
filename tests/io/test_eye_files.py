"""One file or a list of files as a source."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.eye_files import has_column
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.vendor import VendorFolder
from octa_kedro.io.volume import scan_affine

SHAPE = (5, 4, 20)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Three files in two folders beside the place of the lists."""
    for index, name in enumerate(["x/007.nii.gz", "x/b.nii", "y/007.nii"]):
        array = np.random.default_rng(index).integers(0, 90, SHAPE).astype(np.uint8)
        write_nifti(tmp_path / name, array, scan_affine(SHAPE, (2.0, 2.0, 2.0)))
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_one_file_is_one_unlabelled_eye(scans: Path):
    source = NiftiFolder(scans / "x" / "007.nii.gz")
    assert source.subjects() == ["007"]
    assert source.volume("007", "OCTA").array.shape == SHAPE
    assert source.dimensions("007", "OCTA") == (SHAPE, pytest.approx((2.0, 2.0, 2.0)))
    with pytest.raises(DataError, match=r"007\.nii\.gz: needs the column label.*cohort\.labelled=false"):
        source.labels()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "# two eyes\nx/b.nii\n\n{root}/x/007.nii.gz\n"),
        ("list.yml", "- x/b.nii\n- {root}/x/007.nii.gz\n"),
        ("list.csv", "path\nx/b.nii\nx/007.nii.gz\n"),
    ],
)
def test_a_list_names_files_from_where_it_lies(scans: Path, name: str, text: str):
    source = NiftiFolder(write(scans / name, text.format(root=scans)))
    assert source.subjects() == ["007", "b"]
    assert source.check("b", "OCTA")["depth"] == 20
    assert source.fingerprint("007", "OCTA") == NiftiFolder(scans / "x").fingerprint("007", "OCTA")


def test_a_table_of_any_name_has_labels(scans: Path):
    source = NiftiFolder(write(scans / "mine.csv", "Subject;path;Label\n1;x/007.nii.gz;NA\n01;x/b.nii;None\n"))
    assert source.labels().set_index("subject")["disease"].to_dict() == {"1": "NA", "01": "None"}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "list.txt",
            "x/007.nii.gz\ny/007.nii\n",
            r"list\.txt: subject 007 has two files, x/007\.nii\.gz and y/007\.nii",
        ),
        ("list.csv", "path\nx/007.nii.gz\ny/007.nii\n", "subject 007 has two files, x/007"),
        ("list.txt", "x/b.tif\n", r"x/b\.tif does not end with any of \.nii\.gz, \.nii"),
        ("list.txt", "nowhere.nii\n", r"nowhere\.nii does not exist; correct the path in .*list\.txt"),
        ("list.txt", "# none\n", "lists no file"),
        ("list.yml", "a: x/b.nii\n", "is not a list of paths"),
        ("list.yml", "- [", "cannot be read as a list of files"),
        ("list.csv", "x/b.nii\n", "needs the column path"),
    ],
)
def test_lists_that_lead_nowhere_are_named(scans: Path, name: str, text: str, words: str):
    with pytest.raises(DataError, match=words):
        NiftiFolder(write(scans / name, text)).check("nowhere", "OCTA")


def test_a_place_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"gone\.nii: no such folder or file; give one with --params source\.path=PATH"):
        NiftiFolder(tmp_path / "gone.nii")


def test_scanners_files_can_be_listed_as_well(tmp_path: Path):
    (tmp_path / "eye.VOL").touch()
    assert VendorFolder(tmp_path / "eye.VOL").subjects() == ["eye"]
    assert VendorFolder(write(tmp_path / "all.lst", "eye.VOL\n")).subjects() == ["eye"]


@pytest.mark.parametrize("header", ["subject,path, Split ", "\ufeffsplit;path", '"path","split"'])
def test_a_column_is_found_in_the_first_line(tmp_path: Path, header: str):
    write(tmp_path / "subjects.csv", header + "\n")
    assert has_column(tmp_path, "split")
    assert has_column(tmp_path / "subjects.csv", "split")
    assert not has_column(tmp_path, "label")


def test_a_column_of_a_spreadsheet_is_found_as_well(tmp_path: Path):
    pd.DataFrame({"path": ["a.nii"], "Split": ["train"]}).to_excel(tmp_path / "subjects.xlsx", index=False)
    assert has_column(tmp_path, "split")
    assert not has_column(tmp_path / "nowhere", "split")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_list_is_read_in_any_encoding(tmp_path: Path, encoding: str, caplog):
    (tmp_path / "list.txt").write_bytes("M\u00fcller.nii\r\nb.nii\r\n".encode(encoding))
    assert NiftiFolder(tmp_path / "list.txt").subjects() == ["M\u00fcller", "b"]
    assert ("Windows-1252" in caplog.text) == (encoding == "cp1252")


def test_the_two_files_of_one_scan_are_one_subject(tmp_path: Path):
    names = ("a.vol", "A_Angio.vol", "b_Angio.vol", "c.vol", "p_OD_cube_z.img", "p_OD_FlowCube_z.img")
    for name in names:
        (tmp_path / name).write_bytes(b"1")
    table = VendorFolder(tmp_path).table
    assert table.subjects() == ["A_Angio", "b_Angio", "c", "p_OD_FlowCube_z"]
    files = {eye: (table.file(eye, "OCTA").name, table.file(eye, "OCT").name) for eye in table.subjects()}
    assert files["A_Angio"] == ("A_Angio.vol", "a.vol")
    assert files["p_OD_FlowCube_z"] == ("p_OD_FlowCube_z.img", "p_OD_cube_z.img")
    assert files["c"] == ("c.vol", "c.vol")
    assert len(table.files("A_Angio", "OCTA", "OCT")) == 2

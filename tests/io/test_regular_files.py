"""What is no regular file is refused and not opened: a pipe would be waited for without end, a device read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from octa_kedro.configuration.run_parameters import parameters_file
from octa_kedro.errors import DataError, OctaError
from octa_kedro.io.eye_files import find_eye_files
from octa_kedro.io.matlab import read_matlab
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.subject_table import SubjectTable
from octa_kedro.io.tables import read_table
from octa_kedro.io.vendor import VendorFolder

READERS: dict[str, Callable[[Path], object]] = {
    "my.yml": lambda path: parameters_file({"parameters": str(path)}),
    "eyes.yml": lambda path: find_eye_files(path, (".nii",)),
    "eyes.txt": lambda path: find_eye_files(path, (".nii",)),
    "subjects.csv": lambda path: read_table(path, ("path",)),
    "subjects.xlsx": lambda path: read_table(path, ("path",)),
    "layers.mat": lambda path: read_matlab(path, "Layer"),
    "eye.nii": lambda path: NiftiFolder(path).check("eye", "OCTA"),
    "eye.vol": lambda path: VendorFolder(path).check("eye", "OCT"),
}
OTHERS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_regular_file_is_not_opened(tmp_path: Path, name: str, what: str):
    OTHERS[what](tmp_path / name)
    with pytest.raises(OctaError, match=name.replace(".", r"\.")):
        READERS[name](tmp_path / name)


def test_a_path_that_is_too_long_for_a_name_is_one_line(tmp_path: Path):
    long = "x" * 300 + ".nii"
    (tmp_path / "subjects.csv").write_text(f"subject,path\neye,{long}\n")
    with pytest.raises(DataError, match=r"subject eye: .* does not exist; correct the path in"):
        SubjectTable(tmp_path, (".nii",)).file("eye", "OCTA")
    with pytest.raises(DataError, match="no such folder or file"):
        find_eye_files(tmp_path / long, (".nii",))

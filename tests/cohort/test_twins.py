"""One scan, one eye: the same bytes under two names."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from octa_kedro.cohort import twins
from octa_kedro.cohort.config import CohortConfig
from octa_kedro.cohort.table import select_eyes
from octa_kedro.cohort.twins import same_drawings, same_scans
from octa_kedro.errors import DataError
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.release import Octa500Release


def folder(root: Path, paths: Mapping[str, str], **columns: list[str]) -> NiftiFolder:
    """A table whose eyes have these paths; the files are of one size and differ."""
    for seed, name in enumerate(sorted({*paths.values(), *(p for c in columns.values() for p in c if p)})):
        if not (root / name).exists():
            array = np.random.default_rng(seed).integers(1, 90, (8, 8, 8)).astype(np.uint8)
            write_nifti(root / name, array, np.diag([0.3, 0.3, 0.2, 1.0]))
    table = pd.DataFrame({"subject": [*paths], "path": [*paths.values()], **columns})
    table.assign(label=["no" if i % 2 else "yes" for i in range(len(table))]).to_csv(root / "subjects.csv", index=False)
    return NiftiFolder(root)


CONFIG = CohortConfig(classes=None, diseases=None, negative="no", modalities=("OCTA",))


def test_one_file_under_two_subjects(tmp_path: Path):
    source = folder(tmp_path, {"a": "a.nii", "b": "b.nii", "twin": "a.nii"})
    with pytest.raises(DataError, match=r"subjects a and twin have the same scan \(.*a\.nii\); one scan is one eye"):
        select_eyes(source, CONFIG)


def test_a_copy_of_a_file_under_another_name(tmp_path: Path):
    source = folder(tmp_path, {"a": "a.nii", "b": "b.nii", "c": "c.nii"})
    shutil.copy(tmp_path / "a.nii", tmp_path / "c.nii")
    with pytest.raises(DataError, match=r"subjects a and c .*a\.nii and .*c\.nii have the same bytes"):
        select_eyes(source, CONFIG)


def test_eyes_of_their_own_are_let_through_without_reading_them_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(twins, "_bytes", lambda _scan: pytest.fail("read whole"))
    assert len(select_eyes(folder(tmp_path, {"a": "a.nii", "b": "b.nii"}), CONFIG).table) == 2


def test_where_nobody_learns_it_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    source = folder(tmp_path, {"a": "a.nii", "twin": "a.nii"})
    assert len(select_eyes(source, CONFIG.model_copy(update={"labelled": False})).table) == 2
    assert "subjects a and twin have the same scan" in caplog.text


def test_two_modalities_that_are_one_file(tmp_path: Path):
    source = folder(tmp_path, {"a": "a.nii", "b": "b.nii"}, oct_path=["a_oct.nii", ""])
    assert same_scans(source, ["a", "b"], ("OCTA", "OCT")) == []  # b has one file for both
    shutil.copy(tmp_path / "a.nii", tmp_path / "a_oct.nii")
    (words,) = same_scans(source, ["a", "b"], ("OCTA", "OCT"))
    assert re.match(r"subject a: its OCTA and its OCT are one scan \(.*a\.nii and .*a_oct\.nii have", words)


def test_a_folder_of_bscans_that_was_copied(release_copy: Path):
    folders = sorted(path for path in release_copy.glob("OCTA_3mm/OCTA/*") if path.is_dir())
    shutil.rmtree(folders[1])
    shutil.copytree(folders[0], folders[1])
    release = Octa500Release(release_copy)
    (words,) = same_scans(release, release.subjects(), ("OCTA", "OCT"))
    assert words.startswith(f"subjects {folders[0].name} and {folders[1].name} have the same scan")


def test_surfaces_that_were_copied_are_refused(release_copy: Path):
    one, other = sorted((release_copy / "Label/GT_Layers").glob("*.mat"))[:2]
    release = Octa500Release(release_copy)
    assert same_drawings(release, release.subjects()) == {"surfaces": [], "lesion": []}
    shutil.copy(one, other)
    (words,) = same_drawings(release, release.subjects())["surfaces"]
    assert words.startswith(f"subjects {one.stem} and {other.stem} have the same surfaces: ")
    assert words.endswith("replace the file of the one that it is not of, or leave it out")


@pytest.mark.parametrize("lesion", [0, 1])
def test_a_lesion_mask_that_was_copied_is_named_and_empty_ones_are_alike(tmp_path: Path, caplog, lesion: int):
    source = folder(tmp_path, {"a": "a.nii", "b": "b.nii"}, lesion_path=["ma.nii", "mb.nii"])
    mask = np.zeros((8, 8, 8), np.uint8)
    mask[2:4, 2:4, 2:4] = lesion
    for name in "ab":
        write_nifti(tmp_path / f"m{name}.nii", mask, np.diag([0.3, 0.3, 0.2, 1.0]))
    assert len(select_eyes(source, CONFIG).table) == 2
    assert ("subjects a and b have the same lesion: " in caplog.text) == bool(lesion)

"""Masks and surfaces in NIfTI files of their own, beside scans in NIfTI or in vendors' files."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.masks import as_mask
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.vendor import VendorFolder
from octa_kedro.io.volume import scan_affine
from tests.io.test_heidelberg import Writer, written

FLOW = np.random.default_rng(0).uniform(0, 1, (8, 10, 20)).astype(np.float32)
AFFINE = scan_affine(FLOW.shape, (2.0, 3.0, 1.0))  # as `Writer` states it
LESION = np.zeros(FLOW.shape, np.uint8)
LESION[2:4, 3:5, 6:9] = 1


@pytest.mark.parametrize("array", [LESION, LESION * 255, LESION + LESION * (FLOW > 0.5), LESION + np.float32(1e-7)])
def test_labels_and_rounded_labels_are_a_mask(array: np.ndarray):
    np.testing.assert_array_equal(as_mask(Path("m.nii"), array), LESION)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (LESION * np.float32(0.5), r"values between whole numbers, such as 0\.5; write 1 where the lesion is"),
        (LESION.astype(np.int16) * 2 - 1, "mask with the value -1; write 0 where there is no lesion"),
        (LESION.astype(np.int16) * 300, "mask with the value 300; number kinds of lesion from 1 to 255"),
        ((FLOW * 200).astype(np.uint8), r"holds \d+ different values, as a scan does and no mask"),
        (np.ones_like(LESION), "no voxel of the mask is 0"),
        (np.where(LESION, np.nan, 0), "NaN or infinite values"),
    ],
)
def test_what_is_no_mask_is_refused(array: np.ndarray, words: str):
    with pytest.raises(DataError, match=rf"m\.nii: .*{words}"):
        as_mask(Path("m.nii"), array)


def test_a_mask_of_most_of_the_scan_is_warned_about(caplog: pytest.LogCaptureFixture):
    as_mask(Path("m.nii"), 1 - LESION)
    assert "99 % of the scan are lesion by this mask; look whether it is inverted" in caplog.text


def vendor_eye(folder: Path, **columns: str) -> VendorFolder:
    row = {"subject": "e", "path": "e_Angio.vol", **columns}
    (folder / "subjects.csv").write_text(f"{','.join(row)}\n{','.join(row.values())}\n")
    return VendorFolder(folder)


def test_a_mask_and_surfaces_lie_over_a_vendor_s_file(tmp_path: Path):
    written(tmp_path, "e_Angio.vol", FLOW)
    depths = np.full((8, 10, 2), (0.3, 0.8), np.float32)
    write_nifti(tmp_path / "m.nii", LESION[::-1].copy(), AFFINE @ np.diag([-1, 1, 1, 1]) + shift(2.0))
    write_nifti(tmp_path / "s.nii", depths, AFFINE)
    source = vendor_eye(tmp_path, lesion_path="m.nii", surfaces_path="s.nii")
    lesion, surfaces = source.lesion("e"), source.surfaces("e")
    np.testing.assert_array_equal(lesion.array, LESION)
    np.testing.assert_allclose(lesion.affine, source.volume("e", "OCTA").affine)
    np.testing.assert_array_equal(surfaces.array, depths)
    assert (surfaces.names, surfaces.laterality, lesion.laterality) == (("ILM", "BM"), "OS", "OS")
    write_nifti(tmp_path / "m.nii", LESION, np.diag([*np.diag(AFFINE)[:3], 1]))
    with pytest.raises(DataError, match=r"m\.nii: mask that its header lays up to 0\.5 voxels"):
        source.lesion("e")


def shift(x: float) -> np.ndarray:
    """Moves a mirrored axis of 2 mm, whose first voxel lies half a voxel from 0, onto the other end."""
    moved = np.zeros((4, 4))
    moved[0, 3] = x - 2 * AFFINE[0, 3]
    return moved


def test_files_of_two_scans_are_no_pair(tmp_path: Path):
    written(tmp_path, "e_Angio.vol", FLOW)
    written(tmp_path, "e.vol", FLOW[:, :8])
    source = vendor_eye(tmp_path, oct_path="e.vol")
    for function in (source.volume, source.check):
        with pytest.raises(DataError, match=r"e\.vol: 8 x 8 x 20 voxels .*path and oct_path have to be two files of"):
            function("e", "OCT")
    written(tmp_path, "e.vol", FLOW, Writer(side=b"OD"))
    source.surfaces("e")
    with pytest.raises(DataError, match=r"e\.vol is of OD, but .*e_Angio\.vol of OS; name files of one eye"):
        source.volume("e", "OCTA")


def test_a_side_that_table_and_file_state_differently_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    written(tmp_path, "e_Angio.vol", FLOW)
    assert vendor_eye(tmp_path, laterality="OD").volume("e", "OCTA").laterality == "OD"
    assert "e_Angio.vol is of OS, but" in caplog.text
    assert "says OD, which counts" in caplog.text


@pytest.mark.parametrize(
    ("name", "levels", "words"),
    [
        ("a.nii", 1, r"is compressed, against what its name says; let its name end with \.nii\.gz"),
        ("a.nii.gz", 2, "is compressed, against what its name says; decompress it once"),
        ("a.nii.gz", 0, r"is not compressed, as its name says; .* let its name end with \.nii"),
    ],
)
def test_compression_that_the_name_does_not_tell_is_named(tmp_path: Path, name: str, levels: int, words: str):
    write_nifti(tmp_path / "x.nii", LESION, AFFINE)
    data = (tmp_path / "x.nii").read_bytes()
    for _ in range(levels):
        data = gzip.compress(data)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=words):
        NiftiFolder(tmp_path / name).check("a", "OCTA")

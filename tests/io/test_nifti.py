"""NIfTI round trips."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from octa_kedro.errors import DataError
from octa_kedro.io.nifti import check_nifti, read_nifti, write_nifti

AFFINE = np.array([[0.1, 0, 0, 1.5], [0, 0.2, 0, -2], [0, 0, 0.05, 0.3], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_round_trip_keeps_type_values_and_affine(tmp_path: Path, suffix: str, kind: type):
    array = np.random.default_rng(0).integers(0, 100, (4, 5, 6)).astype(kind)
    write_nifti(tmp_path / f"a{suffix}", array, AFFINE)
    back, affine = read_nifti(tmp_path / f"a{suffix}")
    assert back.dtype == kind
    np.testing.assert_array_equal(back, array)
    np.testing.assert_allclose(affine, AFFINE, atol=1e-6)


def test_unit_values_are_sixteen_bit_with_a_slope(tmp_path: Path):
    array = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    array[0, 0, :2] = 0, 1
    path = tmp_path / "a.nii"
    write_nifti(path, array, AFFINE, unit=True)
    back, _ = read_nifti(path)
    assert back.dtype == np.float32
    assert np.abs(back - array).max() <= 0.51 / 65535
    assert back[0, 0, 0] == 0
    assert back[0, 0, 1] == pytest.approx(1)
    # Any other reader must see the same numbers.
    np.testing.assert_allclose(nib.load(path).get_fdata(), back, atol=1e-6)
    assert nib.load(path).header.get_data_dtype() == np.uint16


def test_values_outside_the_unit_interval_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="values in"):
        write_nifti(tmp_path / "a.nii", np.full((2, 2, 2), 1.5), AFFINE, unit=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_same_array_same_bytes(tmp_path: Path, suffix: str):
    array = np.random.default_rng(0).random((9, 5, 6)).astype(np.float32)
    for name in ("a", "b"):
        write_nifti(tmp_path / f"{name}{suffix}", array, AFFINE)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_uncompressed_integers_stay_on_disk(tmp_path: Path):
    write_nifti(tmp_path / "a.nii", np.ones((3, 3, 3), np.uint8), AFFINE)
    assert isinstance(read_nifti(tmp_path / "a.nii")[0], np.memmap)


def test_truncated_and_foreign_files_are_named(tmp_path: Path):
    path = tmp_path / "a.nii"
    write_nifti(path, np.ones((8, 8, 8), np.float32), AFFINE)
    path.write_bytes(path.read_bytes()[:1000])
    (tmp_path / "b.nii").write_text("no image")
    for name in ("a.nii", "b.nii", "c.nii"):
        with pytest.raises(DataError, match=f"{name}: not a readable NIfTI"):
            np.asarray(read_nifti(tmp_path / name)[0])


def test_a_truncated_compressed_file_is_named(tmp_path: Path):
    path = tmp_path / "a.nii.gz"
    write_nifti(path, np.random.default_rng(0).random((16, 16, 16)).astype(np.float32), AFFINE)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"a\.nii\.gz: not a readable NIfTI"):
        read_nifti(path)


def test_a_fourth_axis_is_refused_unless_it_is_one(tmp_path: Path):
    write_nifti(tmp_path / "a.nii", np.ones((3, 4, 5, 1), np.uint8), AFFINE)
    assert check_nifti(tmp_path / "a.nii")[0] == (3, 4, 5)
    write_nifti(tmp_path / "b.nii", np.ones((3, 4, 5, 2), np.uint8), AFFINE)
    with pytest.raises(DataError, match="3 axes"):
        check_nifti(tmp_path / "b.nii")


def test_an_affine_with_shear_is_kept_and_itk_reads_the_nearest_without(tmp_path: Path):
    sheared = np.array([[0.1, 0.001, 0, 1.5], [0, 0.2, 0.0004, -2], [0, 0, 0.05, 0.3], [0, 0, 0, 1.0]])
    write_nifti(tmp_path / "a.nii", np.ones((4, 5, 6), np.uint8), sheared)
    np.testing.assert_allclose(read_nifti(tmp_path / "a.nii")[1], sheared, atol=1e-7)
    image = SimpleITK.ReadImage(tmp_path / "a.nii")
    np.testing.assert_allclose(image.GetOrigin(), [-1.5, 2, 0.3], atol=1e-6)
    seen = np.diag([-1, -1, 1]) @ np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    np.testing.assert_allclose(seen, sheared[:3, :3], atol=1e-3)


def test_the_note_is_the_headers_description(tmp_path: Path):
    write_nifti(tmp_path / "a.nii", np.ones((4, 5, 6), np.uint8), AFFINE, note="without flattening")
    assert nib.load(tmp_path / "a.nii").header["descrip"].item() == b"without flattening"

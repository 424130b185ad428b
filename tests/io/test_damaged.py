"""Damaged files of every format: nothing but a DataError that names the file, whatever byte is wrong."""

import gzip
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from octa_kedro.errors import DataError
from octa_kedro.io.bmp import bitmap_size, read_grey
from octa_kedro.io.boundary import reading
from octa_kedro.io.matlab import read_matlab
from octa_kedro.io.nifti import read_volume, write_nifti
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.vendor import VendorFolder
from octa_kedro.io.volume import scan_affine
from tests.io import test_e2e, test_heidelberg, test_topcon, test_zeiss
from tests.io.dicom_files import DicomEye

SHAPE = (6, 5, 12)
VOXELS = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)
AFFINE = scan_affine(SHAPE, (3.0, 2.5, 2.0))
ZEISS = "P1_Macular Cube 6x5_1-2-2020_3-4-5_OD_sn1_cube_z.img"


def vendor(path: Path) -> None:
    source = VendorFolder(path, anatomy="any")
    (subject,) = source.subjects()
    source.check(subject, "OCT")
    source.volume(subject, "OCT")
    source.surfaces(subject)


def nifti(path: Path) -> None:
    source = NiftiFolder(path, anatomy="any")
    source.check("eye", "OCTA")
    source.volume("eye", "OCTA")


def bitmap(path: Path) -> None:
    bitmap_size(path)
    read_grey(path)


def layers(path: Path) -> None:
    read_matlab(path, "Layer")


def save_e2e(path: Path) -> None:
    test_e2e.Writer().volume(test_e2e.random_voxels()[0]).save(path)


def save_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["Layer"] = np.ones((4, 5, 6))


READERS: dict[str, tuple[Callable[[Path], object], Callable[[Path], None]]] = {
    "eye.vol": (lambda path: path.write_bytes(test_heidelberg.Writer()(VOXELS / 255)), vendor),
    "eye.fda": (lambda path: path.write_bytes(test_topcon.fda_bytes(VOXELS)), vendor),
    "eye.e2e": (save_e2e, vendor),
    "eye.dcm": (lambda path: DicomEye().write(path), vendor),
    ZEISS: (lambda path: test_zeiss.write(path, test_zeiss.random_voxels(6, 5, 1024)), vendor),
    "eye.nii": (lambda path: write_nifti(path, VOXELS, AFFINE), nifti),
    "eye.nii.gz": (lambda path: write_nifti(path, VOXELS, AFFINE), nifti),
    "eye.bmp": (lambda path: Image.fromarray(VOXELS[:, :, 0]).save(path), bitmap),
    "5.mat": (lambda path: savemat(path, {"Layer": np.ones((4, 5, 6))}), layers),
    "7.mat": (save_hdf5, layers),
}


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_told_as_that(tmp_path: Path, name: str, data: st.DataObject):
    write, read = READERS[name]
    path, kept = tmp_path / name, tmp_path / "whole"
    if not kept.is_file():
        write(path)
        kept.write_bytes(path.read_bytes())
    damaged = bytearray(kept.read_bytes())
    # headers come first: most of the damage is done there
    places = st.one_of(st.integers(0, min(400, len(damaged) - 1)), st.integers(0, len(damaged) - 1))

    for place in data.draw(st.lists(places, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged[: data.draw(st.one_of(st.just(len(damaged)), places))])
    told = name
    try:
        read(path)
    except DataError as error:
        told = str(error)
    assert name in told


def test_every_changed_byte_of_a_compressed_file_is_found(tmp_path: Path):
    path = tmp_path / "eye.nii.gz"
    write_nifti(path, VOXELS, AFFINE)
    whole = path.read_bytes()
    np.testing.assert_array_equal(read_volume(path).array, VOXELS)
    wrong = []
    for place in range(10, len(whole)):  # before that stand the time and flags
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            if not np.array_equal(read_volume(path).array, VOXELS):
                wrong.append(place)
        except DataError:
            continue
    assert wrong == []


@pytest.mark.parametrize("more", [b"\0", b"voxels of another volume"])
def test_a_compressed_file_of_another_length_is_refused(tmp_path: Path, more: bytes):
    path, data = tmp_path / "eye.nii.gz", nib.Nifti1Image(VOXELS, AFFINE).to_bytes()
    path.write_bytes(gzip.compress(data + more))
    with pytest.raises(DataError, match=r"eye\.nii\.gz: its header states 360 bytes of voxels, but it goes on"):
        read_volume(path)
    path.write_bytes(gzip.compress(data[:-7]))
    with pytest.raises(DataError, match=r"eye\.nii\.gz: its header states 360 bytes of voxels, but it has 353"):
        read_volume(path)


def test_memory_that_no_scan_needs_is_a_damaged_size(tmp_path: Path):
    with pytest.raises(DataError, match=r"a\.vol: damaged \(Unable to allocate"), reading(tmp_path / "a.vol"):
        np.empty((1 << 40, 64))


def test_a_fault_of_the_machine_is_not_the_files(tmp_path: Path):
    with pytest.raises(MemoryError), reading(tmp_path / "a.vol"):
        raise MemoryError
    with pytest.raises(PermissionError), reading(tmp_path / "a.vol"):
        raise PermissionError(13, "Permission denied")
    with pytest.raises(DataError, match=r"a\.vol: damaged \(bad\); copy it again"), reading(tmp_path / "a.vol"):
        raise ValueError("bad")

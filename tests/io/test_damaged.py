"""Damaged files of every format: nothing but an OctaError that names the file, whatever is wrong.

`benchmarks.fuzz_readers` does the same for minutes, and looks at memory, hanging and the end of the process.
"""

import gzip
from pathlib import Path
from random import Random

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octa_kedro.errors import DataError, user_error
from octa_kedro.io.boundary import reading
from octa_kedro.io.nifti import read_nifti, write_nifti
from tests.fuzz.mutations import damaged
from tests.fuzz.targets import AFFINE, TARGETS, VOXELS

SLOW = ("study", "conf")
"""A tenth of a second a file."""


@pytest.mark.parametrize("name", [pytest.param(one, marks=pytest.mark.slow if one in SLOW else ()) for one in TARGETS])
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_damage_is_told_as_that(tmp_path: Path, name: str, random: Random):
    target = TARGETS[name]
    path, kept = tmp_path / target.name, tmp_path.parent / f"{tmp_path.name}.whole"
    if not kept.is_file():
        target.write(path)
        kept.write_bytes(path.read_bytes())
    path.write_bytes(damaged(kept.read_bytes(), random))
    told = str(tmp_path)
    try:
        target.read(path)
    except Exception as error:  # Kedro wraps what a dataset raises
        if (ours := user_error(error)) is None:
            raise
        told = str(ours)
    assert str(tmp_path) in told


def test_every_changed_byte_of_a_compressed_file_is_found(tmp_path: Path):
    path = tmp_path / "eye.nii.gz"
    write_nifti(path, VOXELS, AFFINE)
    whole = path.read_bytes()
    np.testing.assert_array_equal(read_nifti(path)[0], VOXELS)
    wrong = []
    for place in range(10, len(whole)):  # before that stand the time and flags
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            if not np.array_equal(read_nifti(path)[0], VOXELS):
                wrong.append(place)
        except DataError:
            continue
    assert wrong == []


@pytest.mark.parametrize("more", [b"\0", b"voxels of another volume"])
def test_a_compressed_file_of_another_length_is_refused(tmp_path: Path, more: bytes):
    path, data = tmp_path / "eye.nii.gz", nib.Nifti1Image(VOXELS, AFFINE).to_bytes()
    path.write_bytes(gzip.compress(data + more))
    with pytest.raises(DataError, match=r"eye\.nii\.gz: its header states 360 bytes of voxels, but it goes on"):
        read_nifti(path)
    path.write_bytes(gzip.compress(data[:-7]))
    with pytest.raises(DataError, match=r"eye\.nii\.gz: its header states 360 bytes of voxels, but it has 353"):
        read_nifti(path)


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

"""Names and headers are held against bounds before anything is allocated or opened, and no folder is passed over."""

import errno
import os
import struct
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from octa_kedro.errors import DataError
from octa_kedro.io.bmp import bitmap_size, read_classes, read_grey
from octa_kedro.io.bscans import list_bscans
from octa_kedro.io.matlab import read_matlab
from octa_kedro.io.release import Octa500Release
from tests.conftest import write_bscans


@pytest.mark.parametrize("name", ["20240101.bmp", "999999999.bmp"])
def test_a_bscan_that_is_named_by_a_date_costs_no_memory(tmp_path: Path, name: str):
    write_bscans(tmp_path, np.ones((4, 3, 2), np.uint8))
    (tmp_path / "3.bmp").rename(tmp_path / name)
    tracemalloc.start()
    with pytest.raises(DataError, match=rf"to {name.removesuffix('.bmp')} but 3, 4, 5, 6, 7, \.\.\. is missing"):
        list_bscans(tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_pipe_among_the_bscans_is_refused_and_not_opened(tmp_path: Path):
    write_bscans(tmp_path, np.ones((4, 3, 2), np.uint8))
    os.mkfifo(tmp_path / "4.bmp")
    with pytest.raises(DataError, match=r"4\.bmp: is no regular file"):
        list_bscans(tmp_path)


def bitmap(side: int, compression: int) -> bytes:
    """The header of a square bitmap, and almost no pixels."""
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, compression, 4, 0, 0, 256, 0)
    return struct.pack("<2sIHHI", b"BM", 1100, 0, 0, 1078) + info + bytes(1024) + b"\0\1\0\1"


@pytest.mark.parametrize("read", [bitmap_size, read_grey, read_classes])
@pytest.mark.parametrize("side", [9_000, 60_000])
@pytest.mark.parametrize("compression", [0, 1])
def test_a_bitmap_that_states_a_giant_size_is_refused(tmp_path: Path, read, side: int, compression: int):
    (tmp_path / "1.bmp").write_bytes(bitmap(side, compression))
    with pytest.raises(DataError, match=r"1\.bmp: (its header states 9000 x 9000 pixels|.*60000 x 60000|Image size)"):
        read(tmp_path / "1.bmp")


def test_matlab_files_that_state_a_giant_size_are_refused(tmp_path: Path):
    with h5py.File(tmp_path / "new.mat", "w") as file:
        file.create_dataset("Layer", (1 << 20, 1 << 20), "f8", chunks=(64, 64))
    with pytest.raises(DataError, match=r"new\.mat: its header states Layer of shape \(1048576, 1048576\)"):
        read_matlab(tmp_path / "new.mat", "Layer")
    savemat(tmp_path / "old.mat", {"Layer": np.ones((2, 3))})
    whole = (tmp_path / "old.mat").read_bytes()
    (tmp_path / "old.mat").write_bytes(whole.replace(struct.pack("<ii", 2, 3), struct.pack("<ii", 1 << 20, 1 << 20)))
    with pytest.raises(DataError, match=r"old\.mat: its header states Layer of shape \(1048576, 1048576\)"):
        read_matlab(tmp_path / "old.mat", "Layer")


@pytest.mark.parametrize("folder", ["", "OCTA_3mm", "OCTA_3mm/OCTA", "OCTA_3mm/OCTA/1"])
def test_a_folder_that_cannot_be_listed_is_an_error_that_names_it(tmp_path: Path, monkeypatch, folder: str):
    write_bscans(tmp_path / "OCTA_3mm" / "OCTA" / "1", np.ones((4, 3, 2), np.uint8))
    write_bscans(tmp_path / "OCTA_6mm" / "OCTA" / "2", np.ones((4, 3, 2), np.uint8))
    closed, scandir, listdir = tmp_path / folder, os.scandir, os.listdir

    def refusing(function):
        def listed(path):
            if Path(path) == closed:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return function(path)

        return listed

    monkeypatch.setattr(os, "scandir", refusing(scandir))  # as root, permissions would not hold
    monkeypatch.setattr(os, "listdir", refusing(listdir))
    release = Octa500Release(tmp_path)
    with pytest.raises(DataError, match=rf"{folder}: .*cannot be listed \(Permission denied\)"):
        [release.check(subject, "OCTA") for subject in release.subjects()]

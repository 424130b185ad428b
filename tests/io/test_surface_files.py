"""Layer files of both MATLAB formats, in any axis order that can be told, and surfaces that do not fit."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from octa_kedro.errors import DataError
from octa_kedro.io.surface_files import SURFACES, check_surfaces, read_faz_volume, read_layers

WIDTH, N, DEPTH = 5, 4, 30


def stored(width: int = WIDTH, n: int = N) -> np.ndarray:
    """(surface, x, y), counted from 1."""
    x, y = np.mgrid[:width, :n]
    return (4 * np.arange(6)[:, None, None] + x + y // 3 + 1).astype(np.uint16)


def write(path: Path, array: np.ndarray, *, hdf5: bool, key: str = "Layer") -> Path:
    if hdf5:
        with h5py.File(path, "w") as file:
            file[key] = array
    else:
        savemat(path, {key: array})
    return path


@pytest.mark.parametrize("hdf5", [False, True])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_both_formats_and_all_orders_that_lengths_tell(tmp_path: Path, hdf5: bool, order: tuple[int, ...]):
    path = write(tmp_path / "1.mat", stored().transpose(order), hdf5=hdf5)
    depths = read_layers(path, WIDTH, N)
    assert depths.shape == (WIDTH, N, 6)
    np.testing.assert_array_equal(depths, stored().transpose(1, 2, 0) - 1.0)


@pytest.mark.parametrize("hdf5", [False, True])
def test_a_square_scan_needs_the_released_order(tmp_path: Path, hdf5: bool):
    square = stored(5, 5)
    released = square.T if hdf5 else square
    path = write(tmp_path / "1.mat", released, hdf5=hdf5)
    np.testing.assert_array_equal(read_layers(path, 5, 5), square.transpose(1, 2, 0) - 1.0)
    write(path, released.T, hdf5=hdf5)
    with pytest.raises(DataError, match=r"1\.mat: .*two axes are equally long"):
        read_layers(path, 5, 5)


@pytest.mark.parametrize("shape", [(6, 5, 5), (5, 5, 4), (6, 20), (6, 5, 4, 1)])
def test_layers_of_another_scan_are_named(tmp_path: Path, shape: tuple[int, ...]):
    with h5py.File(tmp_path / "1.mat", "w") as file:
        file["Layer"] = np.ones(shape)
    with pytest.raises(DataError, match=r"1\.mat: layers of shape"):
        read_layers(tmp_path / "1.mat", WIDTH, N)


@pytest.mark.parametrize("content", [b"", b"no MATLAB file", b"MATLAB 5.0 MAT-file" + bytes(200)])
def test_foreign_files_are_named(tmp_path: Path, content: bytes):
    (tmp_path / "1.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"1\.mat: no MATLAB file of the versions 5 to 7"):
        read_layers(tmp_path / "1.mat", WIDTH, N)


@pytest.mark.parametrize("hdf5", [False, True])
def test_another_variable_is_named(tmp_path: Path, hdf5: bool):
    path = write(tmp_path / "1.mat", stored(), hdf5=hdf5, key="Other")
    with pytest.raises(DataError, match=r"1\.mat: no MATLAB file with the variable 'Layer'"):
        read_layers(path, WIDTH, N)


@pytest.mark.parametrize("hdf5", [False, True])
def test_a_truncated_file_is_named(tmp_path: Path, hdf5: bool):
    path = write(tmp_path / "1.mat", stored(), hdf5=hdf5)
    path.write_bytes(path.read_bytes()[:-150])
    with pytest.raises(DataError, match=r"1\.mat: (not a readable MATLAB file|truncated or damaged)"):
        read_layers(path, WIDTH, N)


def depths() -> np.ndarray:
    return stored().transpose(1, 2, 0).astype(np.float32) - 1


def cross(d: np.ndarray) -> None:
    d[0, 0, 1] = d[0, 0, 2] + 2


def leave(d: np.ndarray) -> None:
    d[0, 0, 5] = DEPTH + 1


def lose(d: np.ndarray) -> None:
    d[0, 0] = -1  # 0 in the file


def gap(d: np.ndarray) -> None:
    d[1, :2, 3] = np.nan


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cross, r"IPL_INL and OPL_ONL cross in 5\.00% of the A-scans, by up to 2 voxels"),
        (leave, r"BM outside the scan's 30 voxels of depth in 5\.00%"),
        (lose, r"5\.00% of the A-scans have no value in ILM, IPL_INL, OPL_ONL, IS_OS, RPE, BM"),
        (gap, r"10\.00% of the A-scans have no value in IS_OS"),
    ],
)
def test_surfaces_that_do_not_fit_are_named(damage, words: str):
    bad = depths()
    damage(bad)
    with pytest.raises(DataError, match=f"eye 7: .*{words}"):
        check_surfaces(bad, SURFACES, depth=DEPTH, who="eye 7")


def test_ties_and_crossings_of_one_voxel_are_rounding():
    close = depths()
    close[..., 1] = close[..., 2] + 1
    close[0, 0, 5] = DEPTH
    check_surfaces(close, SURFACES, depth=DEPTH, who="eye 7")


@pytest.mark.parametrize("width", [WIDTH, N])
@pytest.mark.parametrize("depth_axis", [0, 1, 2])
def test_the_faz_mask_lies_on_the_scan(tmp_path: Path, width: int, depth_axis: int):
    mask = np.zeros((width, N, DEPTH), np.uint8)
    mask[3, 1, 5:9] = 1
    matlab = np.moveaxis(mask, 2, depth_axis)  # x before y wherever the depth stands
    for hdf5 in (True, False):
        path = write(tmp_path / f"{hdf5}.mat", matlab.T if hdf5 else matlab, hdf5=hdf5, key="FAZlabel")
        np.testing.assert_array_equal(read_faz_volume(path, mask.shape), mask)
    with pytest.raises(DataError, match="a mask of shape"):
        read_faz_volume(path, (width, N, DEPTH + 1))
    with pytest.raises(DataError, match="a mask of shape"):
        read_faz_volume(path, (width + 9, N, DEPTH))

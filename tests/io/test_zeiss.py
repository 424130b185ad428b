"""Zeiss .img files, written here byte by byte."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octa_kedro.errors import DataError
from octa_kedro.io.zeiss import img_size, read_img, read_name

CUBE = "P1_Macular Cube {w}x{n}_1-2-2020_3-4-5_{side}_sn1_cube_{kind}.img"
ANGIO = "P1_Angiography {mm}x{mm} mm_1-2-2020_3-4-5_{side}_sn1_{kind}.img"
PLEX = "P1_Angio ({mm}mmx{mm}mm)_1-2-2020_3-4-5_{side}_sn1_{kind}.img"


def write(path: Path, voxels: np.ndarray) -> Path:
    """Voxels [x, y, z] as the device stores them: x fastest and mirrored, from the deepest voxel upwards."""
    path.write_bytes(np.ascontiguousarray(voxels.transpose(1, 2, 0)[:, ::-1, ::-1]).tobytes())
    return path


def random_voxels(width: int, n: int, depth: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (width, n, depth)).astype(np.uint8)


@settings(max_examples=20)
@given(
    st.integers(2, 7), st.integers(2, 7), st.sampled_from([1024, 1536]), st.sampled_from(["OD", "OS"]),
    st.sampled_from(["raw", "z"]),
)  # fmt: skip
def test_a_named_cube_comes_back(width: int, n: int, depth: int, side: str, kind: str):
    voxels = random_voxels(width, n, depth)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / CUBE.format(w=width, n=n, side=side, kind=kind), voxels)
        scan, size = read_img(path, "OCT"), img_size(path, None)
    np.testing.assert_array_equal(scan.array, voxels)
    assert size == (voxels.shape, scan.spacing)
    assert scan.spacing == pytest.approx((6 / width, 6 / n, {1024: 2, 1536: 3}[depth] / depth))
    assert (scan.modality, scan.scale, scan.laterality, scan.unstated) == ("OCT", "displayed", side, ("y",))


@settings(max_examples=20)
@given(
    st.integers(2, 7), st.sampled_from(["3", "4.5", "6", "8", "12"]), st.sampled_from([1024, 1536]),
    st.sampled_from([ANGIO, PLEX]), st.booleans(),
)  # fmt: skip
def test_a_square_field_comes_back(n: int, mm: str, depth: int, name: str, flow: bool):
    voxels = random_voxels(n, n, depth)
    with tempfile.TemporaryDirectory() as folder:
        named = name.format(mm=mm, side="OS", kind="FlowCube_z" if flow else "cube_z")
        path = write(Path(folder) / named, voxels)
        scan = read_img(path, None)
        with pytest.raises(DataError, match=r"holds .*, not "):
            read_img(path, "OCT" if flow else "OCTA")
    np.testing.assert_array_equal(scan.array, voxels)
    assert scan.spacing[:2] == pytest.approx((float(mm) / n, float(mm) / n))
    assert (scan.modality, scan.laterality) == ("OCTA" if flow else "OCT", "OS")


def test_the_first_bytes_are_the_deepest_voxels_of_the_right_edge(tmp_path: Path):
    name = CUBE.format(w=3, n=2, side="OD", kind="z")
    (tmp_path / name).write_bytes(bytes([1, 2, 3]) + bytes(3 * 2 * 1024 - 3))
    scan = read_img(tmp_path / name, "OCT")
    assert scan.array[:, 0, 1023].tolist() == [3, 2, 1]
    assert scan.array.sum() == 6


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("P1_HD 5 Line Raster_1-2-2020_3-4-5_OD_sn1_cube_z.img", "line scan .*, not a volume scan"),
        ("P1_Macular Cube 4x4_1-2-2020_3-4-5_OD_sn1_hidef.img", "line scan .*, not a volume scan"),
        ("P1_Anterior Segment Cube 4x4_1-2-2020_3-4-5_OD_sn1_cube_z.img", "anterior segment"),
        ("P1_Macular Cube 4x4_OD.img", "does not end with _cube_z, _cube_raw .* or _FlowCube_z"),
        ("P1_OD_cube_z.img", "neither the voxels .* nor the field"),
        ("P1_Angio (15mmx9mm)_OD_cube_z.img", "a field of 15 x 9 mm"),
        ("P1_Macular Cube 4x5_OD_cube_z.img", "are not a cube of 4 x 5 A-scans with 1024 or 1536 voxels"),
        ("P1_Macular Cube 16x1_OD_cube_z.img", "a single B-scan"),
    ],
)
def test_what_a_name_does_not_tell_is_refused(tmp_path: Path, name: str, words: str):
    path = write(tmp_path / name, random_voxels(4, 4, 1024))
    with pytest.raises(DataError, match=words):
        read_img(path, None)


def test_a_truncated_cube_is_named(tmp_path: Path):
    path = write(tmp_path / ANGIO.format(mm=3, side="OD", kind="cube_z"), random_voxels(4, 4, 1024))
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(DataError, match=r"are not a cube of n x n A-scans .*; copy it again"):
        img_size(path, "OCT")


def test_a_name_without_a_side_has_none(tmp_path: Path):
    path = write(tmp_path / "Angiography 3x3 mm_cube_z.img", random_voxels(4, 4, 1024))
    assert read_img(path, None).laterality is None


@pytest.mark.parametrize(
    ("name", "side"),
    [("P_OD_1_Angiography 3x3 mm_OS_sn1", "OS"), ("p1_angiography 3x3 mm_os_sn1", "OS"), ("GOOD_Angio 3x3 mm_1", None),
     ("OD_Angio 3x3 mm_OS_OD_1", None)],
)  # fmt: skip
def test_the_side_of_a_name_is_where_the_device_writes_it(name: str, side: str | None):
    assert read_name(Path(f"{name}_cube_z.img")).laterality == side

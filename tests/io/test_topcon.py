"""Topcon .fda files, written here chunk by chunk."""

import io
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from octa_kedro.errors import DataError
from octa_kedro.io.topcon import read_fda
from octa_kedro.io.vendor import VendorFolder


def random_voxels(width: int = 5, n: int = 4, depth: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (width, n, depth)).astype(np.uint8)  # [x, y, z]


def fda_bytes(
    voxels: np.ndarray,
    *,
    jpeg: bool = True,
    mode: int = 2,
    eye: int = 1,
    lengths: bool = True,
    padding: bytes = bytes(5),
    **more: bytes,
) -> bytes:
    """The chunks of a Topcon file; B-scans lossless as JPEG 2000 or raw, the first at the upper (or left) edge."""
    stack = voxels[:, ::-1].transpose(0, 2, 1) if mode == 6 else voxels.transpose(1, 2, 0)[::-1]
    n, depth, width = stack.shape
    if jpeg:
        volume = struct.pack("<BIIIIII", mode, 0, 0, width, depth, n, 0)
        for bscan in stack:
            Image.fromarray(np.ascontiguousarray(bscan)).save(file := io.BytesIO(), "JPEG2000")
            volume += struct.pack("<i", len(file.getvalue())) + file.getvalue()
    else:
        volume = struct.pack("<BIIII", mode, width, depth, 16, n) + padding + stack.astype("<u2").tobytes()
    chunks = {"@CAPTURE_INFO_02": bytes([eye]).ljust(118, b"\0")}
    chunks["@IMG_JPEG" if jpeg else "@IMG_MOT_COMP_03"] = volume
    if lengths:
        chunks["@PARAM_SCAN_04"] = struct.pack("<IIIddddd", 0, 0, 0, 2.0, 1.8, 50.0, 0, 0) + b"\0\0"
    chunks |= {f"@{name}": data for name, data in more.items()}
    body = b"".join(bytes([len(name)]) + name.encode() + struct.pack("<I", len(c)) + c for name, c in chunks.items())
    return b"FOCTFDA" + struct.pack("<II", 1, 0) + body + b"\0"


@settings(max_examples=20)
@given(
    st.tuples(st.integers(2, 7), st.integers(2, 7), st.integers(8, 14)), st.booleans(), st.sampled_from([2, 6]),
    st.sampled_from([0, 1, 9]),
)  # fmt: skip
def test_what_was_written_comes_back(shape: tuple[int, int, int], jpeg: bool, mode: int, eye: int):
    voxels = random_voxels(*shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "eye.fda"
        path.write_bytes(fda_bytes(voxels, jpeg=jpeg, mode=mode, eye=eye))
        scan = read_fda(path, "OCT")
    np.testing.assert_array_equal(scan.array, voxels)
    assert scan.spacing == pytest.approx((2 / shape[0], 1.8 / shape[1], 0.05))
    assert scan.laterality == {0: "OD", 1: "OS"}.get(eye)
    assert scan.scale == ("displayed" if jpeg else "stored")
    assert scan.unstated == (("x", "y") if mode == 6 else ())


NEEDED = struct.pack("<I", 2 * 5 * 4 * 12)


@pytest.mark.parametrize("padding", [b"", bytes(1) + NEEDED, bytes(17) + NEEDED, bytes(21), b"odd"])
def test_raw_voxels_begin_where_their_number_says(tmp_path: Path, padding: bytes):
    voxels = random_voxels()
    (tmp_path / "eye.fda").write_bytes(fda_bytes(voxels, jpeg=False, padding=padding))
    if padding == b"odd":
        with pytest.raises(DataError, match=r"has 16 bits and 500 bytes for 5 x 4 x 12 voxels; no such layout"):
            read_fda(tmp_path / "eye.fda", None)
    else:
        np.testing.assert_array_equal(read_fda(tmp_path / "eye.fda", None).array, voxels)


def test_angiography_is_refused_by_name_and_never_replaced_by_structure(tmp_path: Path):
    (tmp_path / "eye.fda").write_bytes(fda_bytes(random_voxels(), IMG_ANGIOGRAPHY_02=b"1234"))
    (tmp_path / "plain.fda").write_bytes(fda_bytes(random_voxels()))
    source = VendorFolder(tmp_path)
    with pytest.raises(DataError, match=r"eye\.fda: holds angiography \(chunk @IMG_ANGIOGRAPHY_02\) in a layout that"):
        source.volume("eye", "OCTA")
    with pytest.raises(DataError, match=r"plain\.fda: holds structure \(OCT\), not angiography"):
        source.volume("plain", "OCTA")
    assert source.volume("eye", "OCT").modality == "OCT"


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (0, "line scan of 4 B-scans"),
        (1, "a circle"),
        (3, "a radial scan of 4 B-scans"),
        (7, "line scan of 4 B-scans"),
        (11, "two crossed line scans of 4 B-scans"),
        (99, r"unknown pattern \(mode 99\)"),
    ],
)
def test_other_patterns_are_refused_as_that(tmp_path: Path, mode: int, words: str):
    (tmp_path / "eye.fda").write_bytes(fda_bytes(random_voxels(), mode=mode))
    with pytest.raises(DataError, match=rf"eye\.fda: .*{words}, not a volume scan"):
        VendorFolder(tmp_path).volume("eye", "OCT")


def test_lengths_that_are_not_there_are_asked_for(tmp_path: Path):
    (tmp_path / "eye.fda").write_bytes(fda_bytes(random_voxels(), lengths=False))
    with pytest.raises(DataError, match=r"subject eye: .*eye\.fda gives no usable length for field_x_mm"):
        VendorFolder(tmp_path).volume("eye", "OCT")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"?", "not a Topcon"),
        (fda_bytes(random_voxels(), jpeg=False)[:-400], "truncated"),
        (b"FOCTFDA", "no OCT volume"),
        (fda_bytes(random_voxels()).replace(b"\xff\x4f\xff\x51", b"noise"[:4]), "damaged"),
    ],
)
def test_bad_topcon_files_are_named(tmp_path: Path, data: bytes, words: str):
    (tmp_path / "eye.fda").write_bytes(data)
    with pytest.raises(DataError, match=rf"eye\.fda: .*{words}"):
        VendorFolder(tmp_path).volume("eye", "OCT")


def test_colour_pictures_are_not_grey_levels(tmp_path: Path):
    Image.new("RGB", (5, 12)).save(file := io.BytesIO(), "JPEG2000")
    picture = struct.pack("<i", len(file.getvalue())) + file.getvalue()
    chunk = struct.pack("<BIIIIII", 2, 0, 0, 5, 12, 2, 0) + 2 * picture
    (tmp_path / "eye.fda").write_bytes(fda_bytes(random_voxels(), jpeg=False, IMG_JPEG=chunk))
    with pytest.raises(DataError, match=r"B-scan 1 is a picture of mode RGB, 5 x 12; grey levels of 5 x 12 expected"):
        VendorFolder(tmp_path).volume("eye", "OCT")

"""Heidelberg .vol files, written here byte by byte."""

import struct
from pathlib import Path

import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.vendor import VendorFolder

WIDTH, N, DEPTH = 5, 4, 12
SLO = 3
SHOWN = np.random.default_rng(0).integers(0, 256, (WIDTH, N, DEPTH)).astype(np.uint8)  # [x, y, z]
SEGMENTS = {0: 1.0, 4: 3.0, 6: 5.0, 14: 7.0, 16: 8.0, 1: 9.0}
INVALID = np.finfo(np.float32).max


def vol_bytes(
    *, side: bytes = b"OS", pattern: int = 3, up: bool = True, mirrored: bool = False, vertical: bool = False
):
    """A .vol of `SHOWN`; `up`: B-scans are stored from the lower edge of the fundus picture upwards."""
    header = struct.pack(
        "<12siiidddiiddid4sqii", b"HSF-OCT-103", WIDTH, N, DEPTH, 0.011, 0.03, 0.004, SLO, SLO, 0.01, 0.01, 30, 0.0,
        side, 0, pattern, 1024,
    )  # fmt: skip
    out = bytearray(header.ljust(2048, b"\0") + bytes(SLO * SLO))
    for number in range(N):
        y = number if up else N - 1 - number
        place = (0.0, 2.0 - 0.03 * y, 0.055, 2.0 - 0.03 * y)
        place = (place[2], place[1], place[0], place[3]) if mirrored else place
        place = (1.0, 0.0, 1.0, 2.0) if vertical else place
        block = struct.pack("<12siddddii", b"HSF-BS-103", 1024, *place, 17, 256).ljust(256, b"\0")
        surfaces = np.full((17, WIDTH), INVALID, "<f4")
        for segment, depth in SEGMENTS.items():
            surfaces[segment] = depth + np.arange(WIDTH) / 10
        bscan = ((SHOWN[:, y].T / 255.0) ** 4).astype("<f4")
        bscan[0, 0] = INVALID
        if mirrored:
            surfaces, bscan = surfaces[:, ::-1], bscan[:, ::-1]
        out += (block + surfaces.tobytes()).ljust(1024, b"\0") + bscan.tobytes()
    return bytes(out)


def shown_by_vol() -> np.ndarray:
    expected = SHOWN.copy()
    expected[0, :, 0] = 0  # the one that could not be measured
    return expected


@pytest.mark.parametrize("how", [{}, {"up": False}, {"mirrored": True}])
def test_a_vol_file_lies_as_its_headers_say(tmp_path: Path, how: dict):
    (tmp_path / "eye.vol").write_bytes(vol_bytes(**how))
    source = VendorFolder(tmp_path, anatomy="any")
    volume, surfaces = source.volume("eye", "OCT"), source.surfaces("eye")
    np.testing.assert_array_equal(volume.array, shown_by_vol())
    assert volume.spacing == pytest.approx((0.011, 0.03, 0.004))
    assert volume.laterality == "OS"
    assert surfaces.names == ("ILM", "IPL_INL", "OPL_ONL", "IS_OS", "RPE", "BM")
    np.testing.assert_allclose(surfaces.plane("BM")[:, 2], (9.0 + np.arange(WIDTH) / 10 + 0.5) * 0.004, rtol=1e-5)
    assert source.check("eye", "OCT") == {"field_of_view_mm": 0.055, "width": 5, "n_bscans": 4, "depth": 12}


def test_a_vol_file_without_segmentation_has_no_surfaces(tmp_path: Path):
    data = np.frombuffer(vol_bytes(), np.uint8).copy()
    data[data.size - N * (1024 + 4 * WIDTH * DEPTH) :].reshape(N, -1)[:, 48:52] = 0  # NumSeg
    (tmp_path / "eye.vol").write_bytes(data.tobytes())
    assert VendorFolder(tmp_path, anatomy="any").surfaces("eye") is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "truncated"),
        (b"x" * 3000, "not a Heidelberg .vol file"),
        (vol_bytes()[:-1], "truncated: .* its header requires"),
        (vol_bytes(pattern=2), "a circle, not a volume scan"),
        (vol_bytes(vertical=True), "B-scans run vertically"),
    ],
)
def test_bad_vol_files_are_named(tmp_path: Path, data: bytes, words: str):
    (tmp_path / "eye.vol").write_bytes(data)
    with pytest.raises(DataError, match=rf"eye\.vol: .*{words}"):
        VendorFolder(tmp_path, anatomy="any").volume("eye", "OCT")


def test_a_changed_file_is_noticed(tmp_path: Path):
    (tmp_path / "eye.vol").write_bytes(vol_bytes())
    source = VendorFolder(tmp_path, anatomy="any")
    before = source.volume("eye", "OCT"), source.fingerprint("eye", "OCT")
    (tmp_path / "eye.vol").write_bytes(vol_bytes(side=b"OD") + b"more")
    assert source.volume("eye", "OCT").laterality != before[0].laterality
    assert source.fingerprint("eye", "OCT") != before[1]

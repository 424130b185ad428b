"""Heidelberg .vol files, written here byte by byte."""

import struct
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octa_kedro.errors import DataError
from octa_kedro.io.heidelberg import read_vol, vol_size
from octa_kedro.io.vendor import VendorFolder

SLO = 3
SEGMENTS = {0: 1.0, 4: 3.0, 6: 5.0, 14: 7.0, 16: 8.0, 1: 9.0}
INVALID = np.finfo(np.float32).max
ALONG, DISTANCE, DEEP = 0.25, 0.3, 0.05


@dataclass
class Writer:
    """Writes voxels [x, y, z], as a device that took them in this way would store them."""

    vertical: bool = False
    backwards: bool = False  # A-scans from right to left; of vertical B-scans downwards
    descending: bool = False  # the first B-scan is the uppermost; of vertical ones the rightmost
    side: bytes = b"OS"
    pattern: int = 3
    shift: float = 0.0  # of the last B-scan
    header_distance: float = DISTANCE
    version: bytes = b"HSF-OCT-103"
    segments: int = 17

    def __call__(self, voxels: np.ndarray) -> bytes:
        stack = voxels.transpose(0, 2, 1) if self.vertical else voxels.transpose(1, 2, 0)  # B-scan, depth, A-scan
        n, depth, width = stack.shape
        header = struct.pack(
            "<12siiidddiiddid4sqii", self.version, width, n, depth, ALONG, self.header_distance, DEEP, SLO, SLO,
            0.01, 0.01, 30, 0.0, self.side, 0, self.pattern, 256 + 17 * 4 * width,
        )  # fmt: skip
        out = bytearray(header.ljust(2048, b"\0") + bytes(SLO * SLO))
        for number in range(n)[::-1] if self.descending else range(n):
            out += self._bscan(number, n, stack[number])
        return bytes(out)

    def _bscan(self, number: int, n: int, bscan: np.ndarray) -> bytes:
        width = bscan.shape[1]
        across = number * DISTANCE + (self.shift if number == n - 1 else 0)
        length = width * ALONG
        begin, end = (0.1 + across, 9.0), (0.1 + across, 9.0 - length)
        if not self.vertical:
            begin, end = (0.1, 9.0 - across), (0.1 + length, 9.0 - across)
        surfaces = np.full((17, width), INVALID, "<f4")
        for segment, at in SEGMENTS.items():
            surfaces[segment] = at + np.arange(width) / 10
        if self.backwards:
            begin, end, bscan, surfaces = end, begin, bscan[:, ::-1], surfaces[:, ::-1]
        place = (*begin, *end, self.segments, 256)
        block = struct.pack("<12siddddii", b"HSF-BS-103", 256 + 17 * 4 * width, *place).ljust(256, b"\0")
        return block + surfaces.tobytes() + bscan.astype("<f4").tobytes()


def random_flow(shape: tuple[int, int, int] = (5, 4, 12)) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)


def written(folder: Path, name: str, voxels: np.ndarray, writer: Writer | None = None) -> Path:
    (folder / name).write_bytes((writer or Writer())(voxels))
    return folder / name


SHAPES = st.tuples(st.integers(2, 9), st.integers(2, 9), st.integers(10, 14))


@settings(max_examples=25)
@given(SHAPES, st.booleans(), st.booleans(), st.booleans(), st.sampled_from([b"OD", b"OS", b""]), st.booleans())
def test_what_was_written_comes_back(  # noqa: PLR0917
    shape: tuple[int, int, int], vertical: bool, backwards: bool, descending: bool, side: bytes, flow: bool
):
    voxels = random_flow(shape)
    voxels[1, 1, 2], voxels[0, 1, 3], voxels[1, 0, 4] = INVALID, np.nan if flow else 0.5, 7.5 if flow else 0.5
    writer = Writer(vertical=vertical, backwards=backwards, descending=descending, side=side)
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), "eye_Angio.vol" if flow else "eye.vol", voxels, writer)
        scan, size = read_vol(path, None), vol_size(path, None)
    expected = np.where(voxels <= 1, voxels, 0)
    if flow:
        np.testing.assert_array_equal(scan.array, expected)
    else:  # the fourth root, in 255 steps
        np.testing.assert_array_equal(scan.array, np.rint(255 * np.sqrt(np.sqrt(expected))))
    assert scan.invalid == pytest.approx((3 if flow else 1) / voxels.size)
    assert (scan.modality, scan.scale) == (("OCTA", "flow") if flow else ("OCT", "displayed"))
    assert scan.laterality == (side.decode() or None)
    assert size.shape == scan.array.shape == shape
    assert size.spacing == scan.spacing == ((DISTANCE, ALONG, DEEP) if vertical else (ALONG, DISTANCE, DEEP))
    along = np.arange(shape[1] if vertical else shape[0]) / 10
    bm = scan.surfaces[..., scan.names.index("BM")]
    np.testing.assert_allclose(bm, np.broadcast_to(9 + (along if vertical else along[:, None]), shape[:2]), rtol=1e-6)


def test_flow_keeps_its_contrast_and_what_was_not_measured_is_dark(tmp_path: Path):
    flow = np.full((32, 16, 40), 0.04, np.float32)
    flow[8:10, :, 10:12], flow[..., 30:32], flow[..., 38:] = 0.4, 7.5, np.nan
    written(tmp_path, "eye_Angio.vol", flow)
    written(tmp_path, "eye.vol", np.full(flow.shape, 0.02) + np.linspace(0, 0.2, 40))
    (tmp_path / "subjects.csv").write_text("subject,path,oct_path\neye,eye_Angio.vol,eye.vol\nold,eye.vol,\n")
    source = VendorFolder(tmp_path)
    volume = source.volume("eye", "OCTA")
    assert volume.array[8:10, :, 10:12].mean() / volume.array[:, :, :8].mean() == pytest.approx(10)
    assert volume.array.max() == np.float32(0.4)
    assert not volume.array[..., 30:32].any()
    structure = source.volume("eye", "OCT")
    assert (structure.modality, structure.source) == ("OCT", str(tmp_path / "eye.vol"))
    assert source.surfaces("eye").source == str(tmp_path / "eye.vol")
    with pytest.raises(DataError, match=r"eye\.vol: by its name holds structure \(OCT\), not angiography \(OCTA\)"):
        source.volume("old", "OCTA")
    (tmp_path / "subjects.csv").write_text("subject,path\neye,eye_Angio.vol\n")
    with pytest.raises(DataError, match=r"eye_Angio\.vol: by its name holds angiography \(OCTA\), not structure"):
        VendorFolder(tmp_path).check("eye", "OCT")


def test_flow_under_the_name_of_structure_is_refused(tmp_path: Path):
    flow = random_flow()
    flow[..., -1] = np.nan
    path = written(tmp_path, "eye.vol", flow)
    with pytest.raises(DataError, match=r"its name says structure \(OCT\), but 8% of its values are NaN or above 1"):
        read_vol(path, "OCT")


@pytest.mark.parametrize(
    "name", ["eye_Angio (1).vol", "eye_Angio_OD.vol", "angiography.vol", "Mangio.vol", "eye_OCTA.vol"]
)
def test_a_name_that_leaves_the_modality_open_is_refused(tmp_path: Path, name: str):
    with pytest.raises(DataError, match=r"leaves open whether it is angiography"):
        read_vol(written(tmp_path, name, random_flow()), None)


@pytest.mark.parametrize(("word", "side"), [(b"od", "OD"), (b"Os", "OS"), (b"L", "OS"), (b"OU", None)])
def test_the_side_is_read_with_capitals_or_without(tmp_path: Path, word: bytes, side: str | None):
    assert read_vol(written(tmp_path, "eye.vol", random_flow(), Writer(side=word)), None).laterality == side


def test_surfaces_are_in_millimetres_and_need_no_second_reading(tmp_path: Path):
    written(tmp_path, "eye.vol", random_flow())
    source = VendorFolder(tmp_path)
    surfaces = source.surfaces("eye")
    assert surfaces.names == ("ILM", "IPL_INL", "OPL_ONL", "IS_OS", "RPE", "BM")
    np.testing.assert_allclose(surfaces.plane("BM")[:, 2], (9.0 + np.arange(5) / 10 + 0.5) * DEEP, rtol=1e-5)
    assert source.check("eye", "OCT") == {"field_of_view_mm": 1.25, "width": 5, "n_bscans": 4, "depth": 12}


@pytest.mark.parametrize("version", [b"HSF-OCT-100", b"HSF-OCT-101", b"HSF-OCT-104"])
def test_every_version_has_one_layout(tmp_path: Path, version: bytes):
    path = written(tmp_path, "eye_Angio.vol", flow := random_flow(), Writer(version=version))
    np.testing.assert_array_equal(read_vol(path, None).array, flow)


def test_a_vol_file_without_segmentation_has_no_surfaces(tmp_path: Path):
    written(tmp_path, "eye.vol", random_flow(), Writer(segments=0))
    assert VendorFolder(tmp_path).surfaces("eye") is None


GOOD = Writer()(random_flow())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "truncated"),
        (b"x" * 3000, "not a Heidelberg .vol file"),
        (GOOD[:-1], "truncated: .* its header requires"),
        (GOOD.replace(b"HSF-BS", b"noise!"), "the header of B-scan 1 is damaged"),
        (Writer(segments=500)(random_flow()), "the header of B-scan 1 is damaged"),
        (Writer(pattern=2)(random_flow()), "a circle, not a volume scan"),
        (Writer(pattern=5)(random_flow()), "a star of 4 B-scans, not a volume scan"),
        (Writer(pattern=1)(random_flow()), "line scan of 4 B-scans, not a volume scan"),
        (Writer()(random_flow((100, 5, 12))), r"line scan of 5 B-scans \(100 A-scans each\)"),
        (Writer(shift=0.1)(random_flow()), "no equal distance"),
        (Writer(header_distance=0.5)(random_flow()), "distance of B-scans is 0.5 mm by its header, but 0.3 mm"),
    ],
)
def test_bad_vol_files_are_named(tmp_path: Path, data: bytes, words: str):
    (tmp_path / "eye.vol").write_bytes(data)
    with pytest.raises(DataError, match=rf"eye\.vol: .*{words}"):
        VendorFolder(tmp_path).volume("eye", "OCT")
    if "truncated" in words or "scan" in words:
        with pytest.raises(DataError, match=words):
            vol_size(tmp_path / "eye.vol", None)


def test_a_changed_file_is_noticed(tmp_path: Path):
    written(tmp_path, "eye.vol", random_flow())
    source = VendorFolder(tmp_path)
    before = source.volume("eye", "OCT"), source.fingerprint("eye", "OCT")
    (tmp_path / "eye.vol").write_bytes(replace(Writer(), side=b"OD")(random_flow()) + b"more")
    assert source.volume("eye", "OCT").laterality != before[0].laterality
    assert source.fingerprint("eye", "OCT") != before[1]

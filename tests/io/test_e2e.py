"""Heidelberg .e2e files, written here chunk by chunk."""

import struct
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octa_kedro.errors import DataError
from octa_kedro.io.e2e import read_e2e
from octa_kedro.io.vendor import VendorFolder

SIDE, PLACE, IMAGE, FLOW = 11, 10004, 0x40000000, 0x4000275D
DEEP = np.float32(0.05)


def float16(reflectance: np.ndarray) -> np.ndarray:
    """The device's numbers: 6 bits of exponent (bias 63) above 10 bits of mantissa; the largest where it is NaN."""
    mantissa, exponent = np.frexp(np.where(reflectance > 0, reflectance, 0.5))
    bits = ((exponent + 62) << 10) + np.floor((2 * mantissa - 1) * 1024).astype(int)
    return np.where(np.isnan(reflectance), 65535, np.where(reflectance > 0, bits, 0)).astype("<u2")


def image(values: np.ndarray) -> bytes:
    """A picture; the third byte of its type tells the kind of its numbers."""
    kind = 0x02010201 if values.dtype == np.uint8 else 0x02200201
    return struct.pack("<IIIII", values.nbytes, kind, values.size, *values.shape) + values.tobytes()


@dataclass
class Writer:
    """Collects chunks and writes them with their directories."""

    chunks: list[tuple[tuple[int, ...], int, bytes]] = field(default_factory=list)
    preface: bytes = b""
    per_directory: int = 512

    def volume(
        self,
        voxels: np.ndarray,
        *,
        flow: np.ndarray | None = None,
        number: int = 1,
        side: str = "R",
        vertical: bool = False,
        descending: bool = False,
        pattern: int = 3,
    ) -> "Writer":
        """A series of B-scans of reflectance (or NaN) [x, y, z], one degree apart, 8 degrees long, from below."""
        key = (7, 1, number)
        self.chunks.append(((*key, -1), SIDE, bytes(14) + side.encode() + bytes(12)))
        slo = np.zeros((4, 4), np.uint8)
        self.chunks.append(((*key, -1), IMAGE, image(slo)))
        n = voxels.shape[0 if vertical else 1]
        for at in range(n):
            slice_id = 2 * (n - 1 - at if descending else at)
            begin, end = ((at - 2.0, 4.0), (at - 2.0, -4.0)) if vertical else ((-4.0, 2.0 - at), (4.0, 2.0 - at))
            place = struct.pack("<III4fIff", 0, 0, 0, *begin, *end, 0, 0, DEEP) + bytes(32) + struct.pack("<I", pattern)
            self.chunks.append(((*key, slice_id), PLACE, place.ljust(428, b"\0")))
            bscan = voxels[at].T if vertical else voxels[:, at].T
            self.chunks.append(((*key, slice_id), IMAGE, image(float16(bscan))))
            if flow is not None:
                bscan = flow[at].T if vertical else flow[:, at].T
                self.chunks.append(((*key, slice_id), FLOW, image(np.ascontiguousarray(bscan))))
        return self

    def save(self, path: Path) -> Path:
        body, previous, at = b"", 0, 36 + 52
        for first in range(0, len(self.chunks), self.per_directory):
            part = self.chunks[first : first + self.per_directory]
            start, entries, data = at + 52 + 44 * len(part), b"", b""
            for ids, kind, content in part:
                own = struct.pack("<iiiiHHII", *ids, kind == IMAGE and ids[-1] >= 0, 0, kind, 0)
                entries += struct.pack("<IIII", at, start + len(data), len(content), 0) + own
                data += b"MDbData".ljust(12, b"\0") + struct.pack("<IIIII", 0, 0, 0, len(content), 0) + own + content
            body += self._directory(b"MDbDir", len(part), at, previous) + entries + data
            previous, at = at, start + len(data)
        head = b"CMDb".ljust(12, b"\0") + struct.pack("<I", 100) + bytes(20)
        path.write_bytes(self.preface + head + self._directory(b"MDbMDir", 0, previous, 0) + body)
        return path

    @staticmethod
    def _directory(magic: bytes, n: int, at: int, previous: int) -> bytes:
        return magic.ljust(12, b"\0") + struct.pack("<I", 100) + bytes(20) + struct.pack("<IIII", n, at, previous, 0)


def random_voxels(shape: tuple[int, int, int] = (5, 4, 12)) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance that the device's numbers hold without loss, and flow."""
    random = np.random.default_rng(0)
    reflectance = (1 + random.integers(0, 1024, shape) / 1024) * 2.0 ** random.integers(-12, 0, shape)
    return reflectance, random.integers(0, 255, shape).astype(np.uint8)


@settings(max_examples=25)
@given(
    st.tuples(st.integers(2, 7), st.integers(2, 7), st.integers(8, 14)), st.booleans(), st.booleans(),
    st.sampled_from("RL"), st.sampled_from([0, 64]), st.sampled_from([3, 512]),
)  # fmt: skip
def test_what_was_written_comes_back(  # noqa: PLR0917
    shape: tuple[int, int, int], vertical: bool, descending: bool, side: str, preface: int, per_directory: int
):
    voxels, flow = random_voxels(shape)
    voxels[1, 1, 2], flow[0, 1, 3] = np.nan, 255
    writer = Writer(preface=bytes(preface), per_directory=per_directory)
    writer.volume(voxels, flow=flow, side=side, vertical=vertical, descending=descending)
    with tempfile.TemporaryDirectory() as folder:
        path = writer.save(Path(folder) / "eye.e2e")
        structure, angiography = read_e2e(path, None), read_e2e(path, "OCTA")
    shown = np.rint(255 * np.sqrt(np.sqrt(np.nan_to_num(voxels))))
    np.testing.assert_array_equal(structure.array, shown)
    np.testing.assert_array_equal(angiography.array, np.where(flow == 255, 0, flow))
    assert structure.invalid == angiography.invalid == pytest.approx(1 / voxels.size)
    assert (structure.modality, structure.scale) == ("OCT", "displayed")
    assert (angiography.modality, angiography.scale) == ("OCTA", "stored")
    assert structure.spacing == (None, None, pytest.approx(float(DEEP)))
    assert structure.laterality == {"R": "OD", "L": "OS"}[side]
    assert structure.unstated == ()


def test_the_lateral_size_comes_from_the_table(tmp_path: Path):
    Writer().volume(random_voxels()[0]).save(tmp_path / "eye.e2e")
    with pytest.raises(DataError, match="gives no usable length for field_x_mm"):
        VendorFolder(tmp_path).volume("eye", "OCT")
    (tmp_path / "subjects.csv").write_text("subject,path,field_x_mm,field_y_mm\neye,eye.e2e,2,1.8\n")
    source = VendorFolder(tmp_path)
    assert source.volume("eye", "OCT").extent_mm == pytest.approx((2, 1.8, 12 * float(DEEP)))
    with pytest.raises(DataError, match=r"eye\.e2e: holds structure \(OCT\), not angiography \(OCTA\)"):
        source.volume("eye", "OCTA")


def test_several_volumes_are_listed_without_names_or_dates(tmp_path: Path):
    voxels, flow = random_voxels()
    writer = Writer().volume(voxels).volume(voxels, flow=flow, number=2, side="L")
    path = writer.save(tmp_path / "eye.e2e")
    with pytest.raises(
        DataError, match=r"holds 2 volumes \(1: OCT, OD, 5 x 4 x 12; 2: OCT and OCTA, OS, 5 x 4 x 12\); one is expected"
    ):
        read_e2e(path, None)


def test_other_patterns_are_refused_as_that(tmp_path: Path):
    voxels = random_voxels((90, 5, 12))[0]
    with pytest.raises(DataError, match="line scan of 5 B-scans"):
        read_e2e(Writer().volume(voxels).save(tmp_path / "lines.e2e"), None)
    with pytest.raises(DataError, match="a circle, not a volume scan"):
        read_e2e(Writer().volume(voxels, pattern=2).save(tmp_path / "circle.e2e"), None)
    with pytest.raises(DataError, match="holds 0 volumes, only single images"):
        read_e2e(Writer().volume(voxels[:, :1]).save(tmp_path / "single.e2e"), None)
    writer = Writer().volume(voxels)
    writer.chunks = [chunk for chunk in writer.chunks if chunk[1] != PLACE]
    with pytest.raises(DataError, match="does not say where 5 of its B-scans lie"):
        read_e2e(writer.save(tmp_path / "lost.e2e"), None)


def test_damaged_files_are_named(tmp_path: Path):
    path = Writer().volume(random_voxels()[0]).save(tmp_path / "eye.e2e")
    whole = path.read_bytes()
    for data, words in (
        (b"", "truncated"),
        (b"?" * 500, r"not a Heidelberg \.e2e file"),
        (whole[:-300], "truncated or damaged in a chunk"),
        (whole[:120], "truncated"),
        (whole.replace(b"MDbData", b"MDbDatB"), "truncated or damaged in a chunk of type 11"),
    ):
        path.write_bytes(data)
        with pytest.raises(DataError, match=rf"eye\.e2e: .*{words}"):
            read_e2e(path, None)


@pytest.mark.parametrize("lost", [0, 2])
def test_a_b_scan_without_a_picture_is_noticed_also_at_the_edge(tmp_path: Path, lost: int):
    writer = Writer().volume(random_voxels()[0])
    pictures = [at for at, (ids, kind, _) in enumerate(writer.chunks) if kind == IMAGE and ids[-1] >= 0]
    del writer.chunks[pictures[lost]]
    with pytest.raises(DataError, match=r"1 of its \d+ B-scans have a place but no picture"):
        read_e2e(writer.save(tmp_path / "eye.e2e"), None)

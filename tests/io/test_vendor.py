"""Vendors' files, written here byte by byte: Topcon .fda, Zeiss .img, DICOM; .e2e by a stand-in."""

import io
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.vendor import VendorFolder

WIDTH, N, DEPTH = 5, 4, 12
SHOWN = np.random.default_rng(0).integers(0, 256, (WIDTH, N, DEPTH)).astype(np.uint8)  # [x, y, z]


def write_dicom(path: Path, *, rows: list[float] | None = None, functional: bool = True, side: str = "R") -> None:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.4"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.Rows, data.Columns, data.NumberOfFrames = DEPTH, WIDTH, N
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.ImageLaterality = side
    data.PixelData = np.ascontiguousarray(SHOWN.transpose(1, 2, 0)).tobytes()
    measures = Dataset() if functional else data
    measures.PixelSpacing, measures.SliceThickness = [0.004, 0.011], 0.03
    if functional:
        shared = Dataset()
        shared.PixelMeasuresSequence = [measures]
        data.SharedFunctionalGroupsSequence = [shared]
    if rows is not None:
        data.PerFrameFunctionalGroupsSequence = [_frame(row) for row in rows]
    data.save_as(path, enforce_file_format=True)


def _frame(row: float) -> Dataset:
    frame, location = Dataset(), Dataset()
    location.ReferenceCoordinates = [row, 1.0, row, 100.0]
    frame.OphthalmicFrameLocationSequence = [location]
    return frame


@pytest.mark.parametrize("functional", [True, False])
def test_a_dicom_volume_has_its_spacing_and_side(tmp_path: Path, functional: bool):
    write_dicom(tmp_path / "eye.dcm", functional=functional, side="L")
    source = VendorFolder(tmp_path, anatomy="any")
    volume = source.volume("eye", "OCT")
    np.testing.assert_array_equal(volume.array, SHOWN)
    assert volume.spacing == pytest.approx((0.011, 0.03, 0.004))
    assert volume.laterality == "OS"
    assert source.check("eye", "OCT") == {"field_of_view_mm": 0.055, "width": 5, "n_bscans": 4, "depth": 12}


def test_dicom_frames_run_from_inferior_to_superior_where_their_rows_are_told(tmp_path: Path):
    write_dicom(tmp_path / "down.dcm", rows=[10.0, 20.0, 30.0, 40.0])  # the first frame lies highest
    write_dicom(tmp_path / "up.dcm", rows=[40.0, 30.0, 20.0, 10.0])
    source = VendorFolder(tmp_path, anatomy="any")
    np.testing.assert_array_equal(source.volume("up", "OCT").array, SHOWN)
    np.testing.assert_array_equal(source.volume("down", "OCT").array, SHOWN[:, ::-1])


def test_bad_dicom_files_are_named(tmp_path: Path):
    (tmp_path / "a.dcm").write_bytes(b"no DICOM file")
    with pytest.raises(DataError, match=r"a\.dcm: not a readable DICOM file"):
        VendorFolder(tmp_path, anatomy="any").check("a", "OCT")
    write_dicom(tmp_path / "b.dcm")
    (tmp_path / "b.dcm").write_bytes((tmp_path / "b.dcm").read_bytes()[:-50])
    with pytest.raises(DataError, match=r"b\.dcm: its pixels cannot be decoded"):
        VendorFolder(tmp_path, anatomy="any").volume("b", "OCT")


def fda_bytes(*, jpeg: bool, eye: int = 1, lengths: bool = True) -> bytes:
    """The chunks of a Topcon file: side, lengths, and the B-scans lossless as JPEG 2000 or as raw 16 bit."""
    bscans = SHOWN.transpose(1, 2, 0)
    if jpeg:
        volume = struct.pack("<BIIIIII", 2, 0, 0, WIDTH, DEPTH, N, 0)
        for bscan in bscans:
            Image.fromarray(np.ascontiguousarray(bscan)).save(file := io.BytesIO(), "JPEG2000")
            volume += struct.pack("<i", len(file.getvalue())) + file.getvalue()
    else:
        volume = struct.pack("<BIIIIBI", 2, WIDTH, DEPTH, 16, N, 0, 0) + bscans.astype("<u2").tobytes()
    chunks = {"@CAPTURE_INFO_02": bytes([eye]).ljust(118, b"\0")}
    chunks["@IMG_JPEG" if jpeg else "@IMG_MOT_COMP_03"] = volume
    if lengths:
        chunks["@PARAM_SCAN_04"] = struct.pack("<IIIddddd", 0, 0, 0, 0.055, 0.12, 4.0, 0, 0) + b"\0\0"
    body = b"".join(bytes([len(name)]) + name.encode() + struct.pack("<I", len(c)) + c for name, c in chunks.items())
    return b"FOCTFDA" + struct.pack("<II", 1, 0) + body + b"\0"


@pytest.mark.parametrize("jpeg", [True, False])
def test_a_topcon_file_has_its_spacing_and_side(tmp_path: Path, jpeg: bool):
    (tmp_path / "eye.fda").write_bytes(fda_bytes(jpeg=jpeg))
    volume = VendorFolder(tmp_path, anatomy="any").volume("eye", "OCT")
    np.testing.assert_array_equal(volume.array, SHOWN)
    assert volume.spacing == pytest.approx((0.011, 0.03, 0.004))
    assert volume.laterality == "OS"


def test_lengths_that_a_file_does_not_tell_come_from_the_table(tmp_path: Path):
    (tmp_path / "eye.fda").write_bytes(fda_bytes(jpeg=False, lengths=False, eye=0))
    with pytest.raises(DataError, match=r"subject eye: .*eye\.fda gives no usable length for field_x_mm"):
        VendorFolder(tmp_path, anatomy="any").volume("eye", "OCT")
    table = "subject;path;laterality;field_x_mm;field_y_mm;depth_mm\ne1;eye.fda;OS;3,0;{y};2\n"
    (tmp_path / "subjects.csv").write_text(table.format(y="4"))
    volume = VendorFolder(tmp_path, anatomy="any").volume("e1", "OCT")
    assert volume.extent_mm == pytest.approx((3, 4, 2))
    assert volume.laterality == "OS"  # the table holds
    (tmp_path / "subjects.csv").write_text(table.format(y="wide"))
    with pytest.raises(DataError, match="subject e1: field_y_mm is 'wide'; give a length in millimetres"):
        VendorFolder(tmp_path, anatomy="any").check("e1", "OCT")


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"?", "not a Topcon"), (fda_bytes(jpeg=False)[:-400], "truncated"), (b"FOCTFDA", "no OCT volume")],
)
def test_bad_topcon_files_are_named(tmp_path: Path, data: bytes, words: str):
    (tmp_path / "eye.fda").write_bytes(data)
    with pytest.raises(DataError, match=rf"eye\.fda: .*{words}"):
        VendorFolder(tmp_path, anatomy="any").volume("eye", "OCT")


@pytest.mark.parametrize(
    ("name", "extent"),
    [("P1_Macular Cube 5x4_1-2-2020_3-4-5_OD_sn1_cube_z.img", (6, 6, 2)), ("P1_Angiography 3x3 mm_OS.img", (3, 3, 2))],
)
def test_a_raw_zeiss_cube_is_read_by_its_name(tmp_path: Path, name: str, extent: tuple[float, ...]):
    width, n = (5, 4) if "Cube" in name else (4, 4)
    cube = np.random.default_rng(1).integers(0, 256, (n, width, 1024)).astype(np.uint8)  # depth runs fastest
    (tmp_path / name).write_bytes(cube.tobytes())
    volume = VendorFolder(tmp_path, anatomy="any").volume(name.removesuffix(".img"), "OCT")
    np.testing.assert_array_equal(volume.array, cube.transpose(1, 0, 2))
    assert volume.extent_mm == pytest.approx(extent)
    assert volume.laterality == ("OD" if "OD" in name else "OS")
    (tmp_path / name).write_bytes(cube.tobytes()[:-7])
    with pytest.raises(DataError, match="are not a cube"):
        VendorFolder(tmp_path, anatomy="any").volume(name.removesuffix(".img"), "OCT")


class StandInE2E:
    """What oct-converter's reader returns: a single image and a volume, whose lateral spacing is a default."""

    volumes = 1

    def __init__(self, path: Path) -> None:
        if path.read_bytes() != b"e2e":
            raise ValueError("chunk")

    def read_oct_volume(self) -> list[SimpleNamespace]:
        bscans = [bscan.astype(float) for bscan in SHOWN.transpose(1, 2, 0)]
        volume = SimpleNamespace(volume=bscans, pixel_spacing=[0.01, 0.004, 0.05], laterality="R")
        return [SimpleNamespace(volume=bscans[:1], pixel_spacing=None, laterality=None), *[volume] * self.volumes]


@pytest.fixture
def e2e(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(sys.modules, "oct_converter.readers", SimpleNamespace(E2E=StandInE2E))
    (tmp_path / "eye.e2e").write_bytes(b"e2e")
    return tmp_path


def test_an_e2e_volume_takes_only_its_depth_spacing_from_the_reader(e2e: Path):
    with pytest.raises(DataError, match="gives no usable length for field_x_mm"):
        VendorFolder(e2e, anatomy="any").volume("eye", "OCT")
    (e2e / "subjects.csv").write_text("subject,path,field_x_mm,field_y_mm\neye,eye.e2e,6,4.5\n")
    volume = VendorFolder(e2e, anatomy="any").volume("eye", "OCT")
    np.testing.assert_array_equal(volume.array, SHOWN)
    assert volume.extent_mm == pytest.approx((6, 4.5, DEPTH * 0.004))
    assert volume.laterality == "OD"
    assert VendorFolder(e2e, anatomy="any").surfaces("eye") is None


def test_damaged_and_crowded_e2e_files_are_named(e2e: Path, monkeypatch: pytest.MonkeyPatch):
    (e2e / "bad.e2e").write_bytes(b"?")
    with pytest.raises(DataError, match=r"bad\.e2e: not a readable \.e2e file \(ValueError: chunk\)"):
        VendorFolder(e2e, anatomy="any").volume("bad", "OCT")
    monkeypatch.setattr(StandInE2E, "volumes", 2)
    with pytest.raises(DataError, match=r"eye\.e2e: holds 2 volumes, one is expected"):
        VendorFolder(e2e, anatomy="any").volume("eye", "OCT")


def test_a_missing_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("oct_converter.readers", "pydicom"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "eye.e2e").write_bytes(b"e2e")
    write_dicom(tmp_path / "other.dcm")
    for subject in ("eye", "other"):
        with pytest.raises(ConfigError, match=r"needs the vendor extra .*pip install octa-kedro\[vendor\]"):
            VendorFolder(tmp_path, anatomy="any").volume(subject, "OCT")


def test_a_file_of_another_kind_is_named(tmp_path: Path):
    (tmp_path / "subjects.csv").write_text("subject,path\neye,subjects.csv\n")
    with pytest.raises(DataError, match=r"subjects\.csv: no reader for \.csv; known: \.vol"):
        VendorFolder(tmp_path, anatomy="any").volume("eye", "OCT")

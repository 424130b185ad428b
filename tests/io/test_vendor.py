"""Vendors' files: DICOM, and what is common to all formats."""

import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.vendor import VendorFolder
from octa_kedro.io.vendor_scan import Modality, Reader, VendorScan

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
    source = VendorFolder(tmp_path)
    volume = source.volume("eye", "OCT")
    np.testing.assert_array_equal(volume.array, SHOWN)
    assert volume.spacing == pytest.approx((0.011, 0.03, 0.004))
    assert volume.laterality == "OS"
    assert source.check("eye", "OCT") == {"field_of_view_mm": 0.055, "width": 5, "n_bscans": 4, "depth": 12}


def test_dicom_frames_run_from_inferior_to_superior_where_their_rows_are_told(tmp_path: Path):
    write_dicom(tmp_path / "down.dcm", rows=[10.0, 20.0, 30.0, 40.0])  # the first frame lies highest
    write_dicom(tmp_path / "up.dcm", rows=[40.0, 30.0, 20.0, 10.0])
    source = VendorFolder(tmp_path)
    np.testing.assert_array_equal(source.volume("up", "OCT").array, SHOWN)
    np.testing.assert_array_equal(source.volume("down", "OCT").array, SHOWN[:, ::-1])


def test_bad_dicom_files_are_named(tmp_path: Path):
    (tmp_path / "a.dcm").write_bytes(b"no DICOM file")
    with pytest.raises(DataError, match=r"a\.dcm: not a readable DICOM file"):
        VendorFolder(tmp_path).check("a", "OCT")
    write_dicom(tmp_path / "b.dcm")
    (tmp_path / "b.dcm").write_bytes((tmp_path / "b.dcm").read_bytes()[:-50])
    with pytest.raises(DataError, match=r"b\.dcm: its pixels cannot be decoded"):
        VendorFolder(tmp_path).volume("b", "OCT")


def test_lengths_that_a_file_does_not_tell_come_from_the_table(tmp_path: Path):
    write_img(tmp_path / "P1_Wide Cube 5x4_OD_cube_z.img", 5, 4)
    with pytest.raises(DataError, match=r"subject P1_Wide.*gives no usable length for field_x_mm"):
        VendorFolder(tmp_path).volume("P1_Wide Cube 5x4_OD_cube_z", "OCT")
    table = "subject;path;laterality;field_x_mm;field_y_mm;depth_mm\ne1;P1_Wide Cube 5x4_OD_cube_z.img;OS;2,0;{y};2\n"
    (tmp_path / "subjects.csv").write_text(table.format(y="1.9"))
    volume = VendorFolder(tmp_path).volume("e1", "OCT")
    assert volume.extent_mm == pytest.approx((2, 1.9, 2))
    assert volume.laterality == "OS"  # the table holds
    (tmp_path / "subjects.csv").write_text(table.format(y="wide"))
    with pytest.raises(DataError, match="subject e1: field_y_mm is 'wide'; give a length in millimetres"):
        VendorFolder(tmp_path).check("e1", "OCT")


def write_img(path: Path, width: int, n: int) -> None:
    path.write_bytes(np.random.default_rng(1).integers(0, 256, (n, 1024, width)).astype(np.uint8).tobytes())


def test_a_missing_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    write_dicom(tmp_path / "other.dcm")
    with pytest.raises(ConfigError, match=r"needs the vendor extra .*pip install octa-kedro\[vendor\]"):
        VendorFolder(tmp_path).volume("other", "OCT")


def test_a_file_of_another_kind_is_named(tmp_path: Path):
    (tmp_path / "subjects.csv").write_text("subject,path\neye,subjects.csv\n")
    with pytest.raises(DataError, match=r"subjects\.csv: no reader for \.csv; known: \.vol"):
        VendorFolder(tmp_path).volume("eye", "OCT")


@pytest.mark.parametrize("size", [10, 0])
def test_optovue_and_bioptigen_files_are_refused_as_that(tmp_path: Path, size: int):
    (tmp_path / "Angio Retina.OCT").write_bytes(bytes(size))
    with pytest.raises(DataError, match=r"Angio Retina\.OCT: no published reader tells .* of Optovue or Bioptigen"):
        VendorFolder(tmp_path).volume("Angio Retina", "OCT")


def test_a_scan_is_decoded_once_for_its_volume_and_its_surfaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls: list[str | None] = []

    def read(path: Path, modality: Modality | None) -> VendorScan:
        calls.append(modality)
        return VendorScan(SHOWN, (0.3, 0.3, 0.05), modality or "OCT", "stored")

    monkeypatch.setattr("octa_kedro.io.vendor.READERS", {".img": Reader(read)})
    (tmp_path / "eye.img").write_bytes(b"1")
    source = VendorFolder(tmp_path)
    source.volume("eye", "OCT"), source.surfaces("eye"), source.check("eye", "OCT")
    assert calls == ["OCT"]
    assert source.volume("eye", "OCTA").modality == "OCTA"  # never the one that was read before


def test_what_was_not_measured_is_warned_about_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    for share, name in ((0.5, "some"), (0.95, "most")):
        scan = VendorScan(SHOWN, (0.3, 0.3, 0.05), "OCTA", "flow", invalid=share)
        monkeypatch.setattr("octa_kedro.io.vendor.READERS", {".img": Reader(lambda *_, scan=scan: scan)})
        (tmp_path / f"{name}.img").write_bytes(b"1")
        if name == "some":
            VendorFolder(tmp_path).volume(name, "OCTA")
            assert "some.img: 50 % of its voxels could not be measured and are 0" in caplog.text
        else:
            with pytest.raises(DataError, match=r"most\.img: 95% of its voxels could not be measured"):
                VendorFolder(tmp_path).volume(name, "OCTA")


def test_directions_that_a_format_does_not_tell_are_warned_about_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    scan = VendorScan(SHOWN, (0.3, 0.3, 0.05), "OCT", "stored", unstated=("x", "y"))
    monkeypatch.setattr("octa_kedro.io.vendor.READERS", {".xyz": Reader(lambda *_: scan)})
    for name in ("a", "b"):
        (tmp_path / f"{name}.xyz").write_bytes(b"1")
        VendorFolder(tmp_path / f"{name}.xyz").volume(name, "OCT")
    assert [record.getMessage()[:55] for record in caplog.records] == [
        ".xyz files do not tell the direction of x and y: the fi"
    ]

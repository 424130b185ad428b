"""What is common to all formats of vendors' files."""

import sys
from pathlib import Path

import numpy as np
import pytest

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.vendor import VendorFolder
from octa_kedro.io.vendor_scan import Modality, Reader, VendorScan
from tests.io.dicom_files import DicomEye

WIDTH, N, DEPTH = 5, 4, 12
SHOWN = np.random.default_rng(0).integers(0, 256, (WIDTH, N, DEPTH)).astype(np.uint8)  # [x, y, z]


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
    DicomEye().write(tmp_path / "other.dcm")
    monkeypatch.setitem(sys.modules, "pydicom", None)
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


def test_swapped_spacings_of_depth_and_width_are_refused(tmp_path: Path):
    shown = np.random.default_rng(0).integers(0, 256, (300, 50, 100)).astype(np.uint8)
    DicomEye(shown, spacing=(0.004, 0.03, 0.012), places="").write(tmp_path / "eye.dcm")
    with pytest.raises(DataError, match=r"eye\.dcm: along z, which has to be the depth, voxels measure 0\.012 mm"):
        VendorFolder(tmp_path).check("eye", "OCT")

"""Sizes that files state are held against bounds before memory or time is taken for them."""

import gzip
import io
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import openpyxl
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from octa_kedro.configuration.run_parameters import parameters_file
from octa_kedro.errors import ConfigError, DataError, OctaError
from octa_kedro.io import dicom_bounds, text_files, text_table, workbook_bounds
from octa_kedro.io.eye_files import find_eye_files
from octa_kedro.io.nifti import read_nifti
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.notes import read_note
from octa_kedro.io.tables import read_table
from octa_kedro.io.vendor import VendorFolder
from octa_kedro.io.volume import scan_affine
from tests.io import test_e2e, test_topcon
from tests.io.dicom_files import SHOWN, DicomEye

VOXELS = np.zeros((4, 5, 6), np.uint8)


@pytest.fixture(autouse=True)
def _little_memory():
    """No test may take more than 100 MB or 10 s."""
    tracemalloc.start()
    began = time.process_time()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20
    assert time.process_time() - began < 10


def book(path: Path, change: Callable[[openpyxl.worksheet.worksheet.Worksheet], None]) -> Path:
    workbook = openpyxl.Workbook()
    workbook.active.append(["path"])
    workbook.active.append(["a.nii"])
    change(workbook.active)
    workbook.save(path)
    return path


def edited(path: Path, old: bytes, new: bytes) -> Path:
    """The workbook with other text in its sheet, as no library would write it."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as before, zipfile.ZipFile(path, "w") as after:
        for name in before.namelist():
            data = before.read(name)
            assert old in data or not name.endswith("sheet1.xml")
            after.writestr(name, data.replace(old, new), zipfile.ZIP_DEFLATED)
    return path


def test_a_cell_at_the_end_of_the_sheet_is_refused(tmp_path: Path):
    path = book(tmp_path / "t.xlsx", lambda sheet: sheet.__setitem__("XFD1048576", "x"))
    with pytest.raises(DataError, match=r"t\.xlsx: sheet1 reaches to XFD1048576, 1\.7e\+10 cells; delete the empty"):
        read_table(path, ("path",))


@pytest.mark.parametrize("element", [b'<mergeCells><mergeCell ref="C1:XFD1048576"/></mergeCells>',
                                     b'<hyperlinks><hyperlink ref="C1:XFD1048576"/></hyperlinks>'])  # fmt: skip
def test_an_area_of_the_whole_sheet_is_refused(tmp_path: Path, element: bytes):
    path = edited(book(tmp_path / "t.xlsx", lambda _: None), b"</sheetData>", b"</sheetData>" + element)
    with pytest.raises(DataError, match=r"t\.xlsx: sheet1 reaches to C1:XFD1048576"):
        read_table(path, ("path",))


def test_a_workbook_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workbook_bounds, "MOST_UNPACKED", 1 << 20)
    path = edited(book(tmp_path / "t.xlsx", lambda _: None), b"</sheetData>", b"</sheetData>" + b" " * (1 << 20))
    with pytest.raises(DataError, match=r"t\.xlsx: unpacks to 1 MB, more than a table of eyes needs"):
        read_table(path, ("path",))


def test_a_workbook_of_an_unknown_compression_is_one_line(tmp_path: Path):
    path = book(tmp_path / "t.xlsx", lambda _: None)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"xl/worksheets/sheet1.xml") - 36  # in the archive's directory
    data[at : at + 2] = struct.pack("<H", 99)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"t\.xlsx: cannot be read as a table"):
        read_table(path, ("path",))


def test_text_that_is_too_long_for_a_table_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text_files, "MOST_BYTES", 1 << 20)
    with (tmp_path / "t.csv").open("wb") as file:
        file.truncate(1 << 31)  # takes no space on the disk
    with pytest.raises(DataError, match=r"t\.csv: has 2147 MB, more than a table or a list of eyes needs"):
        read_table(tmp_path / "t.csv", ("path",))


def test_too_many_cells_are_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text_table, "MOST_CELLS", 1000)
    (tmp_path / "t.csv").write_text("path,label\n" + "a.nii,x\n" * 1000)
    with pytest.raises(DataError, match=r"t\.csv: has more than 1000 cells"):
        read_table(tmp_path / "t.csv", ("path",))


def test_a_line_of_separators_is_no_head_of_a_table(tmp_path: Path):
    (tmp_path / "t.csv").write_text("path" + "," * 3000 + "\n")
    with pytest.raises(DataError, match=r"t\.csv: its first row has 3001 cells"):
        read_table(tmp_path / "t.csv", ("path",))


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_aliases_that_stand_for_billions_of_values_are_refused(tmp_path: Path):
    (tmp_path / "my.yml").write_text(LAUGHS)
    with pytest.raises(ConfigError, match=r"my\.yml: .*its aliases \(\*name\) stand for 1\.23e\+09 values"):
        parameters_file({"parameters": str(tmp_path / "my.yml")})


@pytest.mark.parametrize("text", ["[" * 100_000, "a: &a [*a]", "- " * 10_000])
def test_lists_without_end_are_refused(tmp_path: Path, text: str):
    (tmp_path / "eyes.yml").write_text(text)
    with pytest.raises(OctaError, match=r"eyes\.yml: .*(nested|recursi|not a list)"):
        find_eye_files(tmp_path / "eyes.yml", (".nii",))
    with pytest.raises(OctaError, match=r"eyes\.yml: .*(nested|recursi|cannot be read)"):
        parameters_file({"parameters": str(tmp_path / "eyes.yml")})


def test_aliases_and_depth_of_every_day_are_read(tmp_path: Path):
    (tmp_path / "my.yml").write_text("a: &a {k: [1, 2]}\nb: *a\nc: [" + "{x: [1]}, " * 60 + "]\n")
    file = parameters_file({"parameters": str(tmp_path / "my.yml")})
    assert file is not None
    assert file.joined["b"] == {"k": [1, 2]}


def test_json_that_is_nested_without_end_is_damaged(tmp_path: Path):
    (tmp_path / "note.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"note\.json: damaged"):
        read_note(tmp_path / "note.json")


def gzipped(path: Path, **changes: float) -> Path:
    image = nib.Nifti1Image(VOXELS, scan_affine(VOXELS.shape, (3.0, 3.0, 2.0)))
    image.header.set_xyzt_units("mm")
    data = bytearray(image.to_bytes())
    header = np.frombuffer(data, image.header.structarr.dtype, 1)
    for name, value in changes.items():
        header[name] = value
    path.write_bytes(gzip.compress(data))
    return path


def test_a_compressed_volume_that_states_gigabytes_is_refused(tmp_path: Path):
    path = gzipped(tmp_path / "eye.nii.gz", dim=[3, 2000, 2000, 2000, 1, 1, 1, 1])
    with pytest.raises(
        DataError, match=r"eye\.nii\.gz: its header states 8000000000 bytes of voxels, more than its \d+"
    ):
        read_nifti(path)


@pytest.mark.parametrize("begin", [float("nan"), float("inf"), -352.0, 3e9])
def test_voxels_that_begin_nowhere_are_refused(tmp_path: Path, begin: float):
    path = gzipped(tmp_path / "eye.nii.gz", vox_offset=begin)
    with pytest.raises(DataError, match=r"eye\.nii\.gz: its voxels begin at byte"):
        NiftiFolder(path, anatomy="any").check("eye", "OCTA")


def test_an_unknown_unit_of_time_does_not_matter(tmp_path: Path):
    path = gzipped(tmp_path / "eye.nii.gz", xyzt_units=248 | 2)
    np.testing.assert_array_equal(read_nifti(path)[0], VOXELS)


def dicom(path: Path, change: Callable[[Dataset], None], **how: object) -> VendorFolder:
    DicomEye(change=change, **how).write(path)  # type: ignore[arg-type]
    return VendorFolder(path, anatomy="any")


def with_pixels(frames: list[bytes], **elements: int) -> Callable[[Dataset], None]:
    def change(data: Dataset) -> None:
        data.PixelData = encapsulate(frames)
        data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
        data.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless
        for name, value in elements.items():
            setattr(data, name, value)

    return change


def test_a_picture_with_a_box_without_length_does_not_hang(tmp_path: Path):
    box = dicom_bounds.JP2 + bytes(4) + bytes(4) + b"jp2h" + bytes(400)
    source = dicom(tmp_path / "eye.dcm", with_pixels([box] * 9))
    with pytest.raises(DataError, match=r"eye\.dcm: frame 1 is damaged \(a box of 0 bytes\)"):
        source.volume("eye", "OCT")


@pytest.mark.parametrize("rows", [5000, 65535])
def test_a_dicom_file_that_states_gigabytes_is_refused(tmp_path: Path, rows: int):
    source = dicom(tmp_path / "eye.dcm", with_pixels([bytes(20)] * 9, Rows=rows, Columns=rows))
    with pytest.raises(
        DataError, match=r"eye\.dcm: (states 9 frames of 5000 x 5000|its header states \d+ voxels, more)"
    ):
        source.volume("eye", "OCT")


@pytest.mark.parametrize("bits", [0, 9, 60])
def test_bits_that_are_not_there_are_refused(tmp_path: Path, bits: int):
    source = dicom(tmp_path / "eye.dcm", lambda _: None, elements={"BitsStored": bits, "HighBit": max(bits - 1, 0)})
    with pytest.raises(DataError, match=rf"eye\.dcm: states {bits} of 8 bits a pixel"):
        source.volume("eye", "OCT")


def test_a_dicom_file_that_inflates_to_gigabytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dicom_bounds, "MOST_INFLATED", 1 << 20)
    shown = np.zeros((64, 9, 4000), np.uint8)
    source = dicom(tmp_path / "eye.dcm", lambda _: None, shown=shown, syntax=uid.DeflatedExplicitVRLittleEndian)
    with pytest.raises(DataError, match=r"eye\.dcm: inflates to more than"):
        source.volume("eye", "OCT")


def test_an_element_that_states_gigabytes_takes_no_memory(tmp_path: Path):
    DicomEye().write(tmp_path / "eye.dcm")
    data = (tmp_path / "eye.dcm").read_bytes()
    at = data.index(b"\xe0\x7f\x10\x00OB")
    (tmp_path / "eye.dcm").write_bytes(data[: at + 8] + struct.pack("<I", 2**31) + data[at + 12 :])
    assert VendorFolder(tmp_path / "eye.dcm", anatomy="any").volume("eye", "OCT").array.shape == SHOWN.shape


def test_a_topcon_file_that_states_gigabytes_is_refused(tmp_path: Path):
    data = test_topcon.fda_bytes(VOXELS)
    size = struct.pack("<III", 4, 6, 5)  # width, depth, number of B-scans
    (tmp_path / "eye.fda").write_bytes(data.replace(size, struct.pack("<III", 60_000, 60_000, 50)))
    with pytest.raises(DataError, match=r"eye\.fda: its header states 180000000000 voxels, more than any scan has"):
        VendorFolder(tmp_path / "eye.fda", anatomy="any").volume("eye", "OCT")


def test_an_e2e_file_whose_slices_share_one_picture_is_refused(tmp_path: Path):
    voxels = test_e2e.random_voxels((40, 30, 40))[0]
    path = test_e2e.Writer().volume(voxels).save(tmp_path / "eye.e2e")
    data = path.read_bytes()
    whole = struct.pack("<III", 1600, 40, 40)  # values, height, width of each picture
    path.write_bytes(data.replace(whole, struct.pack("<III", 1600, 4000, 4000)))
    (tmp_path / "subjects.csv").write_text("subject,path,field_x_mm,field_y_mm\neye,eye.e2e,3,2\n")
    with pytest.raises(DataError, match=r"eye\.e2e: states 30 B-scans of 4000 x 4000 voxels, more than its \d+ bytes"):
        VendorFolder(tmp_path, anatomy="any").volume("eye", "OCT")

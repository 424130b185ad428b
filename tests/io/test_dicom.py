"""What DICOM files are: kind, modality, side; what is unclear is refused and no patient's name is repeated."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from octa_kedro.errors import DataError
from octa_kedro.io.dicom import dicom_size, read_dicom
from octa_kedro.io.vendor import VendorFolder
from tests.io.dicom_files import ANALYSIS, SHOWN, TOMOGRAPHY, DicomEye, item


def refused(path: Path, eye: DicomEye, words: str) -> None:
    eye.write(path / "eye.dcm")
    with pytest.raises(DataError, match=rf"eye\.dcm: .*{words}"):
        read_dicom(path / "eye.dcm", None)


def test_a_volume_has_its_values_spacing_and_side(tmp_path: Path):
    DicomEye(elements={"ImageLaterality": "L"}).write(tmp_path / "eye.dcm")
    source = VendorFolder(tmp_path)
    volume = source.volume("eye", "OCT")
    np.testing.assert_array_equal(volume.array, SHOWN)
    assert volume.array.dtype == np.uint8
    assert volume.spacing == pytest.approx((0.011, 0.03, 0.004))
    assert volume.laterality == "OS"
    assert source.check("eye", "OCT") == {"field_of_view_mm": 0.066, "width": 6, "n_bscans": 9, "depth": 12}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("1.2.840.10008.5.1.4.1.1.77.1.5.7", "an en-face map .*give the file of the volume"),
        ("1.2.840.10008.5.1.4.1.1.77.1.5.1", "Ophthalmic Photography 8 Bit Image Storage, not a volume"),
        ("1.2.840.10008.5.1.4.1.1.77.1.5.5", "Wide Field Ophthalmic Photography .*, not a volume"),
        ("1.2.840.10008.5.1.4.1.1.66.5", "Surface Segmentation Storage, not a volume"),
        ("1.2.840.10008.5.1.4.1.1.6.1", "Ultrasound Image Storage, not a volume"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_its_name(tmp_path: Path, kind: str, words: str):
    refused(tmp_path, DicomEye(kind=kind), words)
    with pytest.raises(DataError, match=words):
        dicom_size(tmp_path / "eye.dcm", None)


@pytest.mark.parametrize(
    ("kind", "elements", "modality"),
    [
        (TOMOGRAPHY, {}, "OCT"),
        (TOMOGRAPHY, {"SeriesDescription": "Reconstructed macular cube"}, "OCT"),
        (TOMOGRAPHY, {"ImageType": ["DERIVED", "PRIMARY", "", "ANGIO"]}, "OCTA"),
        (TOMOGRAPHY, {"ImageType": "OCTA"}, "OCTA"),
        (TOMOGRAPHY, {"SeriesDescription": "Angiography 3x3 Flow"}, "OCTA"),
        (TOMOGRAPHY, {"SeriesDescription": "Angiography 3x3 Structure"}, "OCT"),
        (TOMOGRAPHY, {"OphthalmicImageTypeCodeSequence": [item(CodeMeaning="Retina vasculature flow")]}, "OCTA"),
        (ANALYSIS, {"ProtocolName": "Angiography 6x6"}, "OCTA"),
    ],
)
def test_the_modality_is_what_the_file_says(tmp_path: Path, kind: str, elements: dict[str, Any], modality: str):
    path = DicomEye(kind=kind, elements=elements).write(tmp_path / "eye.dcm")
    assert read_dicom(path, None).modality == modality
    other = "OCT" if modality == "OCTA" else "OCTA"
    with pytest.raises(DataError, match=r"eye\.dcm: holds .*, not "):
        read_dicom(path, other)
    with pytest.raises(DataError, match=r"eye\.dcm: holds .*, not "):
        dicom_size(path, other)


@pytest.mark.parametrize(
    ("kind", "elements", "words"),
    [
        (ANALYSIS, {"SeriesDescription": "Structure"}, "says that it is flow and that it is structure"),
        (TOMOGRAPHY, {"ImageType": ["DERIVED", "PRIMARY", "FLOW", "STRUCT"]}, "says that it is flow"),
        (TOMOGRAPHY, {"SeriesDescription": "Angiography 3x3 mm"}, "called angio, and nothing says whether"),
        (TOMOGRAPHY, {"ProtocolName": "OCT-A 6x6"}, "called oct a, and nothing says whether"),
    ],
)
def test_an_unclear_modality_is_refused(tmp_path: Path, kind: str, elements: dict[str, Any], words: str):
    refused(tmp_path, DicomEye(kind=kind, elements=elements), words)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"ImageLaterality": "B"}, "its laterality is not one eye but B"),
        ({"ImageLaterality": "R", "Laterality": "L"}, "its laterality is not one eye but L, R"),
        ({"InConcatenationNumber": 1, "InConcatenationTotalNumber": 3}, r"part 1 of 3 of one scan \(a concatenation\)"),
        ({"NumberOfFrames": None, "PerFrameFunctionalGroupsSequence": []}, "holds one frame, not a volume"),
        ({"NumberOfFrames": None}, "states 1 frames but describes 9"),
        ({"ImageLaterality": ["R", "L"]}, "its laterality is not one eye but R and L"),
        ({"NumberOfFrames": 8}, "states 8 frames but describes 9"),
        ({"AnatomicRegionSequence": [item(CodeMeaning="Anterior chamber of eye")]}, "front of the eye"),
        ({"Rows": None}, "holds no image"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.5.7"}, "an en-face map"),
    ],
)
def test_an_unclear_header_is_refused(tmp_path: Path, elements: dict[str, Any], words: str):
    refused(tmp_path, DicomEye(elements=elements), words)


def test_the_side_of_the_frames_counts(tmp_path: Path):
    def left(data: Dataset) -> None:
        del data.ImageLaterality
        for frame in data.PerFrameFunctionalGroupsSequence:
            frame.FrameAnatomySequence = [item(FrameLaterality="L")]

    assert read_dicom(DicomEye(change=left).write(tmp_path / "eye.dcm"), None).laterality == "OS"


@pytest.mark.parametrize("name", ["StackID", "TemporalPositionIndex"])
def test_several_stacks_in_one_file_are_refused(tmp_path: Path, name: str):
    def divide(data: Dataset) -> None:
        for number, frame in enumerate(data.PerFrameFunctionalGroupsSequence):
            value = number % 2 + 1
            frame.FrameContentSequence = [item(**{name: str(value) if name == "StackID" else value})]

    refused(tmp_path, DicomEye(change=divide), "holds 2 (stacks|points in time) of frames")


@pytest.mark.parametrize(
    ("cut", "words"),
    [(lambda raw: b"no DICOM file" * 20, "not a readable DICOM file"), (lambda raw: raw[:-50], "truncated: 5")],
)
def test_damaged_files_are_named(tmp_path: Path, cut: Any, words: str):
    path = DicomEye().write(tmp_path / "eye.dcm")
    path.write_bytes(cut(path.read_bytes()))
    with pytest.raises(DataError, match=rf"eye\.dcm: {words}"):
        VendorFolder(tmp_path).volume("eye", "OCT")


def test_more_pixels_than_frames_are_refused(tmp_path: Path):
    refused(tmp_path, DicomEye(change=lambda d: setattr(d, "PixelData", d.PixelData * 2)), "more pixels than it states")


def test_pixels_that_are_no_pictures_are_called_obfuscated(tmp_path: Path):
    def obfuscate(data: Dataset) -> None:
        data.PixelData = pydicom.encaps.encapsulate([bytes([frame]) * 200 for frame in range(9)])
        data["PixelData"].is_undefined_length = True

    refused(tmp_path, DicomEye(syntax=uid.JPEG2000Lossless, change=obfuscate), "cannot be decoded .*obfuscated")


def test_a_missing_decoder_is_named(tmp_path: Path):
    def claim(data: Dataset) -> None:
        data.PixelData = pydicom.encaps.encapsulate([b"\0\0"] * 9)
        data["PixelData"].is_undefined_length = True

    path = DicomEye(syntax=uid.HTJ2KLossless, change=claim).write(tmp_path / "eye.dcm")
    for call in (read_dicom, dicom_size):
        with pytest.raises(DataError, match=r"eye\.dcm: .*no decoder is installed .*pylibjpeg.*without compression"):
            call(path, None)


@pytest.mark.parametrize("meta", [True, False])
def test_a_file_without_preamble_is_read(tmp_path: Path, meta: bool):
    path = DicomEye().write(tmp_path / "eye.dcm")
    raw = path.read_bytes()[132:]
    path.write_bytes(raw if meta else raw[raw.index(b"\x08\x00\x16\x00") :])  # the second begins with its SOP class
    np.testing.assert_array_equal(read_dicom(path, None).array, SHOWN)


def test_no_name_of_a_patient_reaches_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """Names are not read at all, and a broken value elsewhere is neither warned about nor repeated."""
    name = "MUSTERFRAU"

    def break_values(data: Dataset) -> None:
        data.PatientName, data.PatientBirthDate = f"{name}^ERIKA", "19000101"
        data.SeriesDescription = name * 10
        data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = ["1", "2"]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = DicomEye(change=break_values).write(tmp_path / "eye.dcm")
        damaged = path.read_bytes().replace(b"1\\2 ", name[:4].encode())
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    with caplog.at_level(logging.DEBUG), pytest.raises(DataError) as caught:
        read_dicom(path, None)
    assert "a value of its header cannot be read (ValueError)" in str(caught.value)
    assert caught.value.__cause__ is None
    assert name[:4] not in caplog.text + str(caught.value)

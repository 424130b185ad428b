"""Grey values of DICOM files: polarity, rescale, tables, padding, types and transfer syntaxes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset

from octa_kedro.errors import DataError
from octa_kedro.io.dicom import read_dicom
from tests.io.dicom_files import SHOWN, DicomEye, item

MONO1 = {"PhotometricInterpretation": "MONOCHROME1"}


def read(path: Path, shown: NDArray, elements: dict[str, Any], **how: Any) -> NDArray:
    return read_dicom(DicomEye(shown, elements=elements, **how).write(path / "eye.dcm"), None).array


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        (MONO1, 255 - SHOWN),
        (MONO1 | {"PresentationLUTShape": "INVERSE"}, 255 - SHOWN),
        ({"PresentationLUTShape": "INVERSE"}, 255 - SHOWN),
        ({"PresentationLUTShape": "IDENTITY"}, SHOWN),
        ({"RescaleSlope": -1, "RescaleIntercept": 255}, 255 - SHOWN),
        (MONO1 | {"RescaleSlope": -1, "RescaleIntercept": 255}, SHOWN),
        ({"RescaleSlope": 2, "RescaleIntercept": 5}, 2 * SHOWN.astype(np.uint16) + 5),
        ({"RescaleIntercept": 7}, SHOWN.astype(np.uint16) + 7),
        ({"RescaleSlope": 0.25, "RescaleIntercept": -1}, SHOWN.astype(np.float32) / 4 - 1),
        ({"RescaleSlope": 1, "RescaleIntercept": -300}, SHOWN.astype(np.float32) - 300),
    ],
)
def test_values_are_what_the_file_shows(tmp_path: Path, elements: dict[str, Any], expected: NDArray):
    array = read(tmp_path, SHOWN, elements)
    np.testing.assert_array_equal(array, expected)
    assert array.dtype == expected.dtype


def test_twelve_bits_are_inverted_in_their_range(tmp_path: Path):
    twelve = SHOWN.astype(np.uint16) * 16
    np.testing.assert_array_equal(read(tmp_path, twelve, MONO1, bits=12), 4095 - twelve)


def test_numbers_of_more_bits_than_stated_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"its pixels reach from \d+ to 65280, more than the 12 bits"):
        read(tmp_path, SHOWN.astype(np.uint16) * 256, {}, bits=12)


def test_signed_numbers_without_negative_values_are_unsigned(tmp_path: Path):
    array = read(tmp_path, SHOWN.astype(np.int16), {}, bits=16)
    np.testing.assert_array_equal(array, SHOWN)
    assert array.dtype == np.uint8


def test_negative_numbers_are_floats(tmp_path: Path):
    array = read(tmp_path, SHOWN.astype(np.int16) - 100, {}, bits=16)
    np.testing.assert_array_equal(array, SHOWN.astype(np.float32) - 100)
    assert array.dtype == np.float32


@pytest.mark.parametrize(("elements", "dark"), [({}, 0), (MONO1, 0), ({"PixelPaddingRangeLimit": 250}, 0)])
def test_padding_is_dark(tmp_path: Path, elements: dict[str, Any], dark: int):
    array = read(tmp_path, SHOWN, elements | {"PixelPaddingValue": 255})
    shown = 255 - SHOWN if elements == MONO1 else SHOWN
    padded = elements.get("PixelPaddingRangeLimit", 255) <= SHOWN
    assert padded.any()
    np.testing.assert_array_equal(array, np.where(padded, dark, shown))


def test_every_frame_has_its_own_rescale(tmp_path: Path):
    def rescale(data: Dataset) -> None:
        for number, frame in enumerate(data.PerFrameFunctionalGroupsSequence):
            frame.PixelValueTransformationSequence = [item(RescaleSlope=1 + number % 2, RescaleIntercept=number)]

    array = read(tmp_path, SHOWN, {}, change=rescale)
    numbers = np.arange(SHOWN.shape[1])[:, None]
    np.testing.assert_array_equal(array, SHOWN * (1 + numbers % 2).astype(np.uint16) + numbers.astype(np.uint16))


def test_a_modality_lut_is_applied(tmp_path: Path):
    table = item(LUTDescriptor=[256, 0, 16], ModalityLUTType="US")
    table.add_new("LUTData", "US", [3 * number for number in range(256)])
    array = read(tmp_path, SHOWN, {"ModalityLUTSequence": [table]})
    np.testing.assert_array_equal(array, 3 * SHOWN.astype(np.uint16))


@pytest.mark.parametrize("rising", [True, False])
def test_a_voi_lut_is_for_display_unless_it_inverts(tmp_path: Path, rising: bool):
    table = item(LUTDescriptor=[256, 0, 8])
    table.add_new("LUTData", "US", list(range(256))[:: 1 if rising else -1])
    eye = DicomEye(elements={"VOILUTSequence": [table]}).write(tmp_path / "eye.dcm")
    if rising:
        np.testing.assert_array_equal(read_dicom(eye, None).array, SHOWN)
    else:
        with pytest.raises(DataError, match="its VOI LUT does not ascend"):
            read_dicom(eye, None)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        (MONO1 | {"PresentationLUTShape": "IDENTITY"}, "MONOCHROME1 and the presentation LUT IDENTITY contradict"),
        ({"PresentationLUTShape": "LIN OD"}, "presentation LUT LIN OD contradict"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "its pixels are PALETTE COLOR, not grey"),
        ({"RescaleSlope": 0, "RescaleIntercept": 1}, "no grey scale"),
        ({"HighBit": 6}, "its 8 bits end at bit 6"),
        ({"BitsAllocated": 32}, "pixels of 32 bits are not read"),
        ({"PixelData": None}, "holds no pixels"),
    ],
)
def test_unclear_grey_values_are_refused(tmp_path: Path, elements: dict[str, Any], words: str):
    with pytest.raises(DataError, match=rf"eye\.dcm: .*{words}"):
        read(tmp_path, SHOWN, elements)


@pytest.mark.parametrize("grey", [True, False])
def test_colours_are_read_only_if_they_are_grey(tmp_path: Path, grey: bool):
    def colour(data: Dataset) -> None:
        planes = np.frombuffer(data.PixelData, np.uint8).repeat(3).reshape(-1, 3).copy()
        planes[5, 1] ^= 0 if grey else 1
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
        data.PixelData = planes.tobytes()

    eye = DicomEye(change=colour).write(tmp_path / "eye.dcm")
    if grey:
        np.testing.assert_array_equal(read_dicom(eye, None).array, SHOWN)
    else:
        with pytest.raises(DataError, match="its pixels are colours"):
            read_dicom(eye, None)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_floating_point_pixels_are_read(tmp_path: Path, syntax: uid.UID):
    def as_float(data: Dataset) -> None:
        values = (SHOWN.transpose(1, 2, 0) / 7).astype("<f4" if syntax.is_little_endian else ">f4")
        data.FloatPixelData, data.BitsAllocated = values.tobytes(), 32
        for name in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
            delattr(data, name)

    array = read(tmp_path, SHOWN, {}, change=as_float, syntax=syntax)
    np.testing.assert_array_equal(array, (SHOWN / 7).astype(np.float32))


@pytest.mark.parametrize(
    "syntax",
    [uid.ImplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless],
)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_every_transfer_syntax_gives_the_same_values(tmp_path: Path, syntax: uid.UID, kind: type):
    shown = SHOWN.astype(kind) * kind(257 if kind == np.uint16 else 1)
    array = read(tmp_path, shown, {}, syntax=syntax, bits=8 * shown.itemsize)
    np.testing.assert_array_equal(array, shown)
    assert array.dtype == np.dtype(kind)

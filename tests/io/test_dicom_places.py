"""Where the B-scans of DICOM files lie: order, direction, pattern and spacing, or a refusal that names the pattern."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from octa_kedro.errors import DataError
from octa_kedro.io.dicom import dicom_size, read_dicom
from tests.io.dicom_files import LOCATION, SHOWN, DicomEye, item

N = SHOWN.shape[1]
FRAMES = "PerFrameFunctionalGroupsSequence"
Line = tuple[float, float, float, float]


def placed(lines: Callable[[int], Line], n: int = N) -> DicomEye:
    """A file whose frame i lies at `lines(i)` of the fundus picture: row and column of its first and last column."""

    def move(data: Dataset) -> None:
        for number, frame in enumerate(data[FRAMES].value):
            frame[LOCATION].value[0].ReferenceCoordinates = list(lines(number))

    return DicomEye(np.resize(SHOWN, (6, n, 12)), change=move, spacing=(0.1, 0.05, 0.004))


def around(angle: float, radius: float = 30.0) -> Line:
    row, column = radius * np.sin(angle), radius * np.cos(angle)
    return 100 - row, 100 - column, 100 + row, 100 + column


@pytest.mark.parametrize(
    ("eye", "words"),
    [
        (placed(lambda i: around(np.pi * i / N)), "star .radial. scan of 9 B-scans: its B-scans are not parallel"),
        (placed(lambda i: (50.0, 10.0, 50.0, 70.0)), "line scan: its 9 B-scans lie at one place"),
        (placed(lambda i: (50.0 - 20 * i, 10.0, 50.0 - 20 * i, 70.0), 5), "line scan of 5 B-scans"),
        (placed(lambda i: (50.0 - 5 * i, 10.0, 50.0 - 5 * i + 25, 70.0)), "slanted by 23 degrees"),
        (placed(lambda i: (99.0 - 5 * i - 5 * (i > 4), 9.0, 99.0 - 5 * i - 5 * (i > 4), 69.0)), "no equal distance"),
        (placed(lambda i: (99.0 - 5 * max(i, 1), 9.0, 99.0 - 5 * max(i, 1), 69.0)), "1 and 2 lie at the same place"),
        (placed(lambda i: (99.0 - 5 * i, 9.0, 99.0 - 5 * i, 69.0 + 5 * i)), "at one edge|no equal length"),
        (placed(lambda i: (99.0 - 5 * i, 9.0 + 5 * i, 99.0 - 5 * i, 69.0 + 5 * i)), "at one edge"),
        (placed(lambda i: (99.0 - 5 * i, 9.0, 99.0 - 5 * i + i, 69.0)), "slanted|not parallel"),
        (
            placed(lambda i: (99.0 - 5 * i, (9.0, 69.0)[i % 2], 99.0 - 5 * i, (69.0, 9.0)[i % 2])),
            "alternating directions",
        ),
        (placed(lambda i: (99.0 - 5 * i, 9.0, 99.0 - 5 * i, 9.0)), "does not say where its B-scans lie"),
        (placed(lambda i: (float("nan"), 9.0, 99.0 - 5 * i, 9.0)), "does not say where its B-scans lie"),
    ],
)
def test_any_other_pattern_than_a_raster_is_refused_by_its_name(tmp_path: Path, eye: DicomEye, words: str):
    path = eye.write(tmp_path / "eye.dcm")
    for call in (read_dicom, dicom_size):
        with pytest.raises(DataError, match=rf"eye\.dcm: .*{words}"):
            call(path, None)


def test_circles_and_en_face_sections_are_refused(tmp_path: Path):
    turns = np.linspace(0, 2 * np.pi, 20)
    circle = np.stack([100 + 40 * np.sin(turns), 100 + 40 * np.cos(turns)], axis=1).ravel().tolist()
    for name, value, words in (
        ("ReferenceCoordinates", circle, "frame 1 is a circle scan"),
        ("ReferenceCoordinates", [1.0, 1.0, 9.0, 9.0, 1.0, 17.0], "frame 1 is a curved scan"),
        ("ReferenceCoordinates", [1.0, 1.0], "placed by 2 coordinates"),
        ("OphthalmicImageOrientation", "TRANSVERSE", "en-face sections"),
    ):
        eye = DicomEye(change=lambda d, n=name, v=value: setattr(d[FRAMES].value[0][LOCATION].value[0], n, v))
        with pytest.raises(DataError, match=words):
            read_dicom(eye.write(tmp_path / "eye.dcm"), None)


def test_points_along_a_straight_line_are_a_line(tmp_path: Path):
    def more_points(data: Dataset) -> None:
        for frame in data[FRAMES].value:
            place = frame[LOCATION].value[0]
            ends = np.asarray(place.ReferenceCoordinates).reshape(2, 2)
            place.ReferenceCoordinates = np.linspace(ends[0], ends[1], 7).ravel().tolist()

    np.testing.assert_array_equal(read_dicom(DicomEye(change=more_points).write(tmp_path / "e.dcm"), None).array, SHOWN)


def test_places_that_are_rounded_to_pixels_are_even(tmp_path: Path):
    eye = placed(lambda i: (round(99 - 1.7 * i), 9.0, round(99 - 1.7 * i), 29.0))
    eye.spacing = (0.1, 0.051, 0.004)
    assert read_dicom(eye.write(tmp_path / "eye.dcm"), None).spacing == pytest.approx((0.1, 0.051, 0.004))


def test_frames_that_are_only_partly_placed_are_refused(tmp_path: Path):
    eye = DicomEye(change=lambda data: delattr(data[FRAMES].value[3], LOCATION))
    with pytest.raises(DataError, match="only 8 of 9 frames say where they lie"):
        read_dicom(eye.write(tmp_path / "eye.dcm"), None)


def test_places_on_a_second_picture_do_not_count(tmp_path: Path):
    def second(data: Dataset) -> None:
        for number, frame in enumerate(data[FRAMES].value):
            place = frame[LOCATION].value[0]
            place.ReferencedSOPInstanceUID = "1.2.8"
            other = item(ReferencedSOPInstanceUID="1.2.9", ReferenceCoordinates=[1.0, 1.0, 1.0 + number, 8.0])
            frame[LOCATION].value = [place, other] if number == 0 else [other, place]

    np.testing.assert_array_equal(read_dicom(DicomEye(change=second).write(tmp_path / "eye.dcm"), None).array, SHOWN)


@pytest.mark.parametrize("name", ["InStackPositionNumber", "DimensionIndexValues"])
def test_without_places_the_numbers_in_the_stack_are_the_order(tmp_path: Path, name: str):
    def number(data: Dataset) -> None:
        for index, frame in enumerate(data[FRAMES].value):
            value = N - index
            frame.FrameContentSequence = [item(**{name: value if name.startswith("In") else [1, value]})]

    scan = read_dicom(DicomEye(places="", change=number).write(tmp_path / "eye.dcm"), None)
    np.testing.assert_array_equal(scan.array, SHOWN[:, ::-1])
    assert scan.unstated == ("x", "y")


def test_without_any_statement_the_order_is_the_file_s_and_unstated(tmp_path: Path):
    scan = read_dicom(DicomEye(places="").write(tmp_path / "eye.dcm"), None)
    np.testing.assert_array_equal(scan.array, SHOWN)
    assert scan.unstated == ("x", "y")


def test_a_file_that_says_that_it_is_no_volume_is_refused_unless_its_places_are_a_raster(tmp_path: Path):
    flag = {"OphthalmicVolumetricPropertiesFlag": "NO"}
    read_dicom(DicomEye(elements=flag).write(tmp_path / "eye.dcm"), None)
    with pytest.raises(DataError, match="says that it is no volume"):
        read_dicom(DicomEye(places="", elements=flag).write(tmp_path / "eye.dcm"), None)


@pytest.mark.parametrize("n", [N, N - 1])
def test_places_beside_the_functional_groups_count(tmp_path: Path, n: int):
    places = [item(ReferenceCoordinates=[float(10 + 3 * row), 9.0, float(10 + 3 * row), 15.6]) for row in range(n)]
    eye = DicomEye(places="", elements={LOCATION: places}).write(tmp_path / "eye.dcm")
    if n == N:
        np.testing.assert_array_equal(read_dicom(eye, None).array, SHOWN[:, ::-1])
    else:
        with pytest.raises(DataError, match="lists 8 places for 9 frames"):
            read_dicom(eye, None)


@pytest.mark.parametrize("words", ["HD 5 Line Raster", "Radial Lines", "Circle"])
def test_without_places_the_name_of_another_pattern_is_refused(tmp_path: Path, words: str):
    eye = DicomEye(places="", elements={"SeriesDescription": words})
    with pytest.raises(DataError, match=r"is called a (line|radial|circle) scan"):
        read_dicom(eye.write(tmp_path / "eye.dcm"), None)


def test_positions_without_a_frame_of_reference_give_order_and_distance_but_no_direction(tmp_path: Path):
    eye = DicomEye(places="patient", change=lambda d: delattr(d, "FrameOfReferenceUID"), turned=True)
    scan = read_dicom(eye.write(tmp_path / "eye.dcm"), None)
    np.testing.assert_array_equal(scan.array, SHOWN[::-1])
    assert scan.unstated == ("x", "y")


def test_positions_in_millimetres_have_to_agree_with_the_stated_distance(tmp_path: Path):
    def shrink(data: Dataset) -> None:
        for frame in data[FRAMES].value:
            place = frame.PlanePositionSequence[0]
            place.ImagePositionPatient = [0.9 * float(value) for value in place.ImagePositionPatient]

    with pytest.raises(DataError, match=r"states 0\.03 mm between B-scans, but they are placed 0\.027 mm apart"):
        read_dicom(DicomEye(places="patient", change=shrink).write(tmp_path / "eye.dcm"), None)


def test_positions_in_millimetres_give_the_distance_that_is_not_stated(tmp_path: Path):
    def forget(data: Dataset) -> None:
        del data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices

    path = DicomEye(places="patient", change=forget).write(tmp_path / "eye.dcm")
    assert read_dicom(path, None).spacing == pytest.approx((0.011, 0.03, 0.004))


def test_a_thickness_in_micrometres_is_refused(tmp_path: Path):
    eye = DicomEye(between="SliceThickness", change=lambda data: thickness(data, 30.0))
    with pytest.raises(DataError, match=r"states 30 mm between B-scans, but they are placed 0\.03 mm apart"):
        read_dicom(eye.write(tmp_path / "eye.dcm"), None)


def test_a_distance_that_the_picture_shows_otherwise_is_used_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    eye = DicomEye(between="SliceThickness", change=lambda data: thickness(data, 0.036)).write(tmp_path / "eye.dcm")
    with caplog.at_level(logging.WARNING):
        dicom_size(eye, None)
        assert not caplog.text
        assert read_dicom(eye, None).spacing == pytest.approx((0.011, 0.036, 0.004))
    assert "states 0.036 mm between B-scans, and places them 0.03 mm apart" in caplog.text


def thickness(data: Dataset, value: float) -> None:
    data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness = value


def test_the_distance_counts_before_the_thickness(tmp_path: Path):
    path = DicomEye(change=lambda data: thickness(data, 0.011)).write(tmp_path / "eye.dcm")
    assert read_dicom(path, None).spacing == pytest.approx((0.011, 0.03, 0.004))


def test_frames_have_one_spacing(tmp_path: Path):
    def other(data: Dataset) -> None:
        data[FRAMES].value[4].PixelMeasuresSequence[0].PixelSpacing = [0.004, 0.012]

    def missing(data: Dataset) -> None:
        del data[FRAMES].value[4].PixelMeasuresSequence

    def negative(data: Dataset) -> None:
        data[FRAMES].value[4].PixelMeasuresSequence[0].PixelSpacing = [-0.004, 0.011]

    for change, words in (
        (other, "only scans with one spacing"),
        (missing, "1 of 9 frames do not state their spacing"),
        (negative, "spacings are positive"),
    ):
        with pytest.raises(DataError, match=words):
            read_dicom(DicomEye(per_frame=True, change=change).write(tmp_path / "eye.dcm"), None)


def test_a_thickness_of_zero_says_nothing(tmp_path: Path):
    path = DicomEye(change=lambda data: thickness(data, 0)).write(tmp_path / "eye.dcm")
    assert read_dicom(path, None).spacing == pytest.approx((0.011, 0.03, 0.004))
    assert (
        read_dicom(DicomEye(places="", between="SliceThickness", spacing=(0.011, 0, 0.004)).write(path), None).spacing[
            1
        ]
        is None
    )


def test_a_pixel_spacing_has_two_values(tmp_path: Path):
    def one(data: Dataset) -> None:
        data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [0.004]

    with pytest.raises(DataError, match="its PixelSpacing has 1 values"):
        read_dicom(DicomEye(change=one).write(tmp_path / "eye.dcm"), None)

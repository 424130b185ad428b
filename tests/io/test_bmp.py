"""Bitmaps: what Pillow reads is read from the bytes as well, and damage is named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from octa_kedro.errors import DataError
from octa_kedro.io.bmp import bitmap_size, read_classes, read_grey
from octa_kedro.io.bscans import check_sizes, list_bscans, read_bscans
from tests.conftest import write_bscans


@pytest.fixture
def grey() -> np.ndarray:
    """7 rows of 5: rows are padded to 8 bytes in the file."""
    return np.random.default_rng(0).integers(0, 256, (7, 5)).astype(np.uint8)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_grey_pictures_of_any_mode_come_back(tmp_path: Path, grey: np.ndarray, mode: str):
    path = tmp_path / "1.bmp"
    Image.fromarray(grey).convert(mode).save(path)
    np.testing.assert_array_equal(read_grey(path), grey)
    assert bitmap_size(path) == (5, 7)


def test_rows_stored_from_the_top_come_back(tmp_path: Path, grey: np.ndarray):
    path = tmp_path / "1.bmp"
    Image.fromarray(grey[::-1]).save(path)
    data = bytearray(path.read_bytes())
    data[22:26] = (-7).to_bytes(4, "little", signed=True)
    path.write_bytes(data)
    np.testing.assert_array_equal(read_grey(path), grey)
    assert bitmap_size(path) == (5, 7)


def test_a_palette_that_is_no_grey_ramp_goes_through_pillow(tmp_path: Path, grey: np.ndarray):
    path = tmp_path / "1.bmp"
    Image.fromarray(255 - grey).save(path)
    data = bytearray(path.read_bytes())
    data[54:1078] = b"".join(bytes((255 - i, 255 - i, 255 - i, 0)) for i in range(256))
    path.write_bytes(data)
    np.testing.assert_array_equal(read_grey(path), grey)


@pytest.mark.parametrize(("dtype", "words"), [(np.uint16, "mode I;16"), (np.float32, "mode F"), (bool, "1 bit")])
def test_pictures_without_the_grey_levels_of_a_scan_are_refused(
    tmp_path: Path, grey: np.ndarray, dtype: type, words: str
):
    path = tmp_path / "1.bmp"
    Image.fromarray(grey.astype(dtype)).save(path, "TIFF")
    with pytest.raises(DataError, match=rf"1.bmp: a picture .*{words}.*; B-scans .* have 8 bits of grey"):
        read_grey(path)


def test_what_shines_through_a_picture_is_not_lost(tmp_path: Path, grey: np.ndarray):
    image = Image.fromarray(grey).convert("RGBA")
    image.putalpha(100)
    image.save(tmp_path / "1.bmp", "PNG")
    with pytest.raises(DataError, match="mode RGBA"):
        read_grey(tmp_path / "1.bmp")


def test_a_mask_of_one_bit_has_its_two_levels(tmp_path: Path, grey: np.ndarray):
    Image.fromarray(grey > 100).save(tmp_path / "1.bmp")
    np.testing.assert_array_equal(read_classes(tmp_path / "1.bmp"), np.where(grey > 100, 255, 0))


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_colour_is_refused(tmp_path: Path, mode: str):
    colour = np.zeros((4, 4, 3), np.uint8)
    colour[..., 1] = 200
    Image.fromarray(colour).convert(mode).save(tmp_path / "1.bmp")
    with pytest.raises(DataError, match=r"1\.bmp: a colour picture"):
        read_grey(tmp_path / "1.bmp")


def test_class_numbers_are_those_of_the_palette(tmp_path: Path):
    classes = np.array([[0, 1, 2], [3, 4, 0]], np.uint8)
    image = Image.fromarray(classes)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    image.save(tmp_path / "1.bmp")
    np.testing.assert_array_equal(read_classes(tmp_path / "1.bmp"), classes)


@pytest.mark.parametrize("function", [read_grey, bitmap_size])
@pytest.mark.parametrize(
    ("keep", "words"),
    [(0, "not a readable bitmap"), (30, "not a readable bitmap"), (-1, "truncated bitmap: 1133 bytes, but 5 x 7")],
)
def test_short_files_are_named(tmp_path: Path, grey: np.ndarray, function, keep: int, words: str):
    path = tmp_path / "3.bmp"
    Image.fromarray(grey).save(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=rf"3\.bmp: {words}"):
        function(path)
    with pytest.raises(DataError, match=r"4\.bmp: no such file"):
        function(tmp_path / "4.bmp")


def test_a_stack_of_mixed_copies_is_one_array(tmp_path: Path):
    array = np.random.default_rng(1).integers(0, 90, (6, 11, 9)).astype(np.uint8)
    write_bscans(tmp_path, array)
    for number in (2, 10):
        path = tmp_path / f"{number}.bmp"
        Image.open(path).convert("RGB").save(path)
    np.testing.assert_array_equal(read_bscans(tmp_path), array)
    assert check_sizes(list_bscans(tmp_path)) == (6, 9)


def test_a_bscan_of_another_size_is_named_by_both_ways_of_reading(tmp_path: Path):
    write_bscans(tmp_path, np.ones((6, 4, 9), np.uint8))
    Image.new("L", (9, 6)).save(tmp_path / "3.bmp")
    for function in (read_bscans, lambda folder: check_sizes(list_bscans(folder))):
        with pytest.raises(DataError, match=r"3\.bmp: 9 x 6 pixels, but 1\.bmp of the same eye has 6 x 9"):
            function(tmp_path)


def test_hidden_files_are_no_bscans(tmp_path: Path):
    write_bscans(tmp_path, np.ones((6, 2, 9), np.uint8))
    (tmp_path / "._1.bmp").write_bytes(b"made by macOS")
    assert [path.name for path in list_bscans(tmp_path)] == ["1.bmp", "2.bmp"]


@pytest.mark.parametrize(("names", "words"), [((0, 1), "number 0 should not"), ((2, 3), "1 to 3 but 1 is missing")])
def test_numbers_begin_with_one(tmp_path: Path, names: tuple[int, ...], words: str):
    for name in names:
        Image.new("L", (3, 3)).save(tmp_path / f"{name}.bmp")
    with pytest.raises(DataError, match=words):
        list_bscans(tmp_path)

"""A folder of numbered B-scan bitmaps as one array."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.bmp import bitmap_size, read_grey


def list_bscans(folder: Path) -> list[Path]:
    """The bitmaps ``1.bmp`` .. ``n.bmp`` of `folder` in numeric order.

    DataError if the folder is missing or empty, if a file name is not a number, or if a number is missing or occurs
    twice (``1.bmp`` and ``01.bmp``).
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; every eye needs a folder of B-scans named 1.bmp, 2.bmp, ...")
    numbered: dict[int, str] = {}
    for name in _file_names(folder):
        stem, suffix = os.path.splitext(name)  # noqa: PTH122
        if suffix.lower() != ".bmp" or name.startswith("."):
            continue
        if not (stem.isascii() and stem.isdigit()):
            raise DataError(
                f"{folder / name}: a B-scan is named by its number (1.bmp, 2.bmp, ...); rename or remove it"
            )
        number = int(stem)
        if number in numbered:
            raise DataError(f"{folder}: B-scan {number} occurs twice ({numbered[number]} and {name}); remove one")
        numbered[number] = name
    if not numbered:
        raise DataError(f"{folder}: holds no B-scan (*.bmp)")
    last = max(numbered)
    if len(numbered) != last or min(numbered) < 1:
        # the first few only: a file may have a date for its number
        missing = [*islice((number for number in range(1, last) if number not in numbered), 6)]
        shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise DataError(
            f"{folder}: B-scans are numbered from 1 to {last} but {shown or 'number 0'} "
            f"{'is missing' if missing else 'should not be there'}; copy the eye again or leave it out"
        )
    return [folder / numbered[number] for number in sorted(numbered)]


def _file_names(folder: Path) -> Iterator[str]:
    """Names of the files of a folder; DataError for a bitmap that is no regular file: to open a pipe would wait for
    ever."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_file() and entry.name.lower().endswith(".bmp"):
                    raise DataError(f"{folder / entry.name}: is no regular file; remove it or copy the eye again")
                yield entry.name
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror}); allow it to be read") from error


def check_sizes(paths: list[Path]) -> tuple[int, int]:
    """The common (width, depth) of the bitmaps `paths`, from their headers; DataError names the first that differs."""
    size = bitmap_size(paths[0])
    for path in paths[1:]:
        _require_size(path, bitmap_size(path), paths[0], size)
    return size


def read_bscans(folder: Path) -> NDArray[np.uint8]:
    """All B-scans of `folder` as one array ``[x, y, z]`` = (A-scan, B-scan, depth), unsigned 8 bit."""
    paths = list_bscans(folder)
    first = read_grey(paths[0])
    stack = np.empty((len(paths), *first.shape), np.uint8)
    stack[0] = first
    for index, path in enumerate(paths[1:], 1):
        pixels = read_grey(path)
        if pixels.shape != first.shape:
            _require_size(path, pixels.shape[::-1], paths[0], first.shape[::-1])
        stack[index] = pixels
    return stack.transpose(2, 0, 1)


def _require_size(path: Path, size: tuple[int, ...], first: Path, expected: tuple[int, ...]) -> None:
    if size != expected:
        raise DataError(
            f"{path}: {size[0]} x {size[1]} pixels, but {first.name} of the same eye has "
            f"{expected[0]} x {expected[1]}; all B-scans of an eye must have one size"
        )

"""A folder of numbered B-scan bitmaps as one array."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from octa_kedro.errors import DataError


def list_bscans(folder: Path) -> list[Path]:
    """The bitmaps ``1.bmp`` .. ``n.bmp`` of `folder` in numeric order.

    DataError if the folder is missing or empty, holds a name that is no number, or if numbers are missing
    or stand twice (``1.bmp`` beside ``01.bmp``).
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; every eye needs a folder of B-scans named 1.bmp, 2.bmp, ...")
    numbered: dict[int, Path] = {}
    for path in folder.iterdir():
        if path.suffix.lower() != ".bmp":
            continue
        if not path.stem.isdigit():
            raise DataError(f"{path}: a B-scan is named by its number (1.bmp, 2.bmp, ...); rename or remove it")
        number = int(path.stem)
        if number in numbered:
            raise DataError(f"{folder}: B-scan {number} stands twice ({numbered[number].name} and {path.name})")
        numbered[number] = path
    if not numbered:
        raise DataError(f"{folder}: holds no B-scan (*.bmp)")
    missing = sorted(set(range(1, max(numbered) + 1)) - numbered.keys())
    if missing or min(numbered) < 1:
        shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise DataError(
            f"{folder}: B-scans are numbered from 1 to {max(numbered)} but {shown or 'number 0'} "
            f"{'is missing' if missing else 'should not be there'}; copy the eye again or leave it out"
        )
    return [numbered[number] for number in sorted(numbered)]


def bscan_size(path: Path) -> tuple[int, int]:
    """(width, depth) of one bitmap, read from its header alone."""
    with _open(path) as image:
        return image.size


def check_sizes(paths: list[Path]) -> tuple[int, int]:
    """The (width, depth) that all of `paths` share; DataError names the first that differs."""
    size = bscan_size(paths[0])
    for path in paths[1:]:
        if (other := bscan_size(path)) != size:
            raise DataError(
                f"{path}: {other[0]} x {other[1]} pixels, but {paths[0].name} of the same eye has "
                f"{size[0]} x {size[1]}; all B-scans of an eye must have one size"
            )
    return size


def read_bscans(folder: Path) -> NDArray[np.uint8]:
    """The stack of `folder` as ``[x, y, z]`` = (A-scan, B-scan, depth), unsigned 8 bit.

    Colour copies are accepted where all three channels agree, since some copies of the release are RGB.
    """
    paths = list_bscans(folder)
    width, depth = check_sizes(paths)
    stack = np.empty((len(paths), depth, width), np.uint8)
    for index, path in enumerate(paths):
        stack[index] = read_grey(path)
    return stack.transpose(2, 0, 1)


def read_grey(path: Path) -> NDArray[np.uint8]:
    """One bitmap as rows x columns of grey levels; DataError if it is unreadable or truly in colour."""
    with _open(path) as image:
        try:
            pixels = np.asarray(image if image.mode in {"L", "RGB"} else image.convert("L"))
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(f"{path}: damaged bitmap ({error}); copy it again or leave the eye out") from error
    if pixels.ndim == 3:
        if not (np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 0], pixels[..., 2])):
            raise DataError(f"{path}: a colour picture; B-scans and projection maps are grey")
        pixels = pixels[..., 0]
    return pixels


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{path}: not a readable bitmap; copy it again or leave the eye out") from error

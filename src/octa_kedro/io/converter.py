"""Vendor files that oct-converter reads: Heidelberg ``.e2e`` and Zeiss ``.img``."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from octa_kedro.errors import DataError
from octa_kedro.io.vendor_scan import SIDES, Modality, Spacing, VendorScan, require_modality, vendor_extra

HELD: tuple[Modality, ...] = ("OCT",)
IMG_DEPTH, IMG_DEPTH_MM = 1024, 2.0
CUBE = re.compile(r"(\d+)\s?x\s?(\d+)(?!\s?(?:mm|\d))", re.IGNORECASE)
FIELD = re.compile(r"(\d+)\s?x\s?(\d+)\s?mm", re.IGNORECASE)
MACULAR_CUBE_MM = 6


def read_e2e(path: Path, modality: Modality | None) -> VendorScan:
    """The one volume of a Heidelberg ``.e2e`` file.

    oct-converter returns the true spacing in depth only (its lateral values are defaults), so the table has to give
    ``field_x_mm`` and ``field_y_mm``. DataError if the file holds no volume or several.
    """
    require_modality(path, modality, HELD)
    with vendor_extra(path):
        from oct_converter.readers import E2E  # noqa: PLC0415
    try:
        found = [volume for volume in E2E(path).read_oct_volume() if len(volume.volume) > 1]
    except Exception as error:  # a damaged file may raise any error inside oct-converter
        raise DataError(f"{path}: not a readable .e2e file ({type(error).__name__}: {error})") from error
    if len(found) != 1:
        raise DataError(f"{path}: holds {len(found)} volumes, one is expected; export each eye to a file of its own")
    pixels = found[0].pixel_spacing
    return _scan(path, found[0], (None, None, float(pixels[1]) if pixels and len(pixels) > 1 else None))


def read_img(path: Path, modality: Modality | None) -> VendorScan:
    """A raw Zeiss ``.img`` cube, 1024 voxels deep; only the file name gives its other sizes and its laterality."""
    require_modality(path, modality, HELD)
    width, n = _cube(path, path.stat().st_size)
    with vendor_extra(path):
        from oct_converter.readers import IMG  # noqa: PLC0415
    volume = IMG(path).read_oct_volume(rows=IMG_DEPTH, cols=width)
    field = FIELD.search(path.name)
    known = "cube" in path.name.lower() and field is None
    x_mm, y_mm = (float(field[1]), float(field[2])) if field else (MACULAR_CUBE_MM, MACULAR_CUBE_MM)
    lateral = (x_mm / width, y_mm / n) if field or known else (None, None)
    return _scan(path, volume, (*lateral, IMG_DEPTH_MM / IMG_DEPTH))


def _cube(path: Path, size: int) -> tuple[int, int]:
    """Numbers of A-scans and B-scans: as the file name says, or else equal. DataError if the size does not fit."""
    columns, rest = divmod(size, IMG_DEPTH)
    named = CUBE.search(path.name)
    if named and int(named[1]) * int(named[2]) * IMG_DEPTH == size:
        return int(named[1]), int(named[2])
    side = math.isqrt(columns)
    if named or rest or not size or side * side != columns:
        raise DataError(
            f"{path}: {size} bytes are not a cube of {f'{named[1]} x {named[2]}' if named else 'n x n'} A-scans with "
            f"{IMG_DEPTH} voxels each; name the file as the device does (..._512x128_...), or copy it again"
        )
    return side, side


def _scan(path: Path, volume: Any, spacing: Spacing) -> VendorScan:
    """The B-scans of oct-converter, each (depth, width), as one scan ``[x, y, z]``."""
    shapes = {np.shape(bscan) for bscan in volume.volume}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise DataError(f"{path}: its B-scans have the sizes {sorted(shapes)}, but must have one; leave the eye out")
    array = np.stack([np.asarray(bscan) for bscan in volume.volume]).transpose(2, 0, 1)
    return VendorScan(array, spacing, "OCT", "stored", SIDES.get(str(volume.laterality or "")), unstated=("x", "y"))

"""Topcon ``.fda`` files: a list of named chunks, as the uocte project describes them.

The reader of oct-converter 0.7 is not used: it fails with NumPy 2.3 and later, where binary ``fromstring`` is gone.
"""

import io
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from octa_kedro.errors import DataError
from octa_kedro.io.vendor_scan import SIDES, Modality, Spacing, VendorScan, require_modality

HELD: tuple[Modality, ...] = ("OCT",)
MAGIC = b"FOCT"
HEADER_BYTES = 15
JPEG_HEADER = struct.Struct("<BIIIIII")  # scan mode, 2 unknown, width, height, number of slices, unknown
RAW_HEADER = struct.Struct("<BIIIIBI")  # scan mode, width, height, bits, number of slices, format, size
LENGTHS = struct.Struct("<ddd")  # x and y of the field in mm, micrometres of a voxel in depth
LENGTHS_AT = {"@PARAM_SCAN_04": 12, "@PARAM_SCAN_02": 21}
EYE_CHUNKS = ("@CAPTURE_INFO_02", "@CAPTURE_INFO")
EYES = {0: "R", 1: "L"}


def read_fda(path: Path, modality: Modality | None) -> VendorScan:
    """The structural volume with its spacing and side; B-scans stay in the order of the file.

    DataError names a file that is not an ``.fda`` file, is truncated or holds no volume.
    """
    require_modality(path, modality, HELD)
    chunks = _chunks(path, path.read_bytes())
    try:
        if "@IMG_JPEG" in chunks:
            stack: NDArray = _jpeg_stack(chunks["@IMG_JPEG"])
        elif "@IMG_MOT_COMP_03" in chunks:
            stack = _raw_stack(chunks["@IMG_MOT_COMP_03"])
        else:
            raise DataError(f"{path}: holds no OCT volume (no chunk @IMG_JPEG or @IMG_MOT_COMP_03); leave it out")
        n, _, width = stack.shape
        eye = next((chunks[name][0] for name in EYE_CHUNKS if name in chunks), None)
        spacing = _spacing(chunks, width, n)
    except (struct.error, ValueError, IndexError, OSError, UnidentifiedImageError) as error:
        raise DataError(f"{path}: damaged .fda file ({error}); copy it again or leave the eye out") from error
    side = SIDES.get(EYES.get(eye, "") if eye is not None else "")
    return VendorScan(stack.transpose(2, 0, 1), spacing, "OCT", "displayed", side, unstated=("x", "y"))


def _chunks(path: Path, data: bytes) -> dict[str, bytes]:
    """The chunks by name; if a name occurs more than once, its last chunk."""
    if not data.startswith(MAGIC):
        raise DataError(f"{path}: not a Topcon .fda file (it does not begin with {MAGIC.decode()})")
    chunks, at = {}, HEADER_BYTES
    while at < len(data) and (length := data[at]):
        name = data[at + 1 : at + 1 + length].decode("ascii", "replace")
        at += 1 + length
        size = int.from_bytes(data[at : at + 4], "little")
        chunks[name] = data[at + 4 : at + 4 + size]
        if len(chunks[name]) < size:
            raise DataError(f"{path}: truncated in {name}; copy it again or leave the eye out")
        at += 4 + size
    return chunks


def _jpeg_stack(chunk: bytes) -> NDArray[np.uint8]:
    """B-scans (number, depth, width) from JPEG pictures, each preceded by its length."""
    _, _, _, width, height, n, _ = JPEG_HEADER.unpack_from(chunk)
    stack, at = np.empty((n, height, width), np.uint8), JPEG_HEADER.size
    for index in range(n):
        size = int.from_bytes(chunk[at : at + 4], "little")
        with Image.open(io.BytesIO(chunk[at + 4 : at + 4 + size])) as image:
            stack[index] = np.asarray(image.convert("L"))
        at += 4 + size
    return stack


def _raw_stack(chunk: bytes) -> NDArray[np.uint16]:
    _, width, height, _, n, _, _ = RAW_HEADER.unpack_from(chunk)
    return np.frombuffer(chunk, "<u2", width * height * n, RAW_HEADER.size).reshape(n, height, width)


def _spacing(chunks: dict[str, bytes], width: int, n: int) -> Spacing:
    for name, offset in LENGTHS_AT.items():
        if name in chunks:
            x_mm, y_mm, z_um = LENGTHS.unpack_from(chunks[name], offset)
            return x_mm / width, y_mm / n, z_um / 1000
    return None, None, None

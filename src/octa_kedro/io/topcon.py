"""Topcon ``.fda`` files: a list of named chunks, as uocte, LibOctData, retimat and Private Eye describe them.

The reader of oct-converter 0.7 is not used: it fails with NumPy 2.3 and later, where binary ``fromstring`` is gone.
B-scans are stored from superior to inferior: Private Eye, LibOctData and retimat place the first one at the upper
edge of the scanned field, and uocte turns the segmentation, whose origin is the lower left corner, against them.
"""

import io
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from octa_kedro.errors import DataError
from octa_kedro.io.boundary import reading
from octa_kedro.io.raster import require_volume
from octa_kedro.io.vendor_scan import SIDES, Modality, Scale, Spacing, VendorScan, require_modality, require_possible

HELD: tuple[Modality, ...] = ("OCT",)
MAGIC = b"FOCT"
HEADER_BYTES = 15
JPEG, RAW, ANGIOGRAPHY = "@IMG_JPEG", "@IMG_MOT_COMP_03", "@IMG_ANGIOGRAPHY"
JPEG_HEADER = struct.Struct("<BIIIIII")  # scan mode, 2 unknown, width, height, number of slices, unknown
RAW_HEADER = struct.Struct("<BIIII")  # scan mode, width, height, bits, number of slices
RAW_BEGINS = (22, 38, 17)  # bytes before the raw voxels: oct-converter, uocte's code, uocte's pages
LENGTHS = struct.Struct("<ddd")  # x and y of the field in mm, micrometres of a voxel in depth
LENGTHS_AT = {"@PARAM_SCAN_04": 12, "@PARAM_SCAN_02": 21}
EYE_CHUNKS = ("@CAPTURE_INFO_02", "@CAPTURE_INFO")
EYES = {0: "R", 1: "L"}
HORIZONTAL, VERTICAL, RAW_VOLUME = 2, 6, 0
NO_VOLUME = {0: "line scan of {n} B-scans", 1: "a circle", 3: "a radial scan of {n} B-scans"}
NO_VOLUME |= {7: "line scan of {n} B-scans", 11: "two crossed line scans of {n} B-scans"}
GREY = {"L": np.uint8, "I;16": np.uint16}


class FdaStack(NamedTuple):
    """B-scans (number, depth, width) in the order of the file, the scan mode, and what their numbers are."""

    array: NDArray
    mode: int
    scale: Scale


def read_fda(path: Path, modality: Modality | None) -> VendorScan:
    """The structural volume with its spacing and side; the B-scans of vertical scans keep their order.

    DataError names a file that is not an ``.fda`` file, is truncated, holds no volume or another scan pattern, and one
    whose angiography is asked for: it lies in a chunk that no published reader describes.
    """
    chunks = _chunks(path, path.read_bytes())
    if modality == "OCTA" and (chunk := next((name for name in chunks if name.startswith(ANGIOGRAPHY)), None)):
        raise DataError(
            f"{path}: holds angiography (chunk {chunk}) in a layout that no published reader describes; export it from "
            "the device's software, or process the structure with --params processing.modality=OCT"
        )
    require_modality(path, modality, HELD)
    with reading(path, problem="damaged .fda file"):
        stack = _stack(path, chunks)
        eye = next((chunks[name][0] for name in EYE_CHUNKS if name in chunks), None)
        x_mm, y_mm, deep = _lengths(chunks)
    side = SIDES.get(EYES.get(eye, "") if eye is not None else "")
    if stack.mode == VERTICAL:  # B-scans side by side, from left to right; each from superior to inferior
        array = stack.array[..., ::-1].transpose(0, 2, 1)
    else:
        array = stack.array[::-1].transpose(2, 0, 1)
    spacing: Spacing = (x_mm and x_mm / array.shape[0], y_mm and y_mm / array.shape[1], deep)
    return VendorScan(array, spacing, "OCT", stack.scale, side, unstated=("x", "y") if stack.mode == VERTICAL else ())


def _chunks(path: Path, data: bytes) -> dict[str, memoryview]:
    """The chunks by name; if a name occurs more than once, its last chunk."""
    if not data.startswith(MAGIC):
        raise DataError(f"{path}: not a Topcon .fda file (it does not begin with {MAGIC.decode()})")
    chunks, at, view = {}, HEADER_BYTES, memoryview(data)
    while at < len(data) and (length := data[at]):
        name = data[at + 1 : at + 1 + length].decode("ascii", "replace")
        if not name.startswith("@"):
            break
        at += 1 + length
        size = int.from_bytes(data[at : at + 4], "little")
        chunks[name] = view[at + 4 : at + 4 + size]
        if len(chunks[name]) < size:
            raise DataError(f"{path}: truncated in {name}; copy it again or leave the eye out")
        at += 4 + size
    return chunks


def _stack(path: Path, chunks: dict[str, memoryview]) -> FdaStack:
    """The compressed B-scans, or else the raw ones, which are there only for volume scans."""
    if JPEG in chunks:
        mode, _, _, width, height, n, _ = JPEG_HEADER.unpack_from(chunks[JPEG])
        _require_pattern(path, mode, n, width, (HORIZONTAL, VERTICAL))
        return FdaStack(_decoded(path, chunks[JPEG], (n, height, width)), mode, "displayed")
    if RAW in chunks:
        chunk = chunks[RAW]
        mode, width, height, bits, n = RAW_HEADER.unpack_from(chunk)
        _require_pattern(path, mode, n, width, (HORIZONTAL, VERTICAL, RAW_VOLUME))
        begin = _raw_begin(chunk, 2 * width * height * n)
        if bits != 16 or begin is None:
            raise DataError(
                f"{path}: {RAW} has {bits} bits and {len(chunk)} bytes for {width} x {n} x {height} voxels; no such "
                "layout is known, leave the eye out"
            )
        array = np.frombuffer(chunk, "<u2", width * height * n, begin).reshape(n, height, width)
        return FdaStack(array, VERTICAL if mode == VERTICAL else HORIZONTAL, "stored")
    raise DataError(f"{path}: holds no OCT volume (no chunk {JPEG} or {RAW}); leave it out")


def _raw_begin(chunk: memoryview, needed: int) -> int | None:
    """Where the raw voxels of `needed` bytes begin: after their number, or so that they fill the chunk; None if not."""
    for begin in RAW_BEGINS:
        stated = int.from_bytes(chunk[begin - 4 : begin], "little") == needed and begin != min(RAW_BEGINS)
        if (stated and len(chunk) >= begin + needed) or len(chunk) == begin + needed:
            return begin
    return None


def _require_pattern(path: Path, mode: int, n: int, width: int, volumes: tuple[int, ...]) -> None:
    if mode not in volumes:
        pattern = NO_VOLUME.get(mode, "a scan of unknown pattern (mode {mode})").format(n=n, mode=mode)
        raise DataError(f"{path}: {pattern}, not a volume scan; leave it out")
    require_volume(path, width, n)


def _decoded(path: Path, chunk: memoryview, shape: tuple[int, int, int]) -> NDArray:
    """B-scans (number, depth, width) from JPEG 2000 pictures, each preceded by its length."""
    require_possible(path, math.prod(shape))
    if 4 * shape[0] > len(chunk):  # before memory is taken for so many
        raise DataError(f"{path}: states {shape[0]} B-scans, but {JPEG} has {len(chunk)} bytes; copy it again")
    stack: NDArray | None = None
    for index, data in enumerate(_pictures(chunk, shape[0])):
        with Image.open(io.BytesIO(data)) as image:
            if image.mode not in GREY or image.size != (shape[2], shape[1]):
                raise DataError(
                    f"{path}: B-scan {index + 1} is a picture of mode {image.mode}, {image.size[0]} x {image.size[1]}; "
                    f"grey levels of {shape[2]} x {shape[1]} expected"
                )
            stack = np.empty(shape, GREY[image.mode]) if stack is None else stack
            picture = np.asarray(image)
            if picture.dtype != stack.dtype:
                raise DataError(f"{path}: its B-scans differ in their number of bits; export the eye again")
            stack[index] = picture
    if stack is None:
        raise DataError(f"{path}: holds no B-scan; leave it out")
    return stack


def _pictures(chunk: memoryview, n: int) -> Iterator[memoryview]:
    at = JPEG_HEADER.size
    for _ in range(n):
        size = int.from_bytes(chunk[at : at + 4], "little")
        yield chunk[at + 4 : at + 4 + size]
        at += 4 + size


def _lengths(chunks: dict[str, memoryview]) -> Spacing:
    """Width and height of the field and depth of a voxel, in millimetres."""
    for name, offset in LENGTHS_AT.items():
        if name in chunks:
            x_mm, y_mm, z_um = LENGTHS.unpack_from(chunks[name], offset)
            return x_mm, y_mm, z_um / 1000
    return None, None, None

"""Heidelberg Spectralis volumes in the raw export format ``.vol`` (HSF-OCT-100 and later).

The file is a header of 2048 bytes, the fundus picture, and for every B-scan a header that contains its
segmentation, followed by its reflectance (depth x width, float32). All numbers are little-endian. The header of a
B-scan gives its position in millimetres from the upper left corner of the fundus picture.
"""

import mmap
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.vendor_scan import SIDES, Modality, ScanSize, VendorScan, require_modality

HELD: tuple[Modality, ...] = ("OCT",)
MAGIC = b"HSF-OCT"
HEADER_BYTES = 2048
# Version, SizeX, NumBScans, SizeZ, ScaleX, Distance, ScaleZ, SizeXSlo, SizeYSlo, ScaleXSlo, ScaleYSlo,
# FieldSizeSlo, ScanFocus, ScanPosition, ExamTime, ScanPattern, BScanHdrSize
HEADER = struct.Struct("<12siiidddiiddid4sqii")
# Version, BScanHdrSize, StartX, StartY, EndX, EndY, NumSeg, OffSeg
BSCAN_HEADER = struct.Struct("<12siddddii")
NO_VOLUME = {1: "a single line", 2: "a circle", 5: "a star"}
INVALID = 1e30  # a value that could not be measured is stored as the largest float32
SEGMENTS = {"ILM": 0, "IPL_INL": 4, "OPL_ONL": 6, "IS_OS": 14, "RPE": 16, "BM": 1}


class VolHeader(NamedTuple):
    """The part of the file header that is used; sizes in voxels, `spacing` in millimetres."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    first_bscan: int
    bscan_header_bytes: int
    position: str

    @property
    def bscan_bytes(self) -> int:
        """Bytes from one B-scan's header to the next."""
        return self.bscan_header_bytes + 4 * self.shape[0] * self.shape[2]


class BScanPlace(NamedTuple):
    """Where a B-scan begins and ends on the fundus picture, and where its segmentation is stored."""

    start: tuple[float, float]
    end: tuple[float, float]
    n_segments: int
    segment_offset: int


def vol_size(path: Path, modality: Modality | None) -> ScanSize:
    """Shape in voxels and spacing in millimetres, from the header of a ``.vol`` file."""
    require_modality(path, modality, HELD)
    with path.open("rb") as file:
        header = _header(path, file.read(HEADER_BYTES), path.stat().st_size)
    return ScanSize(header.shape, header.spacing)


def read_vol(path: Path, modality: Modality | None) -> VendorScan:
    """The scan of a ``.vol`` file in the grey levels that the vendor displays (8 bit), and its segmentation, if any.

    B-scans are sorted from inferior to superior and A-scans from left to right, by the positions in their headers.
    DataError names a file that is truncated, is not a volume scan, or whose B-scans run vertically.
    """
    require_modality(path, modality, HELD)
    with path.open("rb") as file:
        size = path.stat().st_size
        if size < HEADER_BYTES:
            raise DataError(f"{path}: truncated: {size} bytes are less than a .vol header; copy it again")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            header = _header(path, data[:HEADER_BYTES], size)
            return _read(path, data, header)


def _read(path: Path, data: mmap.mmap, header: VolHeader) -> VendorScan:
    width, n, depth = header.shape
    blocks = [header.first_bscan + index * header.bscan_bytes for index in range(n)]
    places = [_place(data, block) for block in blocks]
    order = _order(path, places)
    stack = np.empty((n, depth, width), np.uint8)
    surfaces = np.full((n, max(SEGMENTS.values()) + 1, width), np.nan, np.float32)
    for target, index in enumerate(order):
        block, place = blocks[index], places[index]
        raw = np.frombuffer(data[block + header.bscan_header_bytes : block + header.bscan_bytes], "<f4")
        stack[target] = _displayed(raw.reshape(depth, width))
        segments = block + place.segment_offset
        found = np.frombuffer(data[segments : segments + 4 * place.n_segments * width], "<f4").reshape(-1, width)
        found = found[: surfaces.shape[1]]
        surfaces[target, : len(found)] = np.where(np.abs(found) < INVALID, found, np.nan)
    if places[0].start[0] > places[0].end[0]:
        stack, surfaces = stack[..., ::-1], surfaces[..., ::-1]
    names = tuple(name for name, number in SEGMENTS.items() if np.isfinite(surfaces[:, number]).any())
    kept = surfaces[:, [SEGMENTS[name] for name in names]].transpose(2, 0, 1) if names else None
    return VendorScan(
        stack.transpose(2, 0, 1), header.spacing, "OCT", "displayed", SIDES.get(header.position), kept, names
    )


def _header(path: Path, data: bytes, size: int) -> VolHeader:
    if not data.startswith(MAGIC) or len(data) < HEADER.size:
        raise DataError(f"{path}: not a Heidelberg .vol file (it does not begin with {MAGIC.decode()})")
    fields = HEADER.unpack_from(data)
    width, n, depth = fields[1:4]
    header = VolHeader(
        (width, n, depth),
        fields[4:7],
        HEADER_BYTES + fields[7] * fields[8],
        fields[16],
        fields[13].split(b"\0")[0].decode("ascii", "replace").strip(),
    )
    if min(width, n, depth) < 1 or header.bscan_header_bytes < BSCAN_HEADER.size:
        raise DataError(f"{path}: its header states {width} x {n} x {depth} voxels; export the eye again")
    if (pattern := NO_VOLUME.get(fields[15])) or n == 1:
        raise DataError(f"{path}: {pattern or 'a single B-scan'}, not a volume scan; leave it out")
    if size < (needed := header.first_bscan + n * header.bscan_bytes):
        raise DataError(f"{path}: truncated: {size} bytes, but its header requires {needed}; copy it again")
    return header


def _place(data: mmap.mmap, block: int) -> BScanPlace:
    _, _, x1, y1, x2, y2, n_segments, offset = BSCAN_HEADER.unpack(data[block : block + BSCAN_HEADER.size])
    return BScanPlace((x1, y1), (x2, y2), max(n_segments, 0), offset)


def _order(path: Path, places: list[BScanPlace]) -> list[int]:
    """Indices of the B-scans from inferior (the picture's lower edge) to superior."""
    across = [abs(p.end[0] - p.start[0]) for p in places]
    down = [abs(p.end[1] - p.start[1]) for p in places]
    if any(dy > dx for dx, dy in zip(across, down, strict=True)):
        raise DataError(f"{path}: its B-scans run vertically; only horizontal ones are read, leave it out")
    return sorted(range(len(places)), key=lambda index: -(places[index].start[1] + places[index].end[1]))


def _displayed(reflectance: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Grey levels as the vendor displays them: the fourth root of reflectance (a linear scale would look black)."""
    valid = np.where(np.abs(reflectance) < INVALID, np.clip(reflectance, 0, 1), 0)
    return np.rint(255 * np.sqrt(np.sqrt(valid))).astype(np.uint8)

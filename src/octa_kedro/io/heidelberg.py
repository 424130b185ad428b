"""Heidelberg Spectralis volumes in the raw export format ``.vol`` (HSF-OCT-100 and later): structure and angiography.

The file is a header of 2048 bytes, the fundus picture, and for every B-scan a header that contains its
segmentation, followed by its voxels (depth x width, float32). All numbers are little-endian. The header of a
B-scan gives its position in millimetres from the upper left corner of the fundus picture.

Only the name says that a file is angiography: the device exports ``NAME.vol`` with the reflectance and
``NAME_Angio.vol`` with the flow of one scan. Layout and values as in eyepy 0.21, heyexReader 0.1.3 and retimat.
"""

import mmap
import re
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.raster import UNEQUAL, Raster, lay_out, require_volume
from octa_kedro.io.vendor_scan import Modality, Scale, ScanSize, VendorScan, require_modality, side_of

MAGIC, BSCAN_MAGIC = b"HSF-OCT", b"HSF-BS"
HEADER_BYTES = 2048
# Version, SizeX, NumBScans, SizeZ, ScaleX, Distance, ScaleZ, SizeXSlo, SizeYSlo, ScaleXSlo, ScaleYSlo,
# FieldSizeSlo, ScanFocus, ScanPosition, ExamTime, ScanPattern, BScanHdrSize
HEADER = struct.Struct("<12siiidddiiddid4sqii")
# Version, BScanHdrSize, StartX, StartY, EndX, EndY, NumSeg, OffSeg
BSCAN_HEADER = struct.Struct("<12siddddii")
NO_VOLUME = {1: "line scan of {n} B-scans", 2: "a circle", 5: "a star of {n} B-scans"}
ANGIO = re.compile(r"(?<![a-z])angio$", re.IGNORECASE)
MAYBE_FLOW = re.compile(r"angio|(?<![a-z])(octa|flow)(?![a-z])", re.IGNORECASE)
INVALID = 1e30  # a value that could not be measured is stored as the largest float32
ONLY_FLOW = 0.01  # a larger share of NaN and of values above 1 is not found in reflectance
SEGMENTS = {"ILM": 0, "IPL_INL": 4, "OPL_ONL": 6, "IS_OS": 14, "RPE": 16, "BM": 1}


class VolHeader(NamedTuple):
    """The part of the file header that is used; lengths in millimetres."""

    width: int
    n: int
    depth: int
    along: float
    distance: float
    deep: float
    first_bscan: int
    bscan_header_bytes: int
    position: str

    @property
    def bscan_bytes(self) -> int:
        """Bytes from one B-scan's header to the next."""
        return self.bscan_header_bytes + 4 * self.width * self.depth

    def size(self, raster: Raster) -> ScanSize:
        """Shape and spacing ``(x, y, z)`` of the scan."""
        width, n = raster.along_x_and_y(self.width, self.n)
        x, y = raster.along_x_and_y(self.along, self.distance)
        return ScanSize((width, n, self.depth), (x, y, self.deep))


class BScanPlace(NamedTuple):
    """Where a B-scan begins and ends on the fundus picture, and where its segmentation is stored."""

    start: tuple[float, float]
    end: tuple[float, float]
    n_segments: int
    segment_offset: int


def vol_size(path: Path, modality: Modality | None) -> ScanSize:
    """Shape in voxels and spacing in millimetres, from the headers of a ``.vol`` file."""
    require_modality(path, modality, (_modality(path),), by="its name")
    with path.open("rb") as file, _mapped(path, file.fileno()) as data:
        header, raster, _ = _headers(path, data)
        return header.size(raster)


def read_vol(path: Path, modality: Modality | None) -> VendorScan:
    """The scan of a ``.vol`` file and its segmentation, if any.

    Structure is in the grey levels that the vendor displays (8 bit), flow in its own linear values between 0 and 1
    (float32). Voxels that could not be measured are 0: the largest float32 and NaN in both, in flow also all values
    outside of 0 to 1. B-scans are sorted by the positions in their headers. DataError names a file that is truncated,
    does not hold `modality`, is no regular raster along an edge of the fundus picture, or whose voxels do not go with
    the modality of its name.
    """
    held = require_modality(path, modality, (_modality(path),), by="its name")
    with path.open("rb") as file, _mapped(path, file.fileno()) as data:
        header, raster, places = _headers(path, data)
        stack, invalid = _voxels(path, data, header, raster, held)
        names, surfaces = _surfaces(data, header, raster, places)
    size, side = header.size(raster), side_of(header.position)
    scale: Scale = "flow" if held == "OCTA" else "displayed"
    return VendorScan(raster.upright(stack), size.spacing, held, scale, side, surfaces, names, invalid=invalid)


def _modality(path: Path) -> Modality:
    if ANGIO.search(path.stem):
        return "OCTA"
    if open_word := MAYBE_FLOW.search(path.stem):
        raise DataError(
            f"{path}: its name ({open_word.group()}) leaves open whether it is angiography; let it end with _Angio.vol "
            "if it is, as the device does, or take that word out if it is structure"
        )
    return "OCT"


def _mapped(path: Path, descriptor: int) -> mmap.mmap:
    if (size := path.stat().st_size) < HEADER_BYTES:
        raise DataError(f"{path}: truncated: {size} bytes are less than a .vol header; copy it again")
    return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)


def _headers(path: Path, data: mmap.mmap) -> tuple[VolHeader, Raster, list[BScanPlace]]:
    header = _header(path, data[:HEADER_BYTES], len(data))
    places = [_place(path, data, header, index) for index in range(header.n)]
    raster = lay_out(path, np.array([p.start for p in places]), np.array([p.end for p in places]))
    for what, stated, found in (
        ("the distance of B-scans", header.distance, raster.distance),
        ("the length of a B-scan", header.along * header.width, raster.length),
    ):
        slack = header.along if what.startswith("the length") else 0.0
        if not abs(found - stated) <= UNEQUAL * found + slack:
            raise DataError(
                f"{path}: {what} is {stated:.4g} mm by its header, but {found:.4g} mm by the positions of its "
                "B-scans; export the eye again"
            )
    return header, raster, places


def _header(path: Path, data: bytes, size: int) -> VolHeader:
    if not data.startswith(MAGIC) or len(data) < HEADER.size:
        raise DataError(f"{path}: not a Heidelberg .vol file (it does not begin with {MAGIC.decode()})")
    fields = HEADER.unpack_from(data)
    width, n, depth = fields[1:4]
    position = fields[13].split(b"\0")[0].decode("ascii", "replace").strip()
    along, distance, deep = fields[4:7]
    first = HEADER_BYTES + fields[7] * fields[8]
    header = VolHeader(width, n, depth, along, distance, deep, first, fields[16], position)
    if min(width, n, depth) < 1 or header.bscan_header_bytes < BSCAN_HEADER.size or min(fields[7:9]) < 0:
        raise DataError(f"{path}: its header states {width} x {n} x {depth} voxels; export the eye again")
    if pattern := NO_VOLUME.get(fields[15]):
        raise DataError(f"{path}: {pattern.format(n=n)}, not a volume scan; leave it out")
    require_volume(path, width, n)
    if size < (needed := header.first_bscan + n * header.bscan_bytes):
        raise DataError(f"{path}: truncated: {size} bytes, but its header requires {needed}; copy it again")
    return header


def _place(path: Path, data: mmap.mmap, header: VolHeader, index: int) -> BScanPlace:
    block = header.first_bscan + index * header.bscan_bytes
    magic, _, x1, y1, x2, y2, n_segments, offset = BSCAN_HEADER.unpack(data[block : block + BSCAN_HEADER.size])
    inside = BSCAN_HEADER.size <= offset and offset + 4 * n_segments * header.width <= header.bscan_header_bytes
    if not magic.startswith(BSCAN_MAGIC) or (n_segments > 0 and not inside):
        raise DataError(f"{path}: the header of B-scan {index + 1} is damaged; export the eye again")
    return BScanPlace((x1, y1), (x2, y2), max(n_segments, 0), offset)


def _voxels(
    path: Path, data: mmap.mmap, header: VolHeader, raster: Raster, modality: Modality
) -> tuple[NDArray, float]:
    """All B-scans (number, depth, width) and the share of voxels that could not be measured."""
    flow = modality == "OCTA"
    stack = np.empty((header.n, header.depth, header.width), np.float32 if flow else np.uint8)
    levels = np.empty(stack.shape[1:], np.float32)
    invalid = doubtful = 0
    for target, index in zip(stack, raster.order, strict=True):
        begin = header.first_bscan + index * header.bscan_bytes + header.bscan_header_bytes
        raw = np.frombuffer(data, "<f4", levels.size, begin).reshape(levels.shape)
        bad = ~(raw <= 1)  # NaN too
        if flow:
            bad |= raw < 0
            target[:] = raw
        else:
            target[:] = _displayed(raw, levels)
            if bad.any():
                beyond = int(np.count_nonzero(bad))
                doubtful += beyond - int(np.count_nonzero(np.abs(raw) >= INVALID))
                bad &= ~(np.abs(raw) < INVALID)  # what is above 1 is white
        if bad.any():
            target[bad] = 0
            invalid += int(np.count_nonzero(bad))
        del raw  # or the file could not be closed
    if doubtful > ONLY_FLOW * stack.size:
        raise DataError(
            f"{path}: its name says structure (OCT), but {doubtful / stack.size:.0%} of its values are NaN or above 1, "
            "as in angiography; if it is that, give it a name that ends with _Angio.vol, as the device does"
        )
    return stack, invalid / stack.size


def _displayed(reflectance: NDArray[np.float32], levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey levels as the vendor displays them: the fourth root of reflectance (a linear scale would look black).

    They are written to `levels`. NaN is 0.
    """
    np.fmax(reflectance, 0, out=levels)
    np.minimum(levels, 1, out=levels)
    np.sqrt(levels, out=levels)
    np.sqrt(levels, out=levels)
    np.multiply(levels, 255, out=levels)
    return np.rint(levels, out=levels)


def _surfaces(
    data: mmap.mmap, header: VolHeader, raster: Raster, places: list[BScanPlace]
) -> tuple[tuple[str, ...], NDArray[np.float32] | None]:
    """Names and depths ``[x, y, surface]`` in voxels of the segmented surfaces of `SEGMENTS`; None if there is none."""
    stack = np.full((header.n, max(SEGMENTS.values()) + 1, header.width), np.nan, np.float32)
    for target, index in enumerate(raster.order):
        if not places[index].n_segments:
            continue
        begin = header.first_bscan + index * header.bscan_bytes + places[index].segment_offset
        found = np.frombuffer(data, "<f4", places[index].n_segments * header.width, begin).reshape(-1, header.width)
        found = found[: stack.shape[1]]
        stack[target, : len(found)] = np.where(np.abs(found) < INVALID, found, np.nan)
        del found
    names = tuple(name for name, number in SEGMENTS.items() if np.isfinite(stack[:, number]).any())
    return names, raster.upright(stack[:, [SEGMENTS[name] for name in names]]) if names else None

"""Heidelberg ``.e2e`` files: a data base of chunks, as uocte, LibE2E and eyepy describe it; structure and angiography.

A directory names every chunk by patient, study, series and slice. Chunks of a slice are the B-scan (16 bit: 6 bits of
exponent above 10 of mantissa, as uocte and LibE2E read them; eyepy 0.21 and oct-converter 0.7 take the mantissa's bits
in reverse), its place, and, in angiography, its flow as bytes (LibE2E alone: chunk 0x4000275D).
"""

import mmap
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.raster import Raster, lay_out, require_volume
from octa_kedro.io.vendor_scan import Modality, Scale, VendorScan, require_modality, side_of

MAGIC, DIRECTORY_MAGIC, CHUNK_MAGIC = b"CMDb", b"MDb", b"MDbData"
SEARCHED = 4096  # some exports put a preface of this length at most before the data base
FILE_HEADER = 36
DIRECTORY = np.dtype(
    {
        "names": ["magic", "entries", "at", "previous"],
        "formats": ["S12", "<u4", "<u4", "<u4"],
        "offsets": [0, 36, 40, 44],
        "itemsize": 52,
    }
)
ENTRY = np.dtype(
    {
        "names": ["pos", "start", "size", "patient", "study", "series", "slice", "type"],
        "formats": ["<u4", "<u4", "<u4", "<i4", "<i4", "<i4", "<i4", "<u4"],
        "offsets": [0, 4, 8, 16, 20, 24, 28, 36],
        "itemsize": 44,
    }
)
CHUNK_HEADER = 60
IMAGE = np.dtype([("size", "<u4"), ("type", "<u4"), ("values", "<u4"), ("height", "<u4"), ("width", "<u4")])
PLACE = np.dtype(
    {
        "names": ["x1", "y1", "x2", "y2", "depth_mm", "pattern"],
        "formats": ["<f4", "<f4", "<f4", "<f4", "<f4", "<u4"],
        "offsets": [12, 16, 20, 24, 36, 72],
        "itemsize": 76,
    }
)
SIDE_TYPE, PLACE_TYPE, IMAGE_TYPE, FLOW_TYPE = 11, 10004, 0x40000000, 0x4000275D
SIDE_AT = 14
BYTES, FLOAT16 = 1, 32  # third byte of an image's type: the kind of its numbers
CIRCLE = 2
NO_FLOW = 255  # white marks what was not measured


class Chunk(NamedTuple):
    """Where the data of a chunk begin, and their length."""

    at: int
    size: int


@dataclass
class Series:
    """The chunks of one series by slice, and its side."""

    images: dict[Modality, dict[int, Chunk]] = field(default_factory=lambda: {"OCT": {}, "OCTA": {}})
    places: dict[int, Chunk] = field(default_factory=dict)
    side: str = ""

    @property
    def held(self) -> tuple[Modality, ...]:
        """The modalities of which there is more than one B-scan."""
        return tuple(modality for modality, slices in self.images.items() if len(slices) > 1)


def read_e2e(path: Path, modality: Modality | None) -> VendorScan:
    """The one volume of an ``.e2e`` file, in grey levels as the vendor displays them, or its flow as it is stored.

    B-scans are sorted by their positions. These are in degrees, so the table has to give ``field_x_mm`` and
    ``field_y_mm``. DataError names a file that is damaged, does not hold `modality`, is no regular raster, or holds
    several volumes (it lists them).
    """
    if path.stat().st_size < FILE_HEADER + DIRECTORY.itemsize:
        raise DataError(f"{path}: truncated: {path.stat().st_size} bytes are no .e2e file; copy it again")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = [series for series in _series(path, data) if series.held]
        if len(found) != 1:
            listed = "; ".join(f"{number}: {_described(data, s)}" for number, s in enumerate(found, 1))
            raise DataError(
                f"{path}: holds {len(found)} volumes{f' ({listed})' if found else ', only single images'}; one is "
                "expected: export each eye and visit to a file of its own"
            )
        held = require_modality(path, modality, found[0].held)
        return _scan(path, data, found[0], held)


def _series(path: Path, data: mmap.mmap) -> list[Series]:
    """All series in the order of the file. Names and dates of the patient are not looked at."""
    base = data.find(MAGIC, 0, SEARCHED)
    if base < 0:
        raise DataError(f"{path}: not a Heidelberg .e2e file (it has no {MAGIC.decode()} header)")
    series: dict[tuple[int, ...], Series] = {}
    for entry in _entries(path, data, base):
        if entry["start"] <= entry["pos"] or entry["series"] < 0:
            continue
        begin = base + int(entry["start"])
        chunk = Chunk(begin + CHUNK_HEADER, int(entry["size"]))
        one = series.setdefault(tuple(int(entry[key]) for key in ("patient", "study", "series")), Series())
        kind, number = int(entry["type"]), int(entry["slice"])
        if kind not in (SIDE_TYPE, PLACE_TYPE, IMAGE_TYPE, FLOW_TYPE):
            continue
        if data[begin : begin + len(CHUNK_MAGIC)] != CHUNK_MAGIC or chunk.at + chunk.size > len(data):
            raise DataError(f"{path}: truncated or damaged in a chunk of type {kind}; copy it again")
        if kind == SIDE_TYPE:
            one.side = chr(data[chunk.at + SIDE_AT])
        elif kind == PLACE_TYPE:
            one.places[number] = chunk
        elif kind == FLOW_TYPE and number >= 0:
            one.images["OCTA"][number] = chunk
        elif kind == IMAGE_TYPE and number >= 0 and _kind(data, chunk) == FLOAT16:
            one.images["OCT"][number] = chunk
    return [*series.values()]


def _entries(path: Path, data: mmap.mmap, base: int) -> NDArray:
    """All entries of all directories, the first directory first."""
    tables: list[NDArray] = []
    at, seen, total = int(_record(path, data, DIRECTORY, base + FILE_HEADER)["at"]), set(), 0
    while at and at not in seen:
        seen.add(at)
        directory = _record(path, data, DIRECTORY, base + at)
        begin, n = base + at + DIRECTORY.itemsize, int(directory["entries"])
        if not bytes(directory["magic"]).startswith(DIRECTORY_MAGIC) or begin + n * ENTRY.itemsize > len(data):
            raise DataError(f"{path}: truncated or damaged in its directory; copy it again")
        if (total := total + n) * ENTRY.itemsize > len(data):  # directories within each other
            raise DataError(f"{path}: its directories list {total} chunks, more than it can hold; copy it again")
        tables.insert(0, np.frombuffer(data[begin : begin + n * ENTRY.itemsize], ENTRY))
        at = int(directory["previous"])
    return np.concatenate(tables) if tables else np.empty(0, ENTRY)


def _record(path: Path, data: mmap.mmap, kind: np.dtype, at: int) -> np.void:
    raw = data[at : at + kind.itemsize]
    if len(raw) < kind.itemsize:
        raise DataError(f"{path}: truncated: it ends at byte {len(data)}, within a header; copy it again")
    record: np.void = np.frombuffer(raw, kind)[0]
    return record


def _kind(data: mmap.mmap, chunk: Chunk) -> int:
    return data[chunk.at + 6]


def _described(data: mmap.mmap, series: Series) -> str:
    held = series.held[0]
    slices = series.images[held]
    image = np.frombuffer(data[(at := min(slices.values()).at) : at + IMAGE.itemsize], IMAGE)[0]
    side = side_of(series.side) or "side unknown"
    return f"{' and '.join(series.held)}, {side}, {image['width']} x {len(slices)} x {image['height']}"


def _scan(path: Path, data: mmap.mmap, series: Series, modality: Modality) -> VendorScan:
    slices = series.images[modality]
    numbers = sorted(slices)
    raster, depth_mm = _raster(path, data, series, numbers)
    ordered = [slices[numbers[index]] for index in raster.order]
    first = _record(path, data, IMAGE, ordered[0].at)
    height, width = int(first["height"]), int(first["width"])
    require_volume(path, width, len(ordered))
    if len(ordered) * height * width > len(data):
        raise DataError(
            f"{path}: states {len(ordered)} B-scans of {width} x {height} voxels, more than its {len(data)} bytes "
            "hold; copy it again"
        )
    stack = np.empty((len(ordered), height, width), np.uint8)
    invalid, wanted = 0, FLOAT16 if modality == "OCT" else BYTES
    for target, chunk in zip(stack, ordered, strict=True):
        image = _record(path, data, IMAGE, chunk.at)
        values = "<u2" if wanted == FLOAT16 else "u1"
        begin, n = chunk.at + IMAGE.itemsize, height * width
        fits = (int(image["height"]), int(image["width"])) == (height, width)
        if not fits or _kind(data, chunk) != wanted or n * np.dtype(values).itemsize > chunk.size - IMAGE.itemsize:
            raise DataError(f"{path}: its B-scans differ in size or kind, or are damaged; export the eye again")
        raw = np.frombuffer(data[begin : begin + n * np.dtype(values).itemsize], values).reshape(height, width)
        bad = raw >= LUT_INVALID if wanted == FLOAT16 else raw == NO_FLOW
        target[:] = LUT[raw] if wanted == FLOAT16 else np.where(bad, 0, raw)
        invalid += int(np.count_nonzero(bad))
    scale: Scale = "displayed" if modality == "OCT" else "stored"
    spacing = (None, None, depth_mm)
    side = side_of(series.side)
    return VendorScan(raster.upright(stack), spacing, modality, scale, side, invalid=invalid / stack.size)


def _raster(path: Path, data: mmap.mmap, series: Series, numbers: list[int]) -> tuple[Raster, float | None]:
    """The raster of the slices `numbers`, in degrees, and the depth of a voxel in millimetres."""
    if missing := [number for number in numbers if number not in series.places]:
        raise DataError(f"{path}: does not say where {len(missing)} of its B-scans lie; export the eye again")
    if lost := [number for number in series.places if number >= 0 and number not in numbers]:
        raise DataError(f"{path}: {len(lost)} of its {len(lost) + len(numbers)} B-scans have a place but no picture; "
                        "export the eye again")  # fmt: skip
    places = [_record(path, data, PLACE, series.places[number].at) for number in numbers]
    if any(int(place["pattern"]) == CIRCLE for place in places):
        raise DataError(f"{path}: a circle, not a volume scan; leave it out")
    ends = np.array([[[p["x1"], p["y1"]], [p["x2"], p["y2"]]] for p in places], float)
    depths = {float(place["depth_mm"]) for place in places}
    return lay_out(path, ends[:, 0], ends[:, 1]), depths.pop() if len(depths) == 1 else None


def _displayed_levels() -> NDArray[np.uint8]:
    """Grey level of each of the 65536 numbers: the fourth root of reflectance; 0 where nothing was measured."""
    numbers = np.arange(1 << 16)
    exponent, mantissa = numbers >> 10, (numbers & 1023) / 1024
    reflectance = np.where(exponent == 0, mantissa * 2.0**-62, (1 + mantissa) * 2.0 ** (exponent - 63))
    levels = np.rint(255 * np.sqrt(np.sqrt(np.clip(reflectance, 0, 1))))
    return np.where(numbers >= LUT_INVALID, 0, levels).astype(np.uint8)


LUT_INVALID = 63 << 10  # numbers of the largest exponent, 1 and more, are empty regions
LUT = _displayed_levels()

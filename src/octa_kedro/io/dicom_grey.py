"""Gives the pixels of a DICOM file the grey values that the file means.

What a stored number means is one table, from every number that can be stored to its grey value: Modality LUT or
rescale (PS3.3 C.11.1), polarity (C.7.6.3.1.2), padding (C.7.5.1.1.2). Windows and ascending VOI tables are settings of
a display and not applied.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.dicom_file import first, groups
from octa_kedro.io.dicom_pixels import decode, require_decoder

TRANSFORMATION = "PixelValueTransformationSequence"
EXACT = 2**24  # the largest integer up to which float32 holds all


def read_grey(path: Path, data: Any) -> NDArray:
    """Frames ``[frame, depth, column]``: the smallest unsigned type that holds the grey values exactly, else float32.

    Brighter is more, whatever the file's polarity. DataError if the pixels cannot be decoded, are colours, or mean no
    unique grey value.
    """
    if not data.get("PixelData"):
        return _floats(path, data)
    check_pixels(path, data)
    tables, low = _tables(path, data, invert=inverted(path, data))
    stored = decode(path, data)
    del data.PixelData  # the grey values need its memory
    return _looked_up(path, stored, tables, low)


def check_pixels(path: Path, data: Any) -> None:
    """DataError if the header says that its pixels cannot be read as grey values, or decoded."""
    inverted(path, data)
    if "PixelData" in data and data.BitsAllocated not in (8, 16):
        raise DataError(
            f"{path}: pixels of {data.BitsAllocated} bits are not read, only 8 and 16; export it with 16 bits"
        )
    if "PixelData" in data and not 1 <= int(data.BitsStored) <= data.BitsAllocated:
        raise DataError(f"{path}: states {data.BitsStored} of {data.BitsAllocated} bits a pixel; export it again")
    if (high := data.get("HighBit")) is not None and high != data.get("BitsStored", high + 1) - 1:
        raise DataError(f"{path}: its {data.BitsStored} bits end at bit {high}, not at the lowest; export it again")
    syntax = data.file_meta.TransferSyntaxUID
    if syntax.is_compressed and not syntax.is_deflated:
        require_decoder(path, syntax)


def inverted(path: Path, data: Any) -> bool:
    """Whether low stored values are bright; DataError for palettes and for polarities that contradict each other."""
    photometric = str(data.get("PhotometricInterpretation") or "")
    shape = str(data.get("PresentationLUTShape") or "")
    colours = photometric == "RGB" or photometric.startswith("YBR")
    if not colours and photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise DataError(f"{path}: its pixels are {photometric or 'of no stated kind'}, not grey values; export it grey")
    if shape not in ("", "IDENTITY", "INVERSE") or (photometric, shape) == ("MONOCHROME1", "IDENTITY"):
        raise DataError(
            f"{path}: {photometric} and the presentation LUT {shape} contradict each other; export it again"
        )
    if data.get("PresentationLUTSequence") or (colours and shape == "INVERSE"):
        raise DataError(f"{path}: its grey values pass a presentation LUT that is not read; export it without one")
    return photometric == "MONOCHROME1" or shape == "INVERSE"


def _tables(path: Path, data: Any, *, invert: bool) -> tuple[list[NDArray[np.float64]], int]:
    """The table of each frame, and the lowest number that can be stored, which is the first of each table."""
    bits, signed = int(data.BitsStored), int(data.get("PixelRepresentation") or 0) == 1
    low = -(1 << (bits - 1)) if signed else 0
    stored = np.arange(low, low + (1 << bits))
    made: dict[tuple[float, float] | None, NDArray[np.float64]] = {}
    keys = [_rescale(path, data, item) for item in groups(data, TRANSFORMATION)]
    for key in set(keys):
        made[key] = _modality(path, data, stored, key)
    if invert:
        ends = min(t.min() for t in made.values()) + max(t.max() for t in made.values())
        made = {key: ends - table for key, table in made.items()}
    padding = _padding(data, stored)
    for table in made.values():
        table[padding] = np.clip(0, table.min(), table.max())
    _require_ascending_voi(path, data)
    return [made[key] for key in keys], low


def _rescale(path: Path, data: Any, item: Any | None) -> tuple[float, float] | None:
    """Slope and intercept of a frame, None if a table (Modality LUT) or nothing is stated."""
    holder = data if item is None else item
    slope, intercept = holder.get("RescaleSlope"), holder.get("RescaleIntercept")
    if slope is None and intercept is None:
        return None
    pair = float(1 if slope is None else slope), float(0 if intercept is None else intercept)
    if pair[0] == 0 or not np.isfinite(pair).all():
        raise DataError(f"{path}: its rescale slope and intercept are {pair}, no grey scale; export the eye again")
    return pair


def _modality(path: Path, data: Any, stored: NDArray, key: tuple[float, float] | None) -> NDArray[np.float64]:
    from pydicom.pixels import apply_modality_lut  # noqa: PLC0415

    if data.get("ModalityLUTSequence"):
        if key is not None:
            raise DataError(f"{path}: states a modality LUT and a rescale slope; export the eye again")
        return np.asarray(apply_modality_lut(stored, data), float)
    return stored * key[0] + key[1] if key else stored.astype(float)


def _padding(data: Any, stored: NDArray) -> NDArray[np.bool_]:
    """Which stored numbers mark places without a measurement."""
    if data.get("PixelPaddingValue") is None:
        return np.zeros(len(stored), bool)
    ends = [int(data.PixelPaddingValue), int(data.get("PixelPaddingRangeLimit", data.PixelPaddingValue))]
    return (stored >= min(ends)) & (stored <= max(ends))


def _require_ascending_voi(path: Path, data: Any) -> None:
    """DataError if a table for display does not ascend: what it shows is not what the values say."""
    for holder in [data, *(item for item in groups(data, "FrameVOILUTSequence") if item is not None)]:
        item = first(holder.get("VOILUTSequence"))
        if item is None:
            continue
        shown = item.get("LUTData")
        if isinstance(shown, bytes):
            shown = np.frombuffer(shown, "<u2" if int(item.LUTDescriptor[2]) > 8 else np.uint8)
        values = np.asarray(shown, float)
        if values.size > 1 and (np.diff(values) < 0).any():
            raise DataError(f"{path}: its VOI LUT does not ascend, so its grey scale is not clear; export it again")


def _looked_up(path: Path, stored: NDArray, tables: list[NDArray[np.float64]], low: int) -> NDArray:
    """Grey values of the stored numbers, frame by frame, in the smallest type."""
    unique = list({id(table): table for table in tables}.values())
    held = unique
    if low < 0 or min(table.min() for table in unique) < 0:  # negative values that do not occur need no type
        span = slice(int(stored.min()) - low, int(stored.max()) - low + 1)
        held = [table[span] for table in unique]
    kind = _smallest(path, held)
    numbers = np.arange(low, low + len(unique[0]))
    if len(unique) == 1 and kind == stored.dtype and np.array_equal(unique[0], numbers):
        return stored
    cast = {id(table): (_cast(table, kind), _line(table, low, kind)) for table in unique}
    grey = np.empty(stored.shape, kind)
    for index, frame in enumerate(stored):
        table, line = cast[id(tables[index])]
        if line is None:
            np.take(table, frame.astype(np.intp) - low, out=grey[index], mode="clip")
        else:
            slope, intercept = line
            np.multiply(frame.astype(kind, copy=False), slope, out=grey[index])
            grey[index] += intercept
    return grey


def _line(table: NDArray[np.float64], low: int, kind: np.dtype) -> tuple[Any, Any] | None:
    """Slope and intercept of a table of integers that is a line, as unsigned integers; None for any other table.

    Unsigned integers wrap around, and so give the right value wherever it can be held, for negative slopes too. That
    is several times as fast as the table.
    """
    steps = np.diff(table)
    if kind.kind != "u" or not np.array_equal(table, np.rint(table)) or (steps != steps[0]).any():
        return None
    wrap = 1 << (8 * kind.itemsize)
    slope = int(steps[0])
    return kind.type(slope % wrap), kind.type((int(table[0]) - low * slope) % wrap)


def _cast(table: NDArray[np.float64], kind: np.dtype) -> NDArray:
    if kind.kind == "f":
        return table.astype(kind)
    return np.clip(table, 0, np.iinfo(kind).max).astype(kind)  # numbers beyond it do not occur


def _smallest(path: Path, tables: list[NDArray[np.float64]]) -> np.dtype:
    lowest, highest = min(table.min() for table in tables), max(table.max() for table in tables)
    whole = all(np.array_equal(table, np.rint(table)) for table in tables)
    if whole and lowest >= 0 and highest < 2**32:
        return np.min_scalar_type(int(highest))
    if whole and max(abs(lowest), abs(highest)) > EXACT:
        raise DataError(f"{path}: its grey values reach {highest:g}, float32 cannot hold them; export it again")
    return np.dtype(np.float32)


def _floats(path: Path, data: Any) -> NDArray[np.float32]:
    """Floating point pixels (C.7.6.24, C.7.6.25) of an uncompressed file, which mean their values as they are."""
    name = next((name for name in ("FloatPixelData", "DoubleFloatPixelData") if data.get(name)), None)
    if name is None:
        raise DataError(f"{path}: holds no pixels; copy it again")
    if inverted(path, data) or data.get("RescaleSlope") is not None or any(groups(data, TRANSFORMATION)):
        raise DataError(f"{path}: inverted or rescaled floating point pixels are not read; export the eye again")
    order = "<" if data.file_meta.TransferSyntaxUID.is_little_endian else ">"
    values = np.frombuffer(data[name].value, f"{order}f{4 if name == 'FloatPixelData' else 8}")
    shape = (int(data.NumberOfFrames), int(data.Rows), int(data.Columns))
    if values.size != np.prod(shape):
        raise DataError(f"{path}: truncated: {values.size} pixels, its header requires {np.prod(shape)}; copy it again")
    return values.reshape(shape).astype(np.float32)

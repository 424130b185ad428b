"""Reads one array of numbers from a MATLAB file: of the formats 5 to 7 here, of 7.3 (HDF5) through h5py.

SciPy's `loadmat` is not used: a wrong byte in a tag can end the process within its compiled code, which no exception
tells. Of the format 5 to 7, a list of tagged elements, only arrays of numbers are read, and every length is held
against the bytes that there are. Layout: MathWorks, "MAT-File Format" (the description of level 5 files).
"""

import math
import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.boundary import DEFLATE, reading, require_regular

HEADER_BYTES = 128
VERSION, ORDER_AT = 0x0100, 126
ORDERS = {b"IM": "<", b"MI": ">"}
MATRIX, COMPRESSED = 14, 15
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""How numbers are stored; MATLAB stores whole numbers in the smallest type that holds them."""
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
"""What the numbers are in MATLAB."""
COMPLEX = 0x0800
HEAD_BYTES = 4096  # enough for the flags, the lengths and the name of a variable
MAX_NUMBERS = 1 << 30
"""A scan has at most a tenth of this; more would fill the memory before it is looked at."""
REMEDY = "copy it again"


class Element(NamedTuple):
    """One element of a file: its type and its bytes."""

    kind: int
    data: memoryview


class Variable(NamedTuple):
    """What stands before the numbers of a variable: flags, lengths of its axes and name."""

    flags: int
    shape: tuple[int, ...]
    name: str


def read_matlab(path: Path, key: str) -> tuple[NDArray, bool]:
    """The numbers of the variable `key`, and whether its axes are in reverse order, as they are in 7.3 files (HDF5).

    Numbers keep the type in which they are stored. DataError names the file if it has no such variable, if this is no
    array of real numbers, or if the file is cut short or damaged.
    """
    require_regular(path)
    with reading(path, REMEDY, "not a readable MATLAB file"):
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                return _read_hdf5(path, file, key), True
        return _read_level5(path, memoryview(path.read_bytes()), key), False


def _read_level5(path: Path, data: memoryview, key: str) -> NDArray:
    order = ORDERS.get(bytes(data[ORDER_AT:HEADER_BYTES]))
    if order is None or struct.unpack_from(f"{order}H", data, ORDER_AT - 2)[0] != VERSION:
        raise DataError(f"{path}: no MATLAB file of the versions 5 to 7.3; save it by save -v7")
    found = []
    for element in _elements(path, data[HEADER_BYTES:], order):
        # of a compressed variable, the head is enough to tell whether it is the one
        head = element
        if element.kind == COMPRESSED:
            begin = memoryview(zlib.decompressobj().decompress(element.data, HEAD_BYTES))
            head = next(_elements(path, begin, order, cut=True), element)
        if head.kind == MATRIX and _variable(path, _elements(path, head.data, order, cut=True), order).name == key:
            found.append(element)
    if len(found) != 1:
        raise DataError(f"{path}: {'no' if not found else 'no unambiguous'} MATLAB file with the variable {key!r}")
    body = _inflated(path, found[0].data, order) if found[0].kind == COMPRESSED else found[0].data
    return _numbers(path, body, order)


def _elements(path: Path, data: memoryview, order: str, *, cut: bool = False) -> Iterator[Element]:
    """The elements in `data`, one after another; the last may end early if `data` is only the beginning (`cut`)."""
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise DataError(f"{path}: truncated within a tag; {REMEDY}")
        kind, size = struct.unpack_from(f"{order}II", data, at)
        begin, small = at + 8, kind >> 16
        if small:  # up to four bytes lie within the tag
            kind, size, begin = kind & 0xFFFF, small, at + 4
        if (small > 4) or (begin + size > len(data) and not cut):
            raise DataError(f"{path}: truncated or damaged: {size} bytes stated, {len(data) - begin} left; {REMEDY}")
        yield Element(kind, data[begin : begin + size])
        padding = 0 if kind == COMPRESSED else -size % 8
        at = at + 8 if small else begin + size + padding


def _variable(path: Path, elements: Iterator[Element], order: str) -> Variable:
    """The first three elements of a variable. An unnamed one is MATLAB's own data behind the last variable."""
    parts = [*islice(elements, 3)]
    if [part.kind for part in parts] != [6, 5, 1] or len(parts[0].data) != 8 or len(parts[1].data) % 4:
        raise DataError(f"{path}: damaged in the head of a variable; {REMEDY}")
    flags = struct.unpack_from(f"{order}I", parts[0].data)[0]
    shape = struct.unpack(f"{order}{len(parts[1].data) // 4}i", parts[1].data)
    if any(length < 0 for length in shape):
        raise DataError(f"{path}: damaged: its header states an array of shape {shape}; {REMEDY}")
    return Variable(flags, shape, bytes(parts[2].data).decode("ascii", "replace"))


def _inflated(path: Path, data: memoryview, order: str) -> memoryview:
    """A compressed variable without its tag, read to its end: there stands its checksum."""
    stream = zlib.decompressobj()
    head = stream.decompress(data, 8)
    kind, size = struct.unpack_from(f"{order}II", head)
    if kind != MATRIX or size > DEFLATE * len(data):
        raise DataError(f"{path}: its header states {size} bytes, more than {len(data)} compressed ones hold; {REMEDY}")
    body = stream.decompress(stream.unconsumed_tail, size + 1)
    if len(body) != size or not stream.eof or stream.unused_data:
        raise DataError(f"{path}: truncated or damaged in a compressed variable; {REMEDY}")
    return memoryview(body)


def _numbers(path: Path, body: memoryview, order: str) -> NDArray:
    """The array of a variable, in the order of its axes in MATLAB."""
    elements = _elements(path, body, order)
    flags, shape, key = _variable(path, elements, order)
    wanted = CLASSES.get(flags & 0xFF)
    if wanted is None or flags & COMPLEX:
        raise DataError(f"{path}: {key} is no array of real numbers; save it as one")
    _require_size(path, key, shape)
    rest = [*elements]
    if len(rest) != 1 or rest[0].kind not in TYPES:
        raise DataError(f"{path}: damaged: {key} has {len(rest)} blocks of numbers instead of one; {REMEDY}")
    stored = np.dtype(order + TYPES[rest[0].kind])
    if len(rest[0].data) != (needed := math.prod(shape) * stored.itemsize):
        raise DataError(
            f"{path}: its header states {key} of shape {shape}, which takes {needed} bytes, but it has "
            f"{len(rest[0].data)}; {REMEDY}"
        )
    if np.dtype(wanted).kind != "f" and not np.can_cast(stored, wanted):
        raise DataError(f"{path}: damaged: {key} is of the type {wanted}, but stored as {stored}; {REMEDY}")
    return np.frombuffer(rest[0].data, stored).reshape(shape, order="F").astype(stored.newbyteorder("="), copy=False)


def _require_size(path: Path, key: str, shape: tuple[int, ...]) -> None:
    if math.prod(shape) > MAX_NUMBERS:
        raise DataError(f"{path}: its header states {key} of shape {shape}, more than any scan has; {REMEDY}")


def _read_hdf5(path: Path, file: h5py.File, key: str) -> NDArray:
    """The variable `key`, as far as it lies in this file completely: HDF5 fills what is missing with zeros."""
    if key not in file or not isinstance(file.get(key, getlink=True), h5py.HardLink):
        raise DataError(f"{path}: no MATLAB file with the variable {key!r}")
    stored: Any = file[key]
    if not isinstance(stored, h5py.Dataset) or stored.dtype.kind not in "uif" or stored.shape is None:
        raise DataError(f"{path}: {key} is no array of real numbers; save it as one")
    if stored.is_virtual or stored.external:
        raise DataError(f"{path}: {key} lies in other files; save it into this one")
    _require_size(path, key, stored.shape)
    held, needed = stored.id.get_storage_size(), stored.nbytes
    chunks = math.prod(math.ceil(n / c) for n, c in zip(stored.shape, stored.chunks or stored.shape, strict=True) if n)
    missing = stored.chunks is not None and stored.id.get_num_chunks() < chunks
    needed = max(needed, math.prod(stored.chunks or ()) * stored.dtype.itemsize)  # one is unpacked as a whole
    if missing or held > path.stat().st_size or (held if not stored.chunks else DEFLATE * held) < needed:
        raise DataError(
            f"{path}: its header states {key} of shape {stored.shape}, which takes {needed} bytes, but it has "
            f"{held}; {REMEDY}"
        )
    return np.asarray(stored)

"""The boundary between files of others and this program: what a parser raises at damaged bytes is a DamagedError."""

import errno
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from octa_kedro.errors import DamagedError, DataError, OctaError, machine_fault
from octa_kedro.io.hushed import unquoted

REMEDY = "copy it again or leave the eye out"
MOST = 1 << 35
"""Bytes: more than any scan has; a damaged header may state anything."""
DEFLATE = 1032
"""Bytes that one byte of zlib, gzip or zip can hold at most (RFC 1951: 258 bytes for two bits)."""


def is_file(path: Path) -> bool:
    """Whether there is a regular file of this name; False also where the name is too long to be one."""
    try:
        return path.is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def require_regular(path: Path) -> None:
    """DataError for what is no regular file: to open a pipe would wait for ever, and a device has no end."""
    if is_file(path):
        return
    there = os.path.lexists(path)
    raise DataError(f"{path}: {'is no regular file; name a file' if there else 'no such file'}")


def require_bytes(path: Path, most: int, what: str) -> None:
    """DataError if a regular file has more than `most` bytes, which is more than any `what` needs."""
    require_regular(path)
    if (size := path.stat().st_size) > most:
        raise DataError(f"{path}: has {size / 1e6:.0f} MB, more than {what} needs ({most >> 20} MB at most)")


def _is_absurd(error: Exception) -> bool:
    """Whether NumPy was asked for an array that is larger than any scan."""
    if not isinstance(error, MemoryError) or not hasattr(error, "shape") or not hasattr(error, "dtype"):
        return False
    return bool(math.prod(error.shape) * error.dtype.itemsize > MOST)


def of_the_machine(error: Exception) -> bool:
    """Whether an error that was raised at a file is a fault of the machine (permission, memory) and says nothing about
    the file; memory that no scan needs is no such fault, but a damaged size."""
    return machine_fault(error) is not None and not _is_absurd(error)


def kind_of(error: BaseException) -> str:
    """The type of an error, for libraries that repeat a file's content without quotes round it."""
    return type(error).__name__


@contextmanager
def reading(
    path: Path, remedy: str = REMEDY, problem: str = "damaged", told: Callable[[BaseException], str] = unquoted
) -> Iterator[None]:
    """Put around the reading of a file that may hold anything.

    An OctaError, and a fault of the machine, stay what they are. All else is a DamagedError: `path`, the `problem`,
    what is `told` of the error that was raised, and the `remedy`.
    """
    try:
        yield
    except OctaError:
        raise
    except Exception as error:
        if of_the_machine(error):
            raise
        damaged = DamagedError(f"{path}: {problem} ({told(error)}); {remedy}")
        raise damaged from (None if told is kind_of else error)  # nor is it shown in a traceback

"""The boundary between files of others and this program: what a parser raises at damaged bytes is a DamagedError."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from octa_kedro.errors import DamagedError, OctaError, machine_fault
from octa_kedro.io.hushed import unquoted

REMEDY = "copy it again or leave the eye out"
MOST = 1 << 35
"""Bytes: more than any scan has; a damaged header may state anything."""


def _is_absurd(error: Exception) -> bool:
    """Whether NumPy was asked for an array that is larger than any scan."""
    if not isinstance(error, MemoryError) or not hasattr(error, "shape") or not hasattr(error, "dtype"):
        return False
    return bool(math.prod(error.shape) * error.dtype.itemsize > MOST)


@contextmanager
def reading(path: Path, remedy: str = REMEDY) -> Iterator[None]:
    """Put around the reading of a file that may hold anything.

    An OctaError, and a fault of the machine (permission, memory), stay what they are; memory that no scan needs is no
    such fault, but a damaged size. All else is a DamagedError that names `path`, what was raised, without what that
    quotes of the file, and the `remedy`.
    """
    try:
        yield
    except OctaError:
        raise
    except Exception as error:
        if machine_fault(error) is not None and not _is_absurd(error):
            raise
        raise DamagedError(f"{path}: damaged ({unquoted(error)}); {remedy}") from error

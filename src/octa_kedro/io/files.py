"""Atomic writes: a file is written under a temporary name first, so that a reader never finds half of it.

Its bytes are on the disk before its name is: otherwise a power cut may leave the name with nothing behind it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the folder of `path`, which is made if needed. It replaces `path` when the block ends without
    an error and is removed otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        yield partial
        _flush(partial)
        partial.replace(path)
        _flush(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, have reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def relative_link(target: Path, folder: Path) -> str:
    """The address of a file as seen from an HTML page in `folder`: relative, so that both can be moved together."""
    return quote(Path(os.path.relpath(target, folder)).as_posix())


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically."""
    with replacing(path) as partial:
        partial.write_text(text)

"""Atomic writes: a file is written under a temporary name first, so that a reader never finds half of it.

Its bytes are on the disk before its name is: otherwise a power cut may leave the name with nothing behind it.
"""

import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

MACHINE = re.sub(r"[^A-Za-z0-9.]", "_", platform.node())
UNFINISHED = re.compile(r"\.(partial|old|working)-(?P<machine>[A-Za-z0-9._]*)-(?P<process>\d{1,9})-.")
DAY_SECONDS = 86400


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the folder of `path`, which is made if needed. It replaces `path` when the block ends without
    an error and is removed otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = unfinished_name(path)
    try:
        yield partial
        flush(partial)
        partial.replace(path)
        flush(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`, which must not exist or be empty. It takes the place of `path` when the block
    ends without an error, its files being on the disk, and is removed otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = unfinished_name(path)
    try:
        partial.mkdir()
        yield partial
        for one in partial.rglob("*"):
            flush(one)
        flush(partial)
        partial.replace(path)
        flush(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def unfinished_name(path: Path, what: str = "partial") -> Path:
    """A name beside `path` that says which process, on which machine, is at work on it; see `is_abandoned`."""
    return path.with_name(f".{what}-{MACHINE}-{os.getpid()}-{path.name}")


def is_abandoned(path: Path) -> bool:
    """Whether a path with a name of `unfinished_name` belongs to no living process. What another machine has begun in a
    shared folder is given up after a day without a change."""
    if (match := UNFINISHED.match(path.name)) is None:
        return False
    if match["machine"] != MACHINE:
        return time.time() - path.stat().st_mtime > DAY_SECONDS
    try:
        os.kill(int(match["process"]), 0)
    except ProcessLookupError:
        return True
    except OSError:  # somebody else's process, and alive
        return False
    return False


def flush(path: Path) -> None:
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

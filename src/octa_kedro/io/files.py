"""Atomic writes: a file is written under a temporary name first, so that a reader never finds half of it.

Its bytes are on the disk before its name is: otherwise a power cut may leave the name with nothing behind it.
"""

import hashlib
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

PROC = Path("/proc")


def _machine() -> str:
    """What numbers of processes count in: a machine since it was started, and on Linux one container of it."""
    name = re.sub(r"[^A-Za-z0-9.]", "_", platform.node())
    try:
        started = (PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8") + str(
            (PROC / "self/ns/pid").readlink()
        )
    except OSError:  # no Linux
        return name
    return f"{name}.{hashlib.sha256(started.encode()).hexdigest()[:8]}"


MACHINE = _machine()
UNFINISHED = re.compile(
    r"\.(partial|old|working)-(?P<machine>[A-Za-z0-9._]*)-(?P<process>\d{1,9})(\.(?P<started>\d*))?-."
)
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
    process = os.getpid()
    return path.with_name(f".{what}-{MACHINE}-{process}.{_started(process)}-{path.name}")


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
        pass
    began, now = match["started"], _started(int(match["process"]))
    return bool(began and now) and began != now  # another one has its number now


def _started(process: int) -> str:
    """When a process was started, in ticks since the machine was; empty where the system does not tell."""
    try:
        return (PROC / str(process) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        return ""


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
        partial.write_text(text, encoding="utf-8")

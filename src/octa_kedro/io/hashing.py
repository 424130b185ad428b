"""Hashes of files."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from octa_kedro.io.notes import recall_note, write_note

CHUNK = 1 << 20
SETTLED_SECONDS = 2.5
"""A file that was changed so short a time ago may change again within what its file system tells apart (2 s on FAT)."""


def hash_files(paths: Sequence[Path], remembered: Path | None = None) -> str:
    """Hash of the names and bytes of `paths`, in the order given.

    `remembered` is a folder that keeps hashes between runs: files whose path, size and times of change are the same as
    before are not read again, since a release has tens of gigabytes. Nothing is remembered of files that are being
    changed, or were a moment ago.
    """
    if remembered is None:
        return _hash_bytes(paths)
    before, changed = _hash_stats(paths)
    if (known := recall_note(remembered / before, named=True)) is not None:
        return str(known["hash"])
    digest = _hash_bytes(paths)
    if changed < time.time() - SETTLED_SECONDS and _hash_stats(paths)[0] == before:
        write_note(remembered / before, {"hash": digest}, named=True)
    return digest


def _hash_stats(paths: Sequence[Path]) -> tuple[str, float]:
    """What the system says of the files, and when one was last changed (seconds). The time of modification can be set
    to anything, as copying programs do; that of the last change of an entry (ctime) is the system's own."""
    digest, changed = hashlib.blake2b(digest_size=20), 0.0
    for path in paths:
        stat = path.stat()
        times = f"{stat.st_mtime_ns}\0{stat.st_ctime_ns}"
        digest.update(f"{path.absolute()}\0{stat.st_size}\0{times}\0{stat.st_ino}\0".encode())
        changed = max(changed, stat.st_mtime, stat.st_ctime)
    return digest.hexdigest(), changed


def _hash_bytes(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()  # twice as fast as blake2b on long files: processors have instructions for it
    for path in paths:
        digest.update(path.name.encode() + b"\0")
        with path.open("rb") as file:
            while block := file.read(CHUNK):
                digest.update(block)
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as a hexadecimal string."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Hashes of files."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from octa_kedro.io.notes import recall_note, write_note

CHUNK = 1 << 20


def hash_files(paths: Sequence[Path], remembered: Path | None = None) -> str:
    """Hash of the names and bytes of `paths`, in the order given.

    `remembered` is a folder that keeps hashes between runs: files whose path, size and time of change are the same as
    before are not read again, since a release has tens of gigabytes.
    """
    if remembered is None:
        return _hash_bytes(paths)
    note = remembered / _hash_stats(paths)
    if (known := recall_note(note)) is not None:
        return str(known["hash"])
    digest = _hash_bytes(paths)
    write_note(note, {"hash": digest})
    return digest


def _hash_stats(paths: Sequence[Path]) -> str:
    digest = hashlib.blake2b(digest_size=20)
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.absolute()}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ino}\0".encode())
    return digest.hexdigest()


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

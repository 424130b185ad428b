"""Files that people take away: named by eye, beside the content-addressed ones whose bytes they share."""

import gzip
import shutil
from pathlib import Path

from octa_kedro.io.files import replacing


def place_named(stored: Path, target: Path) -> None:
    """Put the stored file at `target`, written atomically: as a hard link, which takes no room and is a file like any
    other, or a copy where the file system has none. A ``.nii`` file is compressed if `target` ends in ``.nii.gz``.
    """
    with replacing(target) as partial:
        if target.suffix == ".gz" and stored.suffix != ".gz":
            _compress(stored, partial)
        else:
            _link_or_copy(stored, partial)


def _link_or_copy(stored: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(stored)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(stored, target)


def _compress(stored: Path, target: Path) -> None:
    """Without a name and a time, so that the same data give the same bytes."""
    with (
        stored.open("rb") as plain,
        target.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=file, mtime=0) as packed,
    ):
        shutil.copyfileobj(plain, packed)

"""What is looked after in a data root before a run: what killed processes left there, and versions from the future."""

import logging
import os
import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from octa_kedro.errors import ConfigError
from octa_kedro.io.files import is_abandoned

log = logging.getLogger(__name__)

VERSION = re.compile(r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z")
"""Kedro's names of versions: times, so that the newest is the largest."""
SHOWN = 3


def require_folder(data: Path) -> None:
    """ConfigError if `data` is a file, or a link to a folder that is not there (a drive that is not connected)."""
    if data.is_symlink() and not data.exists():
        raise ConfigError(
            f"{data}: a link to {data.readlink()}, which is not there; connect that drive or make the folder"
        )
    if data.exists() and not data.is_dir():
        raise ConfigError(f"{data}: a file, where results need a folder of this name; move it away")


def look_after(root: Path, version: str, living: Collection[str] = ()) -> None:
    """Delete what processes that no longer live were writing below `root`.

    ConfigError if a dataset there has a version that is not older than `version`, that of this run: later steps would
    take it for what this run has saved. Versions of runs that are still at work (`living`) are none of these, as what a
    run reads is settled when it begins.
    """
    newer = []
    for path in _walk(root):
        if is_abandoned(path):
            log.info("%s: was never finished by a process that has ended; it is removed", path)
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        elif VERSION.fullmatch(path.name) and path.name >= version and path.name not in living:
            newer.append(path)
    if newer:
        shown = ", ".join(map(str, sorted(newer)[:SHOWN]))
        more = f" and {len(newer) - SHOWN} more" if len(newer) > SHOWN else ""
        how = "newer than this run" if any(path.name > version for path in newer) else "as old as this run"
        raise ConfigError(
            f"{shown}{more}: {how} ({version}), whose steps would read it instead of what they save. "
            "Has the clock been set back, or has another run started since? Correct the clock, move or delete that "
            "version, or start again"
        )


def _walk(root: Path) -> Iterator[Path]:
    """All files and folders below `root`; links are not followed."""
    for folder, folders, files in os.walk(root):
        yield from (Path(folder, name) for name in (*folders, *files))

"""Which runs of a project are at work: each notes its version and what it saves, in a file that it keeps locked.

A lock ends with the processes that hold it, however they end, so that neither the number of a process that is used
again nor containers whose processes have equal numbers can be taken for a run.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from octa_kedro.errors import ConfigError
from octa_kedro.io.files import MACHINE, is_abandoned, unfinished_name

RUNS = Path("data/.runs")
"""Relative to the project: runs of all environments, as one may read what another saves."""
_notes: list[tuple[Path, IO[str]]] = []


@dataclass(frozen=True)
class Run:
    """A run at work: its version, the process on its machine, and the files and folders that it saves to."""

    version: str
    process: str
    writes: tuple[str, ...]


def begin(project: Path, version: str, reads: Mapping[str, Iterable[Path]], writes: Iterable[Path]) -> None:
    """Note that this process is at work on a run that saves to `writes`. Paths count from `project`.

    ConfigError if a run at work saves to what this one reads (`reads`, by names of datasets), which would mix what is
    there with what is still being made; or if one has the same version, as two that start in the same millisecond do.
    """
    end()
    for other in living(project):
        _require_apart(project, other, reads)
    note = project / RUNS / version
    note.parent.mkdir(parents=True, exist_ok=True)
    partial = unfinished_name(note)
    saved = sorted({_relative(project, path) for path in writes})
    try:
        file = _write_locked(
            partial, {"version": version, "process": f"{os.getpid()} on {MACHINE}", "writes": saved}, note
        )
    finally:
        partial.unlink(missing_ok=True)
    _notes.append((note, file))


def _write_locked(partial: Path, content: Mapping[str, object], note: Path) -> IO[str]:
    """A note under a temporary name, locked, and then under its own; the open file, which holds the lock."""
    file = partial.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump(content, file)
        file.flush()
        note.hardlink_to(partial)  # locked before it has its name, and never over that of another run
    except FileExistsError as error:
        file.close()
        raise ConfigError(
            f"{note}: another run has started in the same millisecond and has the same version; start this one again"
        ) from error
    except BaseException:
        file.close()
        raise
    return file


def end() -> None:
    """The run that this process has begun is no longer at work."""
    while _notes:
        note, file = _notes.pop()
        note.unlink(missing_ok=True)
        file.close()


def living(project: Path) -> list[Run]:
    """The runs at work in a project, this process's own not among them. Notes of those that have ended are removed."""
    own = {note for note, _ in _notes}
    folder = project / RUNS
    for path in folder.glob(".*"):
        if is_abandoned(path):  # of one that was killed while it began
            path.unlink(missing_ok=True)
    return [run for note in sorted(folder.glob("[0-9]*")) if note not in own for run in _living(note)]


def _living(note: Path) -> Iterator[Run]:
    try:
        file = note.open()
    except FileNotFoundError:  # it has ended meanwhile
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield _read(note, file)
        else:
            note.unlink(missing_ok=True)


def _read(note: Path, file: IO[str]) -> Run:
    """The run that has written `note`; ConfigError if it was changed since: what that run saves is not known then."""
    try:
        told = json.load(file)
        return Run(str(told["version"]), str(told["process"]), tuple(map(str, told["writes"])))
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{note}: damaged, and the run that wrote it is at work, so that what it saves is not known; wait until it "
            "has ended, or stop it"
        ) from error


def _require_apart(project: Path, other: Run, reads: Mapping[str, Iterable[Path]]) -> None:
    for name, paths in reads.items():
        for path in map(Path, (_relative(project, path) for path in paths)):
            if any(Path(saved).is_relative_to(path) for saved in other.writes):
                raise ConfigError(
                    f"{name}: another run ({other.version}, process {other.process}) is at work on what this one would "
                    f"read from {path}; wait until it has ended, or stop it, or name what to read instead "
                    f"(--load-versions {name}:VERSION; networks also by inference.checkpoints)"
                )


def _relative(project: Path, path: Path) -> str:
    return os.path.relpath((project / path).resolve(), project.resolve())

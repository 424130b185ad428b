"""Writes a cohort in the OCTA-500 release layout, which `Octa500Release` reads; each eye is written atomically."""

import fcntl
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
from joblib import cpu_count, delayed
from threadpoolctl import threadpool_limits

from octa_kedro.errors import DataError, OctaError
from octa_kedro.io.files import replacing
from octa_kedro.io.kept import note_kept
from octa_kedro.io.notes import recall_note, write_note
from octa_kedro.io.octa500 import LABEL_SHEETS
from octa_kedro.io.processes import in_processes
from octa_kedro.io.progress import progress
from octa_kedro.io.release_format import WritableEye, field_name, sheet_file, write_eye

RECORDS = ".written"  # holds a small file per finished eye, with the key of its recipe
CODE = ".code"  # among the records: the code that made the newest of them
LOCK = ".lock"  # among the records: locked by the processes that write; names their run
# All places with files of an eye, in the order of removal. The record is first: it says that the others are complete.
# The folders of the scans are last: by them an eye is found whose removal was interrupted.
PLACES = (f"{RECORDS}/{{}}.json", "OCTA_*/Projection Maps/*/{}.bmp", "Label/*/{}.*", "OCTA_*/OCT*/{}")
TRUTH = "Label/phantom_truth.csv"
SHEET_COLUMNS = ["ID", "Sex", "OS/OD", "Age", "Disease"]
TRUTH_COLUMNS = ["ID", "drawn", "severity", "quality"]


@dataclass(frozen=True)
class EyeRecipe:
    """How to make one eye; `key` is a hash of everything that the eye depends on.

    `make` is called in the process that writes the eye.
    """

    key: str
    make: Callable[[], WritableEye]


@dataclass(frozen=True)
class PhantomCohort:
    """Eyes to be written as a release: see `write_release`. `code` is the code that makes them, as JSON."""

    table: pd.DataFrame
    recipes: Mapping[str, EyeRecipe]
    workers: int | None = None
    code: Mapping[str, Any] | None = None


def write_release(
    root: Path,
    table: pd.DataFrame,
    recipes: Mapping[str, EyeRecipe],
    *,
    workers: int | None = None,
    code: Mapping[str, Any] | None = None,
) -> None:
    """Write the eyes of `table` (columns `SHEET_COLUMNS` and `TRUTH_COLUMNS`) below `root`.

    `recipes` holds a recipe for each ID. Eyes that were finished under the same key are kept, so that an interrupted
    run continues and a repeated one does nothing; all other files of eyes are removed. `workers` processes (None: one
    per core that this process may use; 1: this process only) each make and write one eye at a time; their number does
    not change a byte. `code` is stored for `recorded_code`. DataError if `root` holds files that this function did not
    write: a real release must never be overwritten. An error in an eye names the eye, and finished eyes stay.
    """
    records = root / RECORDS
    if root.is_dir() and any(root.iterdir()) and not records.is_dir():
        raise DataError(f"{root}: holds files that are not a phantom; choose an empty folder for the phantom")
    records.mkdir(parents=True, exist_ok=True)
    with (records / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OctaError(f"{root}: another run is still writing here; wait until it ends") from None
        run = uuid4().hex
        (records / LOCK).write_text(run)
        # A label sheet says that its eyes are complete, so it is removed first and written last.
        for sheet in [*root.glob(f"OCTA_*/{LABEL_SHEETS[0]}"), root / TRUTH]:
            sheet.unlink(missing_ok=True)
        write_note(records / CODE, {"code": code}, named=True)
        missing = {eye: recipe for eye, recipe in recipes.items() if _recorded_key(records, eye) != recipe.key}
        for subject in _eyes_on_disk(root) - (recipes.keys() - missing.keys()):
            _remove_eye(root, subject)
        fcntl.flock(lock, fcntl.LOCK_SH)  # shared with the processes that write the eyes
        eyes = _write_eyes(root, run, missing, workers or cpu_count())
        shown = progress(eyes, desc="phantom eyes", total=len(missing), unit="eye")
        for done, _ in enumerate(shown, start=1):
            note_kept("phantom", done, len(missing), "missing eyes")
        _write_sheets(root, table)
        (records / LOCK).write_text("")


def _write_eyes(root: Path, run: str, recipes: Mapping[str, EyeRecipe], workers: int) -> Iterator[str]:
    """Make and write the eyes; yields each ID when its eye is finished."""
    workers = min(workers, len(recipes))
    if workers <= 1:
        yield from (_finish(root, run, subject, recipe) for subject, recipe in recipes.items())
        return
    try:
        work = (delayed(_finish)(root, run, subject, recipe) for subject, recipe in recipes.items())
        yield from in_processes(workers, work)
    except BrokenProcessPool as error:
        raise OctaError(
            f"{root}: a process that was making eyes was killed, perhaps because memory ran out; run again to continue"
            " with the missing eyes, with fewer at a time by phantom.workers"
        ) from error


def _finish(root: Path, run: str, subject: str, recipe: EyeRecipe) -> str:
    """Make an eye, write it, and only then record it."""
    records = root / RECORDS
    with (records / LOCK).open() as lock:
        # A process may outlive the run that started it; it must not write among the eyes of the next run.
        fcntl.flock(lock, fcntl.LOCK_SH)
        if lock.read() != run:
            raise OctaError(f"{root}: another run has begun to write here")
        try:
            # the rounding of a sum depends on the number of threads
            with threadpool_limits(1):
                eye = recipe.make()
            write_eye(root, subject, eye)
        except OctaError as error:
            raise type(error)(f"eye {subject}: {error}") from error
        except Exception as error:
            raise RuntimeError(f"eye {subject}: {type(error).__name__}: {error}") from error
        record = {"key": recipe.key, "field": field_name(eye)}
        write_note(records / f"{subject}.json", record, named=True)
    return subject


def recorded_keys(root: Path) -> dict[str, str]:
    """The key of each finished eye below `root`."""
    return {eye: str(note["key"]) for eye, note in _recorded(root)}


def _recorded(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each finished eye and its record. A name with a dot in front is a file that was being written."""
    for path in (root / RECORDS).glob("[!.]*.json"):
        if (note := recall_note(path, named=True)) is not None:
            yield path.stem, note


def recorded_code(root: Path) -> dict[str, Any] | None:
    """The `code` of the last `write_release` to `root`; None if it is not known."""
    note = recall_note(root / RECORDS / CODE, named=True)
    return None if note is None else note["code"]


def _recorded_key(records: Path, subject: str) -> str | None:
    note = recall_note(records / f"{subject}.json", named=True)
    return None if note is None else str(note["key"])


def _eyes_on_disk(root: Path) -> set[str]:
    """Every eye that has a record or a scan below `root`, finished or not."""
    records, scans = root.glob(PLACES[0].format("*")), root.glob(PLACES[-1].format("*"))
    return {path.stem for path in records} | {path.name for path in scans if path.is_dir()}


def _remove_eye(root: Path, subject: str) -> None:
    for place in PLACES:
        for path in [*root.glob(place.format(subject))]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _write_sheets(root: Path, table: pd.DataFrame) -> None:
    fields = {eye: note["field"] for eye, note in _recorded(root)}
    for field, rows in table.groupby(table["ID"].astype(str).map(fields)):
        _replace(root / str(field) / LABEL_SHEETS[0], sheet_file(rows[SHEET_COLUMNS]))
    _replace(root / TRUTH, table[TRUTH_COLUMNS].to_csv(index=False, lineterminator="\n").encode())


def _replace(path: Path, content: bytes) -> None:
    with replacing(path) as partial:
        partial.write_bytes(content)

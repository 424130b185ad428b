"""A folder of results of eyes: what is missing is made, in several processes, and what cannot be made is remembered."""

import logging
import os
from collections.abc import Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

from joblib import cpu_count, delayed
from threadpoolctl import threadpool_limits

from octa_kedro.errors import DataError, OctaError, may_pass
from octa_kedro.io.files import unfinished_name
from octa_kedro.io.kept import note_kept
from octa_kedro.io.notes import recall_note, write_note
from octa_kedro.io.processes import in_processes
from octa_kedro.io.progress import progress
from octa_kedro.results.changes import VersionOf, no_version, remember_code, tell_changed_code, tell_other_libraries
from octa_kedro.results.guard import GO_ON, put_aside
from octa_kedro.results.recipe import Job, Recipe
from octa_kedro.results.stored import Manifest, Stored, write_result

log = logging.getLogger(__name__)

ABSENT = {"absent": True}
FAILED, PASSES = ".failed.json", "passes"
WORKING = "working"
LIBRARIES = "libraries"
Entry = dict[str, Any]


class Store:
    """A folder of NIfTI files named by their recipes, each with a JSON beside it, its card, that is written last."""

    def __init__(self, folder: Path, *, compress: bool = False) -> None:
        self.folder = folder
        self.suffix = ".nii.gz" if compress else ".nii"

    def put_all(self, job: Job, what: str, version_of: VersionOf = no_version) -> dict[str, Entry]:
        """Make what is missing of `job`, with a progress bar; all entries for the manifest, in the job's order.

        An entry is ``{"file", "sha256", "meta"}``, or ``{"absent": true}`` for a part that the eye does not have.
        `what` is the dataset's name and `version_of` finds its newest version that names one of some files, for the
        log. With ``on_error: quarantine`` an eye that is put aside (`guard.put_aside`) has the entry
        ``{"failed": reason}``, which is remembered if its bytes are the cause, so that neither its other parts nor a
        repeated run try again. Any other error, and the first one with ``on_error: stop``, ends the run; what is
        finished stays.
        """
        self._forget_passing(job)
        self._tell(job, what, version_of)
        eyes = {eye: recipe for eye, recipe, part in job.wanted() if self._entry(recipe, part, job) is None}
        remember_code(self.folder, [recipe.code for recipe in eyes.values()])
        with progress(total=len(eyes), desc=what, unit="eye", disable=len(eyes) < 2) as bar:
            for done, _ in enumerate(self._work(eyes, job), start=1):
                bar.update()
                note_kept(what, done, len(eyes), "missing eyes")
        made = {job.name(eye, part): self._made(recipe, part, job) for eye, recipe, part in job.wanted()}
        entries = made | {eye: {"failed": reason} for eye, reason in job.failed.items()}
        _tell_failed(what, [entry["failed"] for entry in entries.values() if "failed" in entry])
        return entries

    def _tell(self, job: Job, what: str, version_of: VersionOf) -> None:
        """Say in the log what has changed since results were stored."""
        wanted = [(recipe, part) for _, recipe, part in job.wanted()]
        cards = [(self._card(recipe, part), recipe.code) for recipe, part in wanted]
        reused = [(card[LIBRARIES], code) for card, code in cards if card and LIBRARIES in card]
        tell_other_libraries(what, reused, self.folder)
        missing = [(recipe, part) for recipe, part in wanted if self._entry(recipe, part, job) is None]
        tell_changed_code(
            what, missing, len(wanted), self.folder, lambda names: version_of({name + self.suffix for name in names})
        )

    def _work(self, eyes: Mapping[str, Recipe], job: Job) -> Iterator[str]:
        """Make the missing parts of each eye; eyes, as they are finished."""
        workers = min(job.execution.workers or cpu_count(), len(eyes))
        if workers <= 1:
            for eye, recipe in eyes.items():
                yield self._try(eye, recipe, job)
            return
        try:
            bare = replace(job, recipes={})  # each process is sent the recipe that it works on, and no other
            work = (delayed(self._marked)(eye, recipe, bare, os.getpid()) for eye, recipe in eyes.items())
            yield from in_processes(workers, work)
        except BrokenProcessPool as error:
            raise OctaError(
                f"{self.folder}: a process was killed while it worked on {self._worked_on()}, perhaps for want of "
                "memory; finished eyes stay: run again, on fewer eyes at a time with --params execution.workers="
                f"{max(1, workers // 2)}"
            ) from error

    def _marked(self, eye: str, recipe: Recipe, job: Job, run: int) -> str:
        """`_try` with a file that says so while it goes on, with the process of the `run`; when it is killed that
        stays."""
        mark = unfinished_name(self._path(recipe, next(iter(recipe.ingredients)), ""), WORKING)
        self.folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(f"{run}\n{eye}", encoding="utf-8")
        try:
            return self._try(eye, recipe, job)
        finally:
            mark.unlink(missing_ok=True)

    def _worked_on(self) -> str:
        """The eyes that processes of this run were working on when they ended; their marks are removed."""
        eyes = []
        for mark in sorted(self.folder.glob(f".{WORKING}-*")):
            run, _, eye = mark.read_text(encoding="utf-8").partition("\n")
            if run == str(os.getpid()):
                eyes.append(eye)
                mark.unlink()
        return f"one of the eyes {', '.join(eyes)}" if len(eyes) > 1 else f"eye {eyes[0]}" if eyes else "an eye"

    def _try(self, eye: str, recipe: Recipe, job: Job) -> str:
        try:
            with threadpool_limits(job.threads):
                self.put(recipe)
        except Exception as error:  # noqa: BLE001 - put_aside raises it again unless it is the eye's own
            reason = put_aside(eye, error, job.on_error, job.needed or GO_ON)
            note = {"failed": reason, PASSES: may_pass(error) or not _is_there(recipe)}
            for path in (self._path(recipe, part, FAILED) for part in recipe.ingredients):
                write_note(path, note | {LIBRARIES: dict(recipe.code.libraries)}, named=True)
        return eye

    def _forget_passing(self, job: Job) -> None:
        """What failed for want of permission, space, memory, time or a file is tried again, since that says nothing
        about the eye; so is what failed with other versions of libraries."""
        for _, recipe, part in job.wanted():
            path = self._path(recipe, part, FAILED)
            note = recall_note(path, named=True)
            if note is not None and (note.get(PASSES) or note.get(LIBRARIES) != dict(recipe.code.libraries)):
                path.unlink()

    def put(self, recipe: Recipe) -> None:
        """Make and write the parts of an eye that are not there yet."""
        missing = [part for part in recipe.ingredients if self._card(recipe, part) is None]
        made = recipe.make(missing) if missing else {}
        if missing and recipe.unchanged is not None and not recipe.unchanged():
            raise DataError("its files were changed while they were read, as by a copy that still goes on; run again")
        for part in missing:
            card = ABSENT
            if part in made:
                path = self._path(recipe, part, self.suffix)
                card = write_result(path, made[part]) | {LIBRARIES: dict(recipe.code.libraries)}
            write_note(self._path(recipe, part, ".json"), card, named=True)

    def _made(self, recipe: Recipe, part: str, job: Job) -> Entry:
        entry = self._entry(recipe, part, job)
        assert entry is not None
        return entry

    def _entry(self, recipe: Recipe, part: str, job: Job) -> Entry | None:
        """What the manifest says of a result that is there, or of one that is known to fail; None if it is missing."""
        if (card := self._card(recipe, part)) is not None:
            meta = {"meta": card["meta"] | dict(recipe.facts)} if "meta" in card else {}
            return {name: value for name, value in card.items() if name != LIBRARIES} | meta
        note = recall_note(self._path(recipe, part, FAILED), named=True) if job.on_error == "quarantine" else None
        return None if note is None else {"failed": note["failed"]}

    def _card(self, recipe: Recipe, part: str) -> Entry | None:
        """The card of a result that is whole."""
        card = recall_note(self._path(recipe, part, ".json"), named=True)
        return card if card == ABSENT or (card and (self.folder / card["file"]).is_file()) else None

    def _path(self, recipe: Recipe, part: str, suffix: str) -> Path:
        return self.folder / f"{recipe.name(part)}{suffix}"

    def open_all(self, entries: Mapping[str, Mapping[str, Any]]) -> Manifest:
        """The results that a manifest's entries name; DataError if a file is missing."""
        there = {name: self._open(entry) for name, entry in entries.items() if "file" in entry}
        return Manifest(there, {name: entry["failed"] for name, entry in entries.items() if "failed" in entry})

    def _open(self, entry: Mapping[str, Any]) -> Stored:
        path = self.folder / entry["file"]
        if not path.is_file():
            raise DataError(f"{path}: named by a manifest but gone; run the pipeline that makes it again")
        return Stored(path, entry["sha256"], entry["meta"])


_told: set[str] = set()


def _tell_failed(what: str, reasons: list[str]) -> None:
    """A warning of each eye that is put aside, once in a process: its parts are several datasets."""
    for reason in reasons:
        if reason not in _told:
            log.warning("%s: left out: %s", what, reason)
    _told.update(reasons)


def _is_there(recipe: Recipe) -> bool:
    """Whether what a recipe reads is still what it was when the recipe was written."""
    if recipe.unchanged is None:
        return True
    try:
        return recipe.unchanged()
    except Exception:  # noqa: BLE001 - whatever keeps it from being read says nothing about its bytes
        return False

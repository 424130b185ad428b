"""A folder of results of eyes: what is missing is made, in several processes, and what cannot be made is remembered."""

from collections.abc import Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from joblib import cpu_count, delayed
from threadpoolctl import threadpool_limits

from octa_kedro.errors import DataError, OctaError, machine_fault
from octa_kedro.io.kept import note_kept
from octa_kedro.io.notes import recall_note, write_note
from octa_kedro.io.processes import in_processes
from octa_kedro.io.progress import progress
from octa_kedro.results.changes import VersionOf, no_version, remember_code, tell_changed_code, tell_other_libraries
from octa_kedro.results.recipe import Job, Recipe
from octa_kedro.results.stored import Manifest, Stored, write_result

ABSENT = {"absent": True}
FAILED, PASSES = ".failed.json", "passes"
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
        log. With ``on_error: quarantine`` an eye that raises an OctaError has the entry ``{"failed": reason}``, which
        is remembered, so that neither its other parts nor a repeated run try again. Any other error, and the first
        OctaError with ``on_error: stop``, ends the run; what is finished stays.
        """
        self._forget_passing(job)
        self._tell(job, what, version_of)
        eyes = {eye: recipe for eye, recipe, part in job.wanted() if self._entry(recipe, part, job) is None}
        remember_code(self.folder, [recipe.code for recipe in eyes.values()])
        with progress(total=len(eyes), desc=what, unit="eye", disable=len(eyes) < 2) as bar:
            for done, _ in enumerate(self._work(eyes, job), start=1):
                bar.update()
                note_kept(what, done, len(eyes), "missing eyes")
        return {job.name(eye, part): self._made(recipe, part, job) for eye, recipe, part in job.wanted()}

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
        quarantine = job.execution.on_error == "quarantine"
        if workers <= 1:
            for eye, recipe in eyes.items():
                yield self._try(eye, recipe, quarantine, job.threads)
            return
        try:
            work = (delayed(self._try)(eye, recipe, quarantine, job.threads) for eye, recipe in eyes.items())
            yield from in_processes(workers, work)
        except BrokenProcessPool as error:
            raise OctaError(
                f"{self.folder}: a process that worked on an eye was killed, perhaps for want of memory; run again to "
                "continue with the missing eyes, with fewer at a time by execution.workers"
            ) from error

    def _try(self, eye: str, recipe: Recipe, quarantine: bool, threads: int | None) -> str:
        try:
            with threadpool_limits(threads):
                self.put(recipe)
        except (OctaError, OSError, MemoryError) as error:
            fault = machine_fault(error)
            if fault is None and not isinstance(error, OctaError):
                raise
            reason = f"subject {eye}: {error if fault is None or isinstance(error, OctaError) else fault.words}"
            if fault is not None and fault.everywhere:
                raise OctaError(f"{reason}; then run again: finished eyes stay") from error
            if not quarantine:
                kind = type(error) if isinstance(error, OctaError) else OctaError
                raise kind(f"{reason} (execution.on_error: quarantine goes on without it)") from error
            for part in recipe.ingredients:
                write_note(self._path(recipe, part, FAILED), {"failed": reason, PASSES: fault is not None})
        return eye

    def _forget_passing(self, job: Job) -> None:
        """What failed for want of permission, space or memory is tried again: that says nothing about the eye."""
        for _, recipe, part in job.wanted():
            path = self._path(recipe, part, FAILED)
            if (note := recall_note(path)) is not None and note.get(PASSES):
                path.unlink()

    def put(self, recipe: Recipe) -> None:
        """Make and write the parts of an eye that are not there yet."""
        missing = [part for part in recipe.ingredients if self._card(recipe, part) is None]
        made = recipe.make(missing) if missing else {}
        for part in missing:
            card = ABSENT
            if part in made:
                path = self._path(recipe, part, self.suffix)
                card = write_result(path, made[part]) | {LIBRARIES: dict(recipe.code.libraries)}
            write_note(self._path(recipe, part, ".json"), card)

    def _made(self, recipe: Recipe, part: str, job: Job) -> Entry:
        entry = self._entry(recipe, part, job)
        assert entry is not None
        return entry

    def _entry(self, recipe: Recipe, part: str, job: Job) -> Entry | None:
        """What the manifest says of a result that is there, or of one that is known to fail; None if it is missing."""
        if (card := self._card(recipe, part)) is not None:
            meta = {"meta": card["meta"] | dict(recipe.facts)} if "meta" in card else {}
            return {name: value for name, value in card.items() if name != LIBRARIES} | meta
        note = recall_note(self._path(recipe, part, FAILED)) if job.execution.on_error == "quarantine" else None
        return None if note is None else {"failed": note["failed"]}

    def _card(self, recipe: Recipe, part: str) -> Entry | None:
        """The card of a result that is whole."""
        card = recall_note(self._path(recipe, part, ".json"))
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

"""Per-eye results in content-addressed folders, and the manifests that name a version of them.

A result's file is named by a hash of everything it is made from (source bytes, parameters, code), so the same
result is never computed or stored twice, an interrupted run continues, and a manifest written once always
leads to the same bytes.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from joblib import Parallel, cpu_count, delayed
from threadpoolctl import threadpool_limits

from octa_kedro.errors import DataError, OctaError
from octa_kedro.io.files import write_text
from octa_kedro.io.hashing import sha256_of
from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.progress import progress
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.stored import Stored, StoredSet

Item = Volume | PlaneStack
ABSENT = {"absent": True}


@dataclass(frozen=True)
class Result:
    """One of the results that are made together; `unit` values in [0, 1] are stored as 16-bit integers; `facts`,
    what was measured while it was made, go into the manifest with it."""

    item: Item
    unit: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """One result that is made when it is saved, unless a file under its `key` is there already.

    `make` gives the result. With a `family` (part -> key, this recipe's `part` among them) it takes the parts that are
    missing and gives their results by part: whichever of them is saved first stores them all, and only what depends
    on a changed ingredient is made again. `facts` go into the manifest: what a later step has to know of how it was
    made.
    """

    key: str
    make: Callable[..., Item | Mapping[str, Result]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""
    family: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the result's files, without a suffix."""
        return f"{self.key}-{self.part}" if self.part else self.key

    def members(self) -> list["Recipe"]:
        """The recipes of the whole family, or this one alone."""
        return [replace(self, key=key, part=part) for part, key in self.family.items()] or [self]


@dataclass(frozen=True)
class Batch:
    """Recipes by subject, and how they are to be worked off.

    `threads` each of the processes may use; with one, results do not depend on the number of cores, since the rounding
    of a sum depends on how many threads share it. None leaves it to the libraries.
    """

    recipes: Mapping[str, Recipe]
    execution: ExecutionConfig
    threads: int | None = 1


class Store:
    """A folder of NIfTI files named by recipe keys, each with a JSON beside it that is written last."""

    def __init__(self, folder: Path, *, unit: bool, compress: bool) -> None:
        self.folder, self.unit = folder, unit
        self.suffix = ".nii.gz" if compress else ".nii"

    def put(self, recipe: Recipe) -> dict[str, Any]:
        """Make and write the result of `recipe` if it is not there yet; the entry for the manifest.

        A part that the family turns out not to have (an eye without a lesion mask) has the entry ``{"absent": true}``.
        """
        if (entry := self._present(recipe)) is not None:
            return entry
        missing = [member for member in recipe.members() if self._present(member) is None]
        made = recipe.make([member.part for member in missing]) if recipe.family else recipe.make()
        results = made if isinstance(made, Mapping) else {recipe.part: Result(made, self.unit)}
        for member in missing:
            if member.part in results:
                self._write(member, results[member.part])
            else:
                write_text(self._card(member), json.dumps(ABSENT))
        entry = self._present(recipe)
        assert entry is not None
        return entry

    def put_all(self, batch: Batch, what: str) -> dict[str, Any]:
        """`put` for every subject, in their order, with a progress bar over those that are missing.

        With ``on_error: quarantine`` an eye that raises an OctaError has the entry ``{"failed": reason}``, which is
        remembered, so that neither its other results nor a repeated run try again. Any other error, and the
        first OctaError with ``on_error: stop``, ends the run; what is finished stays.
        """
        quarantine = batch.execution.on_error == "quarantine"
        entries = {subject: self._known(recipe, quarantine) for subject, recipe in batch.recipes.items()}
        missing = {subject: batch.recipes[subject] for subject, entry in entries.items() if entry is None}
        with progress(total=len(missing), desc=what, unit="eye", disable=len(missing) < 2) as bar:
            for subject, entry in self._work(missing, batch):
                entries[subject] = entry
                bar.update()
        return entries

    def _work(self, missing: Mapping[str, Recipe], batch: Batch) -> Iterator[tuple[str, dict[str, Any]]]:
        """Subjects and entries, as they are finished."""
        workers = min(batch.execution.workers or cpu_count(), len(missing))
        if workers <= 1:
            yield from (self._try(subject, recipe, batch) for subject, recipe in missing.items())
            return
        settled = Batch({}, batch.execution, batch.threads)  # what a worker has to know, without everybody's recipe
        # loky starts fresh processes: a forked copy of one that has used torch or OpenMP can hang
        pool = Parallel(workers, backend="loky", return_as="generator_unordered", batch_size=1, inner_max_num_threads=1)
        try:
            yield from pool(delayed(self._try)(subject, recipe, settled) for subject, recipe in missing.items())
        except BrokenProcessPool as error:
            raise OctaError(
                f"{self.folder}: a process that worked on an eye was killed, perhaps for want of memory; run again to "
                "continue with the missing eyes, with fewer at a time by execution.workers"
            ) from error

    def _try(self, subject: str, recipe: Recipe, batch: Batch) -> tuple[str, dict[str, Any]]:
        try:
            with threadpool_limits(batch.threads):
                return subject, self.put(recipe)
        except OctaError as error:
            reason = f"subject {subject}: {error}"
            if batch.execution.on_error == "stop":
                raise type(error)(f"{reason} (execution.on_error: quarantine goes on without it)") from error
            entry = {"failed": reason}
            for member in recipe.members():
                write_text(self._failure(member), json.dumps(entry))
            return subject, entry

    def _known(self, recipe: Recipe, quarantine: bool) -> dict[str, Any] | None:
        """The entry of a result that is there, or of one that is known to fail."""
        if (entry := self._present(recipe)) is not None:
            return entry
        failure = self._failure(recipe)
        return json.loads(failure.read_text()) if quarantine and failure.is_file() else None

    def _present(self, recipe: Recipe) -> dict[str, Any] | None:
        if not self._card(recipe).is_file():
            return None
        entry: dict[str, Any] = json.loads(self._card(recipe).read_text())
        if entry == ABSENT:
            return entry
        if not (self.folder / entry["file"]).is_file():
            return None
        return entry | {"meta": entry["meta"] | dict(recipe.facts)}

    def _write(self, recipe: Recipe, result: Result) -> None:
        path = self.folder / f"{recipe.name}{self.suffix}"
        write_nifti(path, result.item.array, result.item.affine, unit=result.unit)
        entry = {"file": path.name, "sha256": sha256_of(path), "meta": _meta(result.item) | dict(result.facts)}
        write_text(self._card(recipe), json.dumps(entry, indent=1))

    def _card(self, recipe: Recipe) -> Path:
        return self.folder / f"{recipe.name}.json"

    def _failure(self, recipe: Recipe) -> Path:
        return self.folder / f"{recipe.name}.failed.json"

    def open_all(self, entries: Mapping[str, Mapping[str, Any]]) -> StoredSet:
        """The results that a manifest's entries name."""
        there = {s: self.open(entry) for s, entry in entries.items() if "file" in entry}
        return StoredSet(there, {s: entry["failed"] for s, entry in entries.items() if "failed" in entry})

    def open(self, entry: Mapping[str, Any]) -> Stored:
        """The result a manifest entry names; DataError if its file is missing."""
        path = self.folder / entry["file"]
        if not path.is_file():
            raise DataError(f"{path}: named by a manifest but gone; run the pipeline that makes it again")
        return Stored(path, entry["sha256"], entry["meta"])


def _meta(item: Item) -> dict[str, Any]:
    meta: dict[str, Any] = {"laterality": item.laterality, "source": item.source}
    if isinstance(item, PlaneStack):
        return meta | {"names": list(item.names), "note": item.note}
    return meta | {"modality": item.modality}

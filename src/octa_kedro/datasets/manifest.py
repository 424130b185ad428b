"""Results of eyes in the catalog, versioned by a manifest over content-addressed files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import Version
from kedro.io.core import VersionNotFoundError

from octa_kedro.datasets.versioned import VersionedFile
from octa_kedro.errors import DataError
from octa_kedro.io.notes import read_note, write_note
from octa_kedro.io.seals import digest, read_seal, require_sealed, write_seal
from octa_kedro.results.named import place_named

if TYPE_CHECKING:
    from octa_kedro.results.recipe import Job
    from octa_kedro.results.store import Store
    from octa_kedro.results.stored import Manifest

ENTRY = {"file", "failed", "absent"}
"""An entry of a manifest has one of these."""


class ManifestDataset(VersionedFile["Job", "Manifest"]):
    """A mapping eye -> stored result, as one small JSON manifest a version.

    Saving does a job: it makes what is not in `store` yet; loading gives lazily read results. `filepath` is the
    manifest; `store`, a folder relative to the manifest's (default: ``files``), is shared by all versions, and by
    results that are made together. `name` is the dataset's in the catalog, where it is not that of its folder. With
    `optional`, loading gives nothing where nothing has been saved yet. With `named`, a word such as ``map``, every
    eye's file stands as ``<eye>_map`` too, in a folder of that version beside the manifest's. The seal of a manifest
    (`io.seals`) is of the bytes of its eyes' files, whatever their names.
    """

    def __init__(
        self,
        *,
        filepath: str,
        store: str = "files",
        name: str | None = None,
        compress: bool = False,
        optional: bool = False,
        named: str | None = None,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, version=version, metadata=metadata)
        self._folder = Path(os.path.normpath(Path(filepath).parent / store))
        self._name, self._compress = name or Path(filepath).parent.name, compress
        self._optional, self._named = optional, named

    def load(self) -> Manifest:
        """Eye -> stored result, in the order of the manifest; DataError if it is not as it was written."""
        try:
            path = Path(self._get_load_path())
        except VersionNotFoundError:
            if self._optional:
                self.made = None
                return self._store().open_all({})
            raise
        made, _ = read_seal(path)
        entries = read_note(path)
        _require_entries(path, entries)
        require_sealed(path, made, _hash_of(entries))
        self.made = made
        return self._store().open_all(entries)

    def save(self, data: Job) -> None:
        """Make what is missing, then write the manifest: a manifest never names a file that is not complete."""
        path = Path(self._get_save_path())
        store = self._store()
        entries = store.put_all(data, self._name, self._newest_version)
        if self._named is not None:
            folder = Path(self._filepath.parent) / (self.resolve_save_version() or "")
            for eye, stored in store.open_all(entries).items():
                place_named(stored.whole(), folder / f"{eye}_{self._named}{store.suffix}")
        write_seal(path, self.made_with(_hash_of(entries)))
        write_note(path, entries)

    def _store(self) -> Store:
        from octa_kedro.results.store import Store

        return Store(self._folder, compress=self._compress)

    def _newest_version(self, files: set[str]) -> str | None:
        """The newest version that names one of some files of the store."""
        manifest = Path(self._filepath)
        for path in sorted(manifest.glob(f"*/{manifest.name}"), reverse=True):
            try:
                entries = read_note(path).values()
            except DataError:  # this one cannot be loaded, whatever it names
                continue
            if any(entry.get("file") in files for entry in entries):
                return path.parent.name
        return None

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "store": str(self._folder), "version": self._version}


def _require_entries(path: Path, entries: Mapping[str, Any]) -> None:
    """DataError unless each entry is a result, why there is none, or that the eye has no such part."""
    for eye, entry in entries.items():
        if not isinstance(entry, dict) or len(ENTRY & entry.keys()) != 1:
            raise DataError(
                f"{path}: damaged (it does not say what became of {eye}); delete {path.parent} and run the pipeline "
                "that makes it again"
            )


def _hash_of(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """Of which eye has which bytes."""
    bytes_of = {eye: entry.get("sha256", [*entry]) for eye, entry in entries.items()}
    return digest(json.dumps(bytes_of, sort_keys=True).encode())

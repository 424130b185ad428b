"""Results of eyes in the catalog, versioned by a manifest over content-addressed files."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractVersionedDataset, Version
from kedro.io.core import VersionNotFoundError

from octa_kedro.errors import DataError
from octa_kedro.io.notes import read_note, write_note
from octa_kedro.results.named import place_named

if TYPE_CHECKING:
    from octa_kedro.results.recipe import Job
    from octa_kedro.results.store import Store
    from octa_kedro.results.stored import Manifest


class ManifestDataset(AbstractVersionedDataset["Job", "Manifest"]):
    """A mapping eye -> stored result, as one small JSON manifest a version.

    Saving does a job: it makes what is not in `store` yet; loading gives lazily read results. `filepath` is the
    manifest; `store`, a folder relative to the manifest's (default: ``files``), is shared by all versions, and by
    results that are made together. `name` is the dataset's in the catalog, where it is not that of its folder. With
    `optional`, loading gives nothing where nothing has been saved yet. With `named`, a word such as ``map``, every
    eye's file stands as ``<eye>_map`` too, in a folder of that version beside the manifest's.
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
        super().__init__(PurePosixPath(filepath), version)
        self._folder = Path(os.path.normpath(Path(filepath).parent / store))
        self._name, self._compress = name or Path(filepath).parent.name, compress
        self._optional, self._named = optional, named
        self.metadata = metadata

    def load(self) -> Manifest:
        """Eye -> stored result, in the order of the manifest."""
        try:
            path = Path(self._get_load_path())
        except VersionNotFoundError:
            if self._optional:
                return self._store().open_all({})
            raise
        return self._store().open_all(read_note(path))

    def save(self, data: Job) -> None:
        """Make what is missing, then write the manifest: a manifest never names a file that is not complete."""
        path = Path(self._get_save_path())
        store = self._store()
        entries = store.put_all(data, self._name, self._newest_version)
        if self._named is not None:
            folder = Path(self._filepath.parent) / (self.resolve_save_version() or "")
            for eye, stored in store.open_all(entries).items():
                place_named(stored.path, folder / f"{eye}_{self._named}{store.suffix}")
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

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "store": str(self._folder), "version": self._version}

"""Per-eye volumes and maps, versioned by a manifest over content-addressed files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractVersionedDataset, Version
from kedro.io.core import VersionNotFoundError

from octa_kedro.errors import DataError
from octa_kedro.io.files import write_text
from octa_kedro.results.config import ExecutionConfig

if TYPE_CHECKING:
    from octa_kedro.results.store import Batch, Recipe, Store
    from octa_kedro.results.stored import StoredSet

HERE = ExecutionConfig(workers=1)


class ManifestDataset(AbstractVersionedDataset["Batch | Mapping[str, Recipe]", "StoredSet"]):
    """A mapping subject -> result, as one small JSON manifest a version.

    Saving takes recipes and makes only those whose result is not in `store` yet, one after the other here or, for
    a `Batch`, in as many processes as it says; loading gives lazily read results. `filepath` is the manifest; `store`,
    a folder relative to the manifest's (default: ``files``), is shared by all versions, and by results that are made
    together.
    With `unit`, values in [0, 1] are stored as scaled 16-bit integers. With `optional`, loading gives nothing where
    nothing has been saved yet.
    """

    def __init__(
        self,
        *,
        filepath: str,
        store: str = "files",
        unit: bool = False,
        compress: bool = False,
        optional: bool = False,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(PurePosixPath(filepath), version)
        self._folder = Path(os.path.normpath(Path(filepath).parent / store))
        self._format = {"unit": unit, "compress": compress}
        self._optional = optional
        self.metadata = metadata

    def load(self) -> StoredSet:
        """Subject -> stored result, in the order of the manifest."""
        from octa_kedro.results.stored import StoredSet

        try:
            path = Path(self._get_load_path())
        except VersionNotFoundError:
            if self._optional:
                return StoredSet({})
            raise
        try:
            entries = json.loads(path.read_text())
        except (OSError, json.JSONDecodeError) as error:
            raise DataError(f"{path}: not a readable manifest ({error})") from error
        return self._store().open_all(entries)

    def save(self, data: Batch | Mapping[str, Recipe]) -> None:
        """Make what is missing, then write the manifest: a manifest never names a file that is not whole."""
        from octa_kedro.results.store import Batch

        path = Path(self._get_save_path())
        batch = data if isinstance(data, Batch) else Batch(data, HERE, threads=None)
        entries = self._store().put_all(batch, what=self._filepath.parent.name)
        write_text(path, json.dumps(entries, indent=1))

    def _store(self) -> Store:
        from octa_kedro.results.store import Store

        return Store(self._folder, **self._format)

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "store": str(self._folder), "version": self._version}

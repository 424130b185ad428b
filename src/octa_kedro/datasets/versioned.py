"""What all versioned datasets of this project have in common: a version that is not complete is never read."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from kedro.io import AbstractVersionedDataset, Version

from octa_kedro.errors import DataError
from octa_kedro.io.seals import Made, read_seal

In = TypeVar("In")
Out = TypeVar("Out")

log = logging.getLogger(__name__)


class VersionedFile(AbstractVersionedDataset[In, Out]):
    """A file, ``<filepath>/<version>/<name>``, written atomically by a subclass.

    One that is `dispensable` is read only if it is there and belongs to what the step reads else; the step gets None
    otherwise (`running.evidence`).

    `made` is what was loaded last, where the dataset tells that; `made_from`, `passes_on` and `known_as`, its name in
    the catalog, set before a save, are what its `Made` will say.
    """

    made: Made | None = None
    made_from: Mapping[str, str] = {}
    passes_on: bool = True
    known_as: str = ""

    def __init__(
        self,
        *,
        filepath: str,
        dispensable: bool = False,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(PurePosixPath(filepath), version)
        self.dispensable = dispensable
        self.metadata = metadata

    def missing(self) -> bool:
        """Whether there is nothing to read, and that is no fault."""
        if not self.dispensable or self.exists():
            return False
        self.made = None
        return True

    def made_with(self, sha256: str) -> Made:
        """What the seal of a content with this hash has to say."""
        return Made(sha256, self.made_from, self.passes_on, self.known_as)

    def version_with(self, sha256: str) -> str:
        """The newest version whose content has that hash; empty where none is known to have it."""
        paths = map(Path, self._get_versions() if self._version else [])
        return next((path.parent.name for path in paths if self._stated_hash(path) == sha256), "")

    def _stated_hash(self, path: Path) -> str:
        """The hash that is noted of the content of `path`, empty where none is: that of its seal."""
        try:
            return read_seal(path)[0].sha256
        except DataError:
            return ""

    def _get_versions(self) -> list[str]:
        """The complete versions, the newest first; a warning names newer ones that were never completed."""
        found = super()._get_versions()
        newest = Path(found[0]).parent.name if found else ""
        folder = Path(self._filepath)
        begun = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        if incomplete := [name for name in begun if name > newest and not (folder / name / folder.name).exists()]:
            log.warning(
                "%s: not complete (a run was killed, is still at work, or a copy was cut short), so that %s is the "
                "newest version", folder / incomplete[-1], newest or "there none; nothing",
            )  # fmt: skip
        return found

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}

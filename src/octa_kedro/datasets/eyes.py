"""Folders named by eye in the catalog."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from octa_kedro.datasets.versioned import VersionedFile
from octa_kedro.io.notes import read_note, write_note

if TYPE_CHECKING:
    from octa_kedro.inference.folders import EyeFolder

log = logging.getLogger(__name__)


class EyeFoldersDataset(VersionedFile["Mapping[str, EyeFolder]", "dict[str, Path]"]):
    """A folder per eye, ``<version>/<subject>/``, in the folder of the list `filepath` (JSON, one a version).

    An eye of which nothing has changed since an earlier version shares its files, so that only new eyes cost time.
    """

    def load(self) -> dict[str, Path]:
        """The folder of every eye of the version."""
        listed = read_note(Path(self._get_load_path()))
        return {subject: Path(self._filepath.parent) / folder for subject, folder in listed.items()}

    def save(self, data: Mapping[str, EyeFolder]) -> None:
        """Fill the folders, then write the list of those that could be filled; a warning names the others."""
        from octa_kedro.inference.folders import write_eye
        from octa_kedro.results.guard import each_eye, tell_left_out

        root, version = Path(self._filepath.parent), self.resolve_save_version() or "latest"

        def write(subject: str) -> bool:
            earlier = sorted(path.parent for path in root.glob(f"*/{escape(subject)}/{escape(subject)}.json"))
            return write_eye(root / version / subject, data[subject], earlier[-1] if earlier else None)

        filled = each_eye(data, write, "quarantine")
        tell_left_out(filled.failed, f"{root / version}")
        write_note(Path(self._get_save_path()), {s: f"{version}/{s}" for s in filled.done})
        made = sum(filled.done.values())
        log.info("%s: %d of %d eyes are new, the others are as they were", root / version, made, len(filled.done))

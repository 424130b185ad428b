"""Where the raw scans come from: an OCTA-500 release, the phantom in its layout, or a folder of NIfTI files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from octa_kedro.errors import ConfigError
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.release import Octa500Release
from octa_kedro.io.release_writer import PhantomCohort, write_release
from octa_kedro.io.source import Source
from octa_kedro.io.vendor import VendorFolder

LAYOUTS: dict[str, Callable[[Path, Path | None], Source]] = {
    "octa500": Octa500Release,
    "nifti_folder": NiftiFolder,
    "vendor": VendorFolder,
}


class SourceDataset(AbstractDataset[PhantomCohort, Source]):
    """Read scans in one of the known layouts; only an entry marked `writable` can be saved to.

    Saving writes a phantom in OCTA-500's layout, and refuses a folder with files of any other origin. The folder
    ``remembered: {path: FOLDER}`` keeps hashes of files, so that a run need not read an unchanged release again.
    """

    def __init__(
        self,
        *,
        filepath: str,
        layout: str = "octa500",
        writable: bool = False,
        remembered: Mapping[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        if layout not in LAYOUTS:
            raise ConfigError(f"source layout {layout!r} is unknown; choose {' or '.join(LAYOUTS)}")
        self._root, self._layout, self._writable = Path(filepath), layout, writable
        # Kedro makes a nested `path` relative to the project, and no other key
        self._remembered = Path(remembered["path"]) if remembered else None
        self.metadata = metadata

    def load(self) -> Source:
        """The reader; DataError if the folder is not there."""
        return LAYOUTS[self._layout](self._root, self._remembered)

    def save(self, data: PhantomCohort) -> None:
        """Write a phantom cohort."""
        if not self._writable:
            raise ConfigError(f"{self._root}: this source is read-only; the phantom is not written over a release")
        write_release(self._root, data.table, data.recipes, workers=data.workers)

    def _exists(self) -> bool:
        return self._root.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._root), "layout": self._layout}

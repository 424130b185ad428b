"""The page with maps in 3D in the catalog."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractVersionedDataset, Version

if TYPE_CHECKING:
    from octa_kedro.viewer.cohort import ViewerPage


class ViewerDataset(AbstractVersionedDataset["ViewerPage", "Path"]):
    """A folder with ``index.html``, which any browser opens from the disk; keep its files together."""

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    def load(self) -> Path:
        """The path of the page."""
        return Path(self._get_load_path()) / "index.html"

    def save(self, data: ViewerPage) -> None:
        """Write the page, one eye after the other; what is half written is never in place."""
        data.write(Path(self._get_save_path()))

    def _exists(self) -> bool:
        return (Path(self._get_load_path()) / "index.html").is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}

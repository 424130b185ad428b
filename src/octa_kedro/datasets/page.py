"""Pages of results in the catalog."""

from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from kedro.io import AbstractVersionedDataset, Version


class Page(Protocol):
    """What can be written to a path: atomically, so that nothing half written is ever in place."""

    def write(self, path: Path) -> Path: ...


class PageDataset(AbstractVersionedDataset[Page, Path]):
    """An HTML file that is complete in itself, with relative links to what other entries of the catalog have saved."""

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    def load(self) -> Path:
        """The path of the page."""
        return Path(self._get_load_path())

    def save(self, data: Page) -> None:
        """Write the page atomically."""
        data.write(Path(self._get_save_path()))

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}

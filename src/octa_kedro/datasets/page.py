"""Pages of results in the catalog."""

from pathlib import Path
from typing import Protocol

from octa_kedro.datasets.versioned import VersionedFile


class Page(Protocol):
    """What can be written to a path: atomically, so that nothing half written is ever in place."""

    def write(self, path: Path) -> Path: ...


class PageDataset(VersionedFile[Page, Path]):
    """An HTML file that is complete in itself, with relative links to what other entries of the catalog have saved."""

    def load(self) -> Path:
        """The path of the page."""
        return Path(self._get_load_path())

    def save(self, data: Page) -> None:
        """Write the page atomically."""
        data.write(Path(self._get_save_path()))

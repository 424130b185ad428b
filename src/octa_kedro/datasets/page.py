"""Pages of results in the catalog."""

from pathlib import Path
from typing import Protocol

from octa_kedro.datasets.versioned import VersionedFile
from octa_kedro.io.seals import digest_at, read_seal, write_seal


class Page(Protocol):
    """What can be written to a path: atomically, so that nothing half written is ever in place."""

    def write(self, path: Path) -> Path: ...


class PageDataset(VersionedFile[Page, Path | None]):
    """An HTML file that is complete in itself, with relative links to what other entries of the catalog have saved."""

    def load(self) -> Path | None:
        """The path of the page; None if it is `missing`."""
        if self.missing():
            return None
        path = Path(self._get_load_path())
        self.made, _ = read_seal(path)
        return path

    def save(self, data: Page) -> None:
        """Write the page atomically, and then what it was made from: a page without that is not read by a step."""
        path = Path(self._get_save_path())
        data.write(path)
        write_seal(path, self.made_with(digest_at(path)))

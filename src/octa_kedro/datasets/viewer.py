"""The page with maps in 3D in the catalog."""

from pathlib import Path

from octa_kedro.datasets.page import PageDataset


class ViewerDataset(PageDataset):
    """A folder with ``index.html``, which any browser opens from the disk; keep its files together."""

    def load(self) -> Path:
        """The path of the page."""
        folder = super().load()
        assert folder is not None  # only what is dispensable may be missing
        return folder / "index.html"

    def _exists(self) -> bool:
        return self.load().is_file()

"""Figures in the catalog."""

import base64
import gc
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NewType, Protocol

from octa_kedro.datasets.versioned import VersionedFile
from octa_kedro.io.files import replacing, replacing_folder
from octa_kedro.io.seals import digest_at, read_seal, require_sealed, write_seal

ImagePreview = NewType("ImagePreview", str)
"""What kedro-viz knows a picture by: the name of this type."""


COLLECT_EVERY = 10
"""Figures. Those of matplotlib are cycles of objects: Python would keep hundreds before it looks for them."""


class Drawn(Protocol):
    """A matplotlib figure, of which no more is needed."""

    def savefig(self, fname: Any, **options: Any) -> None: ...


class FigureDataset(VersionedFile[Drawn | Mapping[str, Drawn], Path]):
    """A figure as a PNG file, or several by file name in a folder; its seal says what it was drawn from.

    kedro-datasets has such a class, but it imports matplotlib to describe the catalog.
    """

    def load(self) -> Path:
        """Where the file or the folder lies: a picture is for people, a page can link to it. DataError names one that
        has no seal, or is not as it was written."""
        path = Path(self._get_load_path())
        self.made, _ = read_seal(path)
        require_sealed(path, self.made, digest_at(path))
        return path

    def save(self, data: Drawn | Mapping[str, Drawn]) -> None:
        """Write the file, or the folder with all files, atomically."""
        path = Path(self._get_save_path())
        if not isinstance(data, Mapping):
            with replacing(path) as partial:
                data.savefig(partial, format="png")
                return write_seal(path, self.made_with(digest_at(partial)))
        with replacing_folder(path) as folder:  # also where there is nothing to draw
            for number, (name, figure) in enumerate(data.items(), 1):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                figure.savefig(folder / name, format="png")
                if number % COLLECT_EVERY == 0:
                    gc.collect()
            write_seal(path, self.made_with(digest_at(folder)))
        return None

    def preview(self) -> ImagePreview:
        """The picture (of several the first) for kedro-viz."""
        path = Path(self._get_load_path())
        file = min(path.glob("*.png")) if path.is_dir() else path
        return ImagePreview(base64.b64encode(file.read_bytes()).decode("ascii"))

    def _exists(self) -> bool:
        return Path(self._get_load_path()).exists()

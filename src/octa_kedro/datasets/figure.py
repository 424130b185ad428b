"""Figures in the catalog."""

import base64
import gc
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NewType, Protocol

from kedro.io import Version

from octa_kedro.datasets.versioned import VersionedFile
from octa_kedro.errors import DataError
from octa_kedro.io.files import replacing, replacing_folder
from octa_kedro.io.hashing import sha256_of
from octa_kedro.io.seals import digest_at, read_seal, require_sealed, write_seal

ImagePreview = NewType("ImagePreview", str)
"""What kedro-viz knows a picture by: the name of this type."""


COLLECT_EVERY = 10
"""Figures. Those of matplotlib are cycles of objects: Python would keep hundreds before it looks for them."""
SVG = {"format": "svg", "metadata": {"Date": None}}
"""Without the time, so that the same figure gives the same bytes."""


class Drawn(Protocol):
    """A matplotlib figure, of which no more is needed."""

    def savefig(self, fname: Any, **options: Any) -> None: ...


class FigureDataset(VersionedFile[Drawn | Mapping[str, Drawn], Path]):
    """A figure as a PNG file, or several by file name in a folder; its seal says what it was drawn from.

    With `vector` an SVG file of the same figure lies beside the PNG; one seal holds for both. kedro-datasets has such a
    class, but it imports matplotlib to describe the catalog, and writes one format.
    """

    def __init__(
        self,
        *,
        filepath: str,
        vector: bool = False,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, version=version, metadata=metadata)
        self._vector = vector

    def load(self) -> Path:
        """Where the PNG file or the folder lies: a picture is for people, a page can link to it. DataError names one
        that has no seal, or is not as it was written; so it does for the SVG file, if the seal tells of one."""
        path = Path(self._get_load_path())
        self.made, facts = read_seal(path)
        files = [path, vector_of(path)] if facts.get("vector") else [path]
        if missing := [file for file in files if not file.exists()]:
            raise DataError(f"{missing[0]}: gone; restore it, or delete {path.parent} and run the pipeline again")
        require_sealed(path, self.made, _digest(files))
        return path

    def save(self, data: Drawn | Mapping[str, Drawn]) -> None:
        """Write the files, or the folder with all files, atomically: the PNG file, by which the version is known to be
        complete, takes its place last."""
        path = Path(self._get_save_path())
        if not isinstance(data, Mapping):
            return self._save_one(path, data)
        with replacing_folder(path) as folder:  # also where there is nothing to draw
            for number, (name, figure) in enumerate(data.items(), 1):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                figure.savefig(folder / name, format="png")
                if number % COLLECT_EVERY == 0:
                    gc.collect()
            write_seal(path, self.made_with(digest_at(folder)))
        return None

    def _save_one(self, path: Path, figure: Drawn) -> None:
        with ExitStack() as files:
            partials = [files.enter_context(replacing(path))]  # left last
            figure.savefig(partials[0], format="png")
            if self._vector:
                partials.append(files.enter_context(replacing(vector_of(path))))
                with _same_names():
                    figure.savefig(partials[1], **SVG)
            write_seal(path, self.made_with(_digest(partials)), **({"vector": True} if self._vector else {}))

    def preview(self) -> ImagePreview:
        """The picture (of several the first) for kedro-viz."""
        path = Path(self._get_load_path())
        file = min(path.glob("*.png")) if path.is_dir() else path
        return ImagePreview(base64.b64encode(file.read_bytes()).decode("ascii"))

    def _exists(self) -> bool:
        return Path(self._get_load_path()).exists()

    def _describe(self) -> dict[str, Any]:
        return super()._describe() | ({"vector": True} if self._vector else {})


def vector_of(path: Path) -> Path:
    """Where the SVG file of a figure lies whose PNG file is `path`."""
    return path.with_suffix(".svg")


def _digest(files: list[Path]) -> str:
    """One hash of a file or folder, or of a PNG file and its SVG file."""
    if len(files) == 1:
        return digest_at(files[0])
    return hashlib.sha256("\0".join(sha256_of(file) for file in files).encode()).hexdigest()


@contextmanager
def _same_names() -> Iterator[None]:
    """Names of shapes in an SVG file that are not drawn at random."""
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "octa_kedro"}):
        yield

"""Small results in the catalog: written atomically, with a seal that is checked whenever they are read."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from octa_kedro.datasets.versioned import In, Out, VersionedFile
from octa_kedro.io.boundary import reading
from octa_kedro.io.files import replacing
from octa_kedro.io.seals import digest, read_seal, require_sealed, write_seal


class SealedDataset(VersionedFile[In, Out]):
    """A file that a subclass turns into bytes and back; its seal (`io.seals`) lies beside it."""

    @abstractmethod
    def _format(self, data: In) -> tuple[bytes, dict[str, Any]]:
        """Data as the bytes of the file, and as facts that reading them needs."""

    def _require_faithful(self, data: In, read: Out) -> None:
        """TypeError, a mistake of the program, if `read`, which the file gives back, is not the `data`."""
        if data != read:
            raise TypeError(f"{self._filepath}: this file cannot hold what it is given: {str(data)[:80]} would change")

    @abstractmethod
    def _parse(self, content: bytes, facts: dict[str, Any]) -> Out:
        """The data that `_format` was given."""

    def load(self) -> Out:
        """What was saved; DataError names a file that has no seal, or is not as it was written. None if it is
        `missing`."""
        if self.missing():
            return None  # type: ignore[return-value]
        path = Path(self._get_load_path())
        made, facts = read_seal(path)
        content = path.read_bytes()
        require_sealed(path, made, digest(content))
        self.made = made
        with reading(path, "delete it and run the pipeline that makes it again"):
            return self._parse(content, facts)

    def save(self, data: In) -> None:
        """Written atomically, after its seal."""
        content, facts = self._format(data)
        self._require_faithful(data, self._parse(content, facts))
        made = self.made_with(digest(content))
        path = Path(self._get_save_path())
        with replacing(path) as partial:
            partial.write_bytes(content)
            write_seal(path, made, **facts)

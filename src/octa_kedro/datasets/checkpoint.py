"""Checkpoints in the catalog."""

from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractVersionedDataset, Version
from kedro.io.core import VersionNotFoundError

from octa_kedro.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


class CheckpointDataset(AbstractVersionedDataset[Checkpoint, Checkpoint | None]):
    """Weights (safetensors) with their card (JSON beside them).

    With `optional`, loading gives None where nothing has been saved yet: a network that does not start
    from pre-trained weights can then be trained without them.
    """

    def __init__(
        self,
        *,
        filepath: str,
        optional: bool = False,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(PurePosixPath(filepath), version)
        self._optional = optional
        self.metadata = metadata

    def load(self) -> Checkpoint | None:
        """The checkpoint; CheckpointError if it is damaged."""
        try:
            path = Path(self._get_load_path())
        except VersionNotFoundError:
            if self._optional:
                return None
            raise
        return load_checkpoint(path)

    def save(self, data: Checkpoint) -> None:
        """Write weights and card."""
        save_checkpoint(Path(self._get_save_path()), data)

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version, "optional": self._optional}

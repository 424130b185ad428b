"""Checkpoints in the catalog."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractVersionedDataset, Version
from kedro.io.core import VersionNotFoundError

from octa_kedro.errors import CheckpointError

if TYPE_CHECKING:
    from octa_kedro.training.checkpoint import Checkpoint


class CheckpointDataset(AbstractVersionedDataset["Checkpoint", "Checkpoint | None"]):
    """Weights (safetensors) with their card (JSON beside them).

    With `optional`, loading gives None where nothing has been saved yet: a network that does not start
    from pre-trained weights can then be trained without them. Where `filepath` is itself a file, that one is
    loaded, whatever versions there are: so a run parameter can name any checkpoint.
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
        """The checkpoint; CheckpointError if it is damaged or not there."""
        from octa_kedro.training.checkpoint import load_checkpoint

        plain = Path(self._filepath)
        if plain.is_file():
            return load_checkpoint(plain)
        try:
            return load_checkpoint(Path(self._get_load_path()))
        except VersionNotFoundError:
            if self._optional:
                return None
            raise CheckpointError(
                f"{plain}: no checkpoint there; train one first or name a .safetensors file"
            ) from None

    def save(self, data: Checkpoint) -> None:
        """Write weights and card."""
        from octa_kedro.training.checkpoint import save_checkpoint

        save_checkpoint(Path(self._get_save_path()), data)

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version, "optional": self._optional}

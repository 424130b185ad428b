"""Checkpoints in the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from kedro.io import AbstractVersionedDataset, Version
from kedro.io.core import VersionNotFoundError

from octa_kedro.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from octa_kedro.inference.networks import ModelFolder
    from octa_kedro.training.checkpoint import Checkpoint


class ModelFolderDataset(AbstractVersionedDataset["NoReturn", "ModelFolder"]):
    """The folder of an environment's models, from which an inference takes its networks; there is nothing to save.

    `folds` x `repeats` networks belong to a model (``auto``: as many as are there), the newest of each unless a load
    version is asked for. Paths that a run names are relative to the folder `relative_to`. Versions newer than `until`,
    which a run sets to its own, are not taken.
    """

    until: str | None = None

    def __init__(
        self,
        *,
        filepath: str,
        relative_to: Mapping[str, str],
        folds: int | Literal["auto"],
        repeats: int = 1,
        environment: str = "",
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(PurePosixPath(filepath), version)
        # Kedro makes a nested `path` relative to the project, and no other key
        self._base = Path(relative_to["path"])
        self._folds = None if folds == "auto" else folds * repeats
        self._environment = environment
        self.metadata = metadata

    def load(self) -> ModelFolder:
        """The folder, also where nothing has been trained yet."""
        from octa_kedro.inference.networks import ModelFolder

        version = self._version.load if self._version else None
        return ModelFolder(Path(self._filepath), self._base, self._folds, self._environment, version, self.until)

    def save(self, data: NoReturn) -> None:
        """Refused: ConfigError."""
        raise ConfigError(f"{self._filepath}: trainings save their own checkpoints; no node can save this folder")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "folds": self._folds, "version": self._version}


class CheckpointDataset(AbstractVersionedDataset["Checkpoint", "Checkpoint | None"]):
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
        """The checkpoint; CheckpointError if it is damaged or not there."""
        from octa_kedro.training.checkpoint import load_checkpoint

        try:
            return load_checkpoint(Path(self._get_load_path()))
        except VersionNotFoundError:
            if self._optional:
                return None
            raise CheckpointError(f"{self._filepath}: no checkpoint there; train one first (kedro run)") from None

    def save(self, data: Checkpoint) -> None:
        """Write weights and card."""
        from octa_kedro.training.checkpoint import save_checkpoint

        save_checkpoint(Path(self._get_save_path()), data)

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version, "optional": self._optional}

"""The folders from which interrupted trainings resume, in the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kedro.io import AbstractDataset

from octa_kedro.errors import ConfigError

if TYPE_CHECKING:
    from octa_kedro.training.state.run_folders import RunFolders


class RunFoldersDataset(AbstractDataset[NoReturn, "RunFolders"]):
    """The `RunFolders` below `filepath`, which need not exist yet; there is nothing to save."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        super().__init__()
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> RunFolders:
        """The run folders."""
        from octa_kedro.training.state.run_folders import RunFolders

        return RunFolders(self._folder)

    def save(self, data: NoReturn) -> None:
        """ConfigError: trainings write their run folders themselves."""
        raise ConfigError(f"{self._folder}: a training writes its run folder itself; no node can save one")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._folder)}

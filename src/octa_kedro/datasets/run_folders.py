"""The folders from which interrupted trainings resume, in the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kedro.io import AbstractDataset, Version

from octa_kedro.errors import ConfigError

if TYPE_CHECKING:
    from octa_kedro.training.state.run_folders import RunFolders


class RunFoldersDataset(AbstractDataset[NoReturn, "RunFolders"]):
    """The `RunFolders` below `filepath`, which need not exist yet; there is nothing to save.

    `checkpoint` is the dataset to which the weights are saved. With ``versioned: true`` (which does not change the
    folder) Kedro tells the version of the run, so that the log can later name the version of that dataset to load.
    """

    def __init__(
        self,
        *,
        filepath: str,
        checkpoint: str | None = None,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._folder = Path(filepath)
        self._saved_as = f"{checkpoint}:{version.save}" if checkpoint and version and version.save else None
        self.metadata = metadata

    def load(self) -> RunFolders:
        """The run folders."""
        from octa_kedro.training.state.run_folders import RunFolders

        return RunFolders(self._folder, saved_as=self._saved_as)

    def save(self, data: NoReturn) -> None:
        """ConfigError: trainings write their run folders themselves."""
        raise ConfigError(f"{self._folder}: a training writes its run folder itself; no node can save one")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._folder)}

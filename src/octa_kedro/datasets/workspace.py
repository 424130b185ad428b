"""The folder in which a training keeps what it needs to go on, in the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kedro.io import AbstractDataset

from octa_kedro.errors import ConfigError

if TYPE_CHECKING:
    from octa_kedro.training.state.workspace import Workspace


class WorkspaceDataset(AbstractDataset[NoReturn, "Workspace"]):
    """A Workspace below a folder, which need not be there yet; there is nothing to save."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        super().__init__()
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> Workspace:
        """The workspace."""
        from octa_kedro.training.state.workspace import Workspace

        return Workspace(self._folder)

    def save(self, data: NoReturn) -> None:
        """Nothing is saved as a workspace: ConfigError."""
        raise ConfigError(f"{self._folder}: a training fills its workspace itself; no node can save one")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._folder)}

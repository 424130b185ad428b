"""Processing parameters in the catalog, as they were settled by the data."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractVersionedDataset, Version
from pydantic import ValidationError

from octa_kedro.config import first_problem
from octa_kedro.errors import DataError
from octa_kedro.io.files import write_text
from octa_kedro.preprocessing.config import ProcessingConfig


class ProcessingDataset(AbstractVersionedDataset[ProcessingConfig, ProcessingConfig]):
    """A ProcessingConfig as JSON, whose grid is in numbers."""

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    def load(self) -> ProcessingConfig:
        """The configuration, checked again; DataError names a file that holds none."""
        path = Path(self._get_load_path())
        try:
            return ProcessingConfig.model_validate_json(path.read_bytes())
        except ValidationError as error:
            told = first_problem(error, ProcessingConfig)
            raise DataError(f"{path}: damaged ({told}); delete it and run the processing again") from error

    def save(self, data: ProcessingConfig) -> None:
        """Written atomically."""
        write_text(Path(self._get_save_path()), data.model_dump_json(indent=1))

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}

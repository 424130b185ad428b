"""Processing parameters in the catalog, as they were settled by the data."""

from __future__ import annotations

from typing import Any

from octa_kedro.datasets.sealed import SealedDataset
from octa_kedro.preprocessing.config import ProcessingConfig


class ProcessingDataset(SealedDataset[ProcessingConfig, ProcessingConfig]):
    """A ProcessingConfig as JSON, whose grid is in numbers; checked again when it is loaded."""

    def _format(self, data: ProcessingConfig) -> tuple[bytes, dict[str, Any]]:
        return data.model_dump_json(indent=1).encode(), {}

    def _parse(self, content: bytes, facts: dict[str, Any]) -> ProcessingConfig:
        return ProcessingConfig.model_validate_json(content)

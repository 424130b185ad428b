"""Texts and plain data in the catalog."""
# without `from __future__ import annotations`: kedro-viz reads the type that `preview` returns

import json
from typing import Any, NewType

from octa_kedro.datasets.sealed import SealedDataset

JSONPreview = NewType("JSONPreview", str)
"""What kedro-viz knows plain data by: the name of this type."""


class TextDataset(SealedDataset[str, str]):
    """A text, as UTF-8."""

    def _format(self, data: str) -> tuple[bytes, dict[str, Any]]:
        return data.encode(), {}

    def _parse(self, content: bytes, facts: dict[str, Any]) -> str:
        return content.decode()


class JSONDataset(SealedDataset[Any, Any]):
    """What JSON can hold."""

    def _format(self, data: Any) -> tuple[bytes, dict[str, Any]]:
        return json.dumps(data, indent=2).encode(), {}

    def _require_faithful(self, data: Any, read: Any) -> None:
        if not _has_text_names(data):
            raise TypeError(f"{self._filepath}: JSON cannot hold this as it is: names must be texts")

    def _parse(self, content: bytes, facts: dict[str, Any]) -> Any:
        return json.loads(content)

    def preview(self) -> JSONPreview:
        """The data for kedro-viz."""
        return JSONPreview(json.dumps(self.load()))


def _has_text_names(data: Any) -> bool:
    if isinstance(data, dict):
        return all(isinstance(name, str) for name in data) and all(map(_has_text_names, data.values()))
    return all(map(_has_text_names, data)) if isinstance(data, list | tuple) else True

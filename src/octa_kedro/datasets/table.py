"""Tables in the catalog."""
# without `from __future__ import annotations`: kedro-viz reads the type that `preview` returns

from pathlib import Path
from typing import TYPE_CHECKING, Any, NewType

from octa_kedro.datasets.sealed import SealedDataset

if TYPE_CHECKING:
    import pandas as pd

TablePreview = NewType("TablePreview", dict[str, Any])
"""What kedro-viz knows a table by: the name of this type."""


class TableDataset(SealedDataset["pd.DataFrame", "pd.DataFrame"]):
    """A table as CSV (`io.csv_cells`): columns that held words come back as they were, also 007, NA, None and true.

    An empty cell is a missing value.
    What the table was made from (`io.seals.Made`) is its ``attrs["made"]``, and its version ``attrs["version"]``.
    """

    def _format(self, data: "pd.DataFrame") -> tuple[bytes, dict[str, Any]]:
        from octa_kedro.io.csv_cells import text_columns, write_csv

        return write_csv(data), {"text": text_columns(data)}

    def _require_faithful(self, data: "pd.DataFrame", read: "pd.DataFrame") -> None:
        from octa_kedro.io.csv_cells import changed_column

        if (name := changed_column(data, read)) is not None:
            raise TypeError(
                f"{self._filepath}: a table cannot hold column {name!r} as it is; give each column a name of its own, "
                "and texts alone, numbers alone or truth values alone"
            )

    def _parse(self, content: bytes, facts: dict[str, Any]) -> "pd.DataFrame":
        from octa_kedro.io.csv_cells import read_csv

        return read_csv(content, facts["text"])

    def load(self) -> "pd.DataFrame":
        """See `SealedDataset.load`."""
        table = super().load()
        if table is not None:
            table.attrs["made"] = self.made
            table.attrs["version"] = Path(self._get_load_path()).parent.name if self._version else ""
        return table

    def preview(self, nrows: int = 5) -> TablePreview:
        """The first rows for kedro-viz."""
        return TablePreview(self.load().head(nrows).to_dict(orient="split"))

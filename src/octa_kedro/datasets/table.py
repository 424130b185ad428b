"""Tables in the catalog."""
# without `from __future__ import annotations`: kedro-viz reads the type that `preview` returns

from typing import TYPE_CHECKING, Any, NewType

from octa_kedro.datasets.sealed import SealedDataset

if TYPE_CHECKING:
    import pandas as pd

TablePreview = NewType("TablePreview", dict[str, Any])
"""What kedro-viz knows a table by: the name of this type."""


class TableDataset(SealedDataset["pd.DataFrame", "pd.DataFrame"]):
    """A table as CSV (`io.csv_cells`): columns that held words come back as they were, also 007, NA, None and true.

    An empty cell is a missing value. What the table was made from (`io.seals.Made`) is its ``attrs["made"]``.
    """

    def _format(self, data: "pd.DataFrame") -> tuple[bytes, dict[str, Any]]:
        from octa_kedro.io.csv_cells import text_columns, write_csv

        return write_csv(data), {"text": text_columns(data)}

    def _parse(self, content: bytes, facts: dict[str, Any]) -> "pd.DataFrame":
        from octa_kedro.io.csv_cells import read_csv

        table = read_csv(content, facts["text"])
        if self.made is not None:
            table.attrs["made"] = self.made
        return table

    def preview(self, nrows: int = 5) -> TablePreview:
        """The first rows for kedro-viz."""
        return TablePreview(self.load().head(nrows).to_dict(orient="split"))

"""Which files are tables, and their cells, by the ending of the name. No heavy imports."""

from collections.abc import Sequence
from pathlib import Path

from octa_kedro.errors import DataError
from octa_kedro.io.grid import Grid
from octa_kedro.io.text_table import read_text_table
from octa_kedro.io.workbook import read_workbook

TEXT_TABLES, WORKBOOKS, OTHER_WORKBOOKS = (".csv", ".tsv"), (".xlsx", ".xlsm"), (".xls", ".xlsb", ".ods")
LOCKS = ("~$", ".~lock.")
"""How the names of the files begin that Excel and LibreOffice keep beside an open table."""
TABLE_SUFFIXES = (*TEXT_TABLES, *WORKBOOKS, *OTHER_WORKBOOKS)


def read_grid(path: Path, needed: Sequence[str]) -> Grid:
    """The cells of the table at `path`, which has the columns `needed`; see `read_text_table` and `read_workbook`."""
    if path.name.startswith(LOCKS):
        raise DataError(
            f"{path}: is the lock file that a spreadsheet program keeps beside a table that is open in it; name the "
            "table itself"
        )
    if path.suffix.lower() in OTHER_WORKBOOKS:
        raise DataError(f"{path}: cannot be read as a table; save it as .xlsx or .csv")
    return (read_workbook if path.suffix.lower() in WORKBOOKS else read_text_table)(path, needed)

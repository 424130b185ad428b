"""Tables in Excel workbooks: what a cell shows, or why that is not sure."""

import datetime as dt
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from octa_kedro.errors import DataError
from octa_kedro.io.boundary import reading
from octa_kedro.io.grid import Grid, grid_of, names_columns
from octa_kedro.io.workbook_bounds import require_modest_workbook

DIGITS = 1e15  # Excel keeps 15 digits of a number
log = logging.getLogger(__name__)

AS_TEXT = "format the column as Text and type it again"
ADDED = re.compile(r'"[^"]*\w[^"]*"|\\\w')
"""Letters and digits that a number format shows beside the number."""


def read_workbook(path: Path, needed: Sequence[str]) -> Grid:
    """The visible sheet that names the columns `needed`; of one sheet, that one.

    A cell whose content is not sure is in `Grid.wrong`: a date or a truth value (Excel makes them of text), an error,
    a formula without a stored value, a merged cell. DataError if the file is no workbook or two sheets qualify.
    """
    with _opening(path):
        require_modest_workbook(path)
    values, formulas = (_load(path, data_only=only) for only in (True, False))
    sheets = [sheet for sheet in values.worksheets if sheet.sheet_state == "visible"]
    if hidden := [sheet.title for sheet in values.worksheets if sheet.sheet_state != "visible"]:
        log.warning("%s: hidden sheets are not read: %s", path, ", ".join(hidden))
    grids = [_grid(path, sheet, formulas[sheet.title], several=len(sheets) > 1) for sheet in sheets]
    filled = [grid for grid in grids if grid.rows]
    if len(filled) < 2:
        return filled[0] if filled else Grid(str(path), {})
    named = [grid for grid in filled if names_columns(grid.header, needed)]
    if len(named) == 1 or not needed:
        return (named or filled)[0]
    found = f"{len(named)} sheets have" if named else "no sheet has"
    raise DataError(
        f"{path}: {found} the column {', '.join(needed)} ({', '.join(sheet.title for sheet in sheets)}); keep one "
        "sheet with the table of eyes, names of the columns in its first row"
    )


def _load(path: Path, *, data_only: bool) -> Any:
    import openpyxl  # noqa: PLC0415 - slow, and only a workbook needs it

    with _opening(path), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of extensions that have nothing to do with cells
        return openpyxl.load_workbook(path, data_only=data_only)


def _opening(path: Path) -> AbstractContextManager[None]:
    """What is raised at a broken workbook, as a DataError."""
    remedy = "correct its ending if it is text, take off its password if it has one, or save it as CSV"
    return reading(path, remedy, "cannot be read as a table")


def _grid(path: Path, values: Any, formulas: Any, *, several: bool) -> Grid:
    rows, wrong = [], {}
    if hidden := sorted(row for row, how in values.row_dimensions.items() if how.hidden and row <= values.max_row):
        log.warning("%s: row %d is hidden, as by a filter, but read (%d such rows)", path, hidden[0], len(hidden))
    for number, cells in enumerate(values.iter_rows(), start=1):
        texts = []
        for column, cell in enumerate(cells):
            text, why = _shown(cell, formulas.cell(cell.row, cell.column))
            texts.append(text)
            if why:
                wrong[number, column] = why
        rows.append(texts)
    wrong |= dict(_merged(values))
    grid = grid_of(f"{path}: sheet {values.title}" if several else str(path), rows, wrong)
    return grid if several else replace(grid, sheet=values.title)


def _merged(sheet: Any) -> Iterator[tuple[tuple[int, int], str]]:
    """Cells below or beside the one that shows the value of a merged range."""
    for area in sheet.merged_cells.ranges:
        for row, column in area.cells:
            if (row, column) != (area.min_row, area.min_col):
                yield (row, column - 1), f"is merged with others ({area.coord}); unmerge them and fill in each"


def _shown(cell: Any, formula: Any) -> tuple[str, str]:
    """What a cell shows, and why that is not sure (empty if it is)."""
    value = cell.value
    if value is None:
        missing = formula.data_type == "f"
        return "", f"is a formula without a stored value; {_VALUES}" if missing else ""
    if cell.data_type == "e":
        return str(value), f"is the error {value}; correct it"
    if isinstance(value, bool):
        return str(value).upper(), f"is a truth value ({str(value).upper()}), which Excel makes of text; {AS_TEXT}"
    if isinstance(value, dt.date | dt.time | dt.timedelta):
        return str(value), f"is a date or time ({value}), which Excel makes of text; {AS_TEXT}"
    return _number(value, cell.number_format) if isinstance(value, int | float) else (str(value), "")


_VALUES = "open the file in Excel and save it, or paste the values"


def _number(value: float, style: str) -> tuple[str, str]:
    if abs(value) >= DIGITS or "E+" in style.upper():
        return str(value), f"is the number {value:.15g}, of which Excel has lost the spelling; {AS_TEXT}"
    if ADDED.search(style):
        return str(value), f"is the number {value:.15g}, which Excel shows with other characters ({style}); {AS_TEXT}"
    if not float(value).is_integer():
        return repr(value), ""
    zeros = len(style) if re.fullmatch("0+", style) else 0  # 7 is shown as 007
    return str(int(value)).zfill(zeros), ""

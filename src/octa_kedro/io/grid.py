"""The cells of a table as text, from CSV files and workbooks alike, and which row names the columns. No pandas."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from octa_kedro.errors import DataError
from octa_kedro.identifiers import clean_name, name_key

SEARCHED = 30
"""So many rows are searched for the names of the columns, to say that something stands above them."""

MOST_CELLS = 4_000_000
"""Of a table with a row for every eye; more would fill the memory before they are looked at."""
MOST_COLUMNS = 2000

ALMOST = 0.8

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Grid:
    """Rows of text cells by their number in the file (from 1), and what is wrong with some by (row, column from 0).

    `place` is the file, or the sheet of a file; `sheet` that of a workbook whose `place` does not name it.
    """

    place: str
    rows: dict[int, list[str]]
    wrong: dict[tuple[int, int], str] = field(default_factory=dict)
    sheet: str = ""

    def cell(self, row: int, column: str) -> str:
        """Where a cell stands: file, sheet, row and column."""
        return f"{self.place}: {f'sheet {self.sheet}, ' if self.sheet else ''}row {row}, column {column}"

    @property
    def header(self) -> list[str]:
        """The cells of the first row that is not empty."""
        return next(iter(self.rows.values()), [])


def grid_of(place: str, rows: Iterable[Sequence[str]], wrong: dict[tuple[int, int], str] | None = None) -> Grid:
    """A grid without its empty rows; the rows keep their numbers."""
    filled = {number: list(cells) for number, cells in enumerate(rows, start=1)}
    kept = {number: cells for number, cells in filled.items() if any(cell.strip() for cell in cells)}
    return Grid(place, kept, wrong or {})


def names_columns(cells: Iterable[str], needed: Iterable[str]) -> bool:
    """Whether a row has all the columns `needed`."""
    return {name_key(name) for name in needed} <= {name_key(cell) for cell in cells}


def columns_of(grid: Grid, needed: Sequence[str], optional: Sequence[str] = ()) -> list[str]:
    """The names of the columns in the first row, those of `needed` and `optional` as they are spelt there.

    DataError if one of `needed` is missing, there are too many, or any column has the name of another.
    """
    if len(grid.header) > MOST_COLUMNS:
        raise DataError(
            f"{grid.place}: its first row has {len(grid.header)} cells, more than a table of eyes needs (at most "
            f"{MOST_COLUMNS}); keep the columns that are read"
        )
    wanted = {name_key(name): name for name in (*needed, *optional)}
    columns = [wanted.get(name_key(cell), clean_name(cell)) for cell in grid.header]
    if missing := [name for name in needed if name not in columns]:
        _refuse_title_rows(grid, needed)
        _refuse_unsure_names(grid)
        shown = ", ".join(filter(None, columns)) or "none"
        raise DataError(f"{grid.place}: needs the column {', '.join(missing)}; it has {shown}")
    keys = [name_key(column) for column in columns]
    for place, column in enumerate(columns):
        if column and keys.index(keys[place]) < place:
            first = keys.index(keys[place]) + 1
            raise DataError(
                f"{grid.place}: the column {columns[first - 1]} occurs more than once (columns {first} and "
                f"{place + 1}); keep one, or give the other another name"
            )
    _tell_near_misses(grid.place, columns, wanted)
    return columns


def _refuse_title_rows(grid: Grid, needed: Sequence[str]) -> None:
    for number, cells in list(grid.rows.items())[:SEARCHED]:
        if needed and names_columns(cells, needed):
            raise DataError(
                f"{grid.place}: the names of the columns stand in row {number}; remove the rows above it, so that they "
                "are the first"
            )


def _refuse_unsure_names(grid: Grid) -> None:
    """DataError for a cell of the first row whose content is not sure: the name of the missing column may be there."""
    first = next(iter(grid.rows), 1)
    for (row, column), why in grid.wrong.items():
        if row == first:
            raise DataError(f"{grid.cell(row, str(column + 1))}: the cell, which names a column, {why}")


def _tell_near_misses(place: str, columns: Sequence[str], wanted: dict[str, str]) -> None:
    """A column that is misspelt is left unread, which nobody would notice."""
    free = {key: name for key, name in wanted.items() if name not in columns}
    for column in columns:
        if column and name_key(column) not in wanted and (near := get_close_matches(name_key(column), free, 1, ALMOST)):
            log.warning("%s: the column %s is not read; if it is meant, name it %s", place, column, free[near[0]])


def require_whole_rows(grid: Grid) -> None:
    """DataError for a row that has fewer cells than there are columns, one behind the last column that has a name, or
    that names the columns again."""
    width = max(place for place, cell in enumerate(grid.header, start=1) if cell.strip())
    header = [name_key(cell) for cell in grid.header]
    for number, cells in list(grid.rows.items())[1:]:
        if len(cells) < width or any(cell.strip() for cell in cells[width:]):
            n = max([min(len(cells), width), *(place for place, cell in enumerate(cells, start=1) if cell.strip())])
            raise DataError(
                f"{grid.place}: row {number} has {n} cell{'s' * (n > 1)}, but there are {width} columns; put quotes "
                "round a cell that holds the separator (as 3,5 does), and leave no cell out"
            )
        if [name_key(cell) for cell in cells[:width]] == header[:width]:
            raise DataError(f"{grid.place}: row {number} repeats the names of the columns; remove it")

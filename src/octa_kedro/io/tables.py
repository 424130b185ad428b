"""Reads label tables: workbooks (.xlsx) and text (.csv, .tsv), whatever separates their cells; all cells are text."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from octa_kedro.errors import DataError
from octa_kedro.identifiers import ONLY_SO, class_word, clean_name, find_alike
from octa_kedro.io.grid import Grid, columns_of, require_whole_rows
from octa_kedro.io.table_files import read_grid

LATERALITIES = dict.fromkeys(("OD", "R", "RE", "RIGHT", "RIGHT EYE"), "OD")
LATERALITIES |= dict.fromkeys(("OS", "L", "LE", "LEFT", "LEFT EYE"), "OS")
NUMBER_SUFFIX = ".0"  # Excel and pandas add it to whole numbers in a column with empty cells

log = logging.getLogger(__name__)


def read_table(path: Path, needed: Iterable[str], *, optional: Iterable[str] = ()) -> pd.DataFrame:
    """A table as text without surplus spaces, by the number that a row has in the file; empty rows are dropped.

    Capitals do not matter in the column names of `needed` and `optional`. DataError names the file, and the row, if it
    is not a table, is empty, has a column twice or not at all, has a row that is longer or shorter than the first, or
    a cell of a column that is asked for whose content is not sure (see `read_workbook`).
    """
    needed, optional = tuple(needed), tuple(optional)
    grid = read_grid(path, needed)
    columns = columns_of(grid, needed, optional)
    require_whole_rows(grid)
    _require_sure_cells(grid, columns, {*needed, *optional})
    numbers = list(grid.rows)[1:]
    if not numbers:
        raise DataError(f"{grid.place}: the table is empty; it needs a row for every eye")
    named = [place for place, column in enumerate(columns) if column]
    cells = [[_cell(grid.rows[number][place]) for place in named] for number in numbers]
    return pd.DataFrame(cells, index=numbers, columns=[columns[place] for place in named], dtype=object)


def _require_sure_cells(grid: Grid, columns: Sequence[str], asked: set[str]) -> None:
    for (row, place), why in grid.wrong.items():
        if row in grid.rows and place < len(columns) and columns[place] in asked:
            raise DataError(f"{grid.cell(row, columns[place])}: the cell {why}")


def require_unique(path: Path, subjects: "pd.Series[str]") -> None:
    """DataError if an identifier in the table at `path` is empty, occurs more than once, or differs from another only
    so that a person would take them for one; the index is the number of the row."""
    if (subjects == "").any():
        row = subjects.index[subjects == ""][0]
        raise DataError(f"{path}: row {row} has no {subjects.name}; fill it in or remove the row")
    if len(twice := subjects[subjects.duplicated(keep=False)]):
        first = twice.iloc[0]
        rows = " and ".join(str(row) for row in twice.index[twice == first])
        raise DataError(
            f"{path}: {subjects.name} {first} occurs more than once (rows {rows}); keep one row (several scans of an "
            "eye need names of their own and one patient)"
        )
    require_one_spelling(path, subjects)


def require_one_spelling(path: Path, names: "pd.Series[str]") -> None:
    """DataError naming the rows of two names that differ only so that a person would take them for one."""
    alike = find_alike(names.tolist())
    if alike:
        (one, other), (row, later) = names.iloc[list(alike)], names.index[list(alike)]
        raise DataError(
            f"{path}: {names.name} {one!r} (row {row}) and {other!r} (row {later}) differ {ONLY_SO}; spell them "
            "alike if they are one, or else so that they cannot be confused"
        )


def clean_names(column: "pd.Series[str]") -> "pd.Series[str]":
    """Names as they are kept: see `clean_name`."""
    return column.map(clean_name)


def clean_words(column: "pd.Series[str]") -> "pd.Series[str]":
    """Words in upper case with single spaces: see `class_word`."""
    return column.map(class_word)


def clean_laterality(path: Path, table: pd.DataFrame, subject: str) -> "pd.Series[str]":
    """The column ``laterality`` as OD, OS or empty; DataError names the first subject with another word."""
    words = clean_words(table["laterality"])
    unknown = table[~words.isin([*LATERALITIES, ""])]
    if len(unknown):
        row = unknown.iloc[0]
        raise DataError(
            f"{path}: {subject} {row[subject]}: laterality {row['laterality']!r}; write OD or OS, or "
            "nothing if it is not known"
        )
    return words.map(LATERALITIES | {"": ""})


def clean_age(path: Path, table: pd.DataFrame) -> "pd.Series[float]":
    """The column ``age`` as numbers (a decimal comma is one), NaN where it is not given or, with a warning, none."""
    ages = pd.to_numeric(table["age"].str.replace(",", "."), errors="coerce")
    odd = table.loc[ages.isna() & (table["age"] != ""), "age"]
    if len(odd):
        log.warning("%s: %d ages are no numbers and taken as unknown, such as %r", path, len(odd), odd.iloc[0])
    return ages


def _cell(text: str) -> str:
    text = text.strip()
    whole = text.removesuffix(NUMBER_SUFFIX)
    return whole if whole.isascii() and whole.isdecimal() else text

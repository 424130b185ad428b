"""Tables in text files: CSV and TSV, whatever separates their cells. No heavy imports."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from octa_kedro.errors import DataError
from octa_kedro.io.grid import MOST_CELLS, Grid, grid_of, names_columns
from octa_kedro.io.text_files import read_text

SEPARATORS = (",", ";", "\t", "|")
HINT = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
"""The line that tells Excel the separator."""

SPOILT = {
    re.compile("#(N/A|REF!|VALUE!|NAME[?]|DIV/0!|NUM!|NULL!|#+)"): "is the error {}; correct it",
    re.compile("[0-9](.[0-9]+)?E[+](0[5-9]|[1-9][0-9])"): "is {}, as Excel writes a long number; write all its digits",
}
"""What a workbook that is saved as text holds in the place of a content, and what to say of it."""


def read_text_table(path: Path, needed: Sequence[str]) -> Grid:
    """The cells of a text file, in which the separator is the one by which its first row names the columns `needed`.

    Where several do, or none does, it is the one that gives most columns. Line breaks within quotes belong to a cell.
    DataError if the file is empty or its quotes do not match.
    """
    text = read_text(path)
    hint = HINT.match(text)
    above = 1 if hint else 0
    text = text[hint.end() :] if hint else text
    readings = [_read(path, text, separator, above) for separator in ((hint[1],) if hint else SEPARATORS)]
    grid, problem = max(readings, key=lambda reading: _fits(reading[0], needed))
    if problem or not grid.rows:
        raise DataError(f"{path}: cannot be read as a table ({problem or 'it is empty'})")
    return grid


def _fits(grid: Grid, needed: Sequence[str]) -> tuple[bool, bool, int]:
    below = any(names_columns(cells, needed) for cells in grid.rows.values())
    return names_columns(grid.header, needed), below, len(grid.header)


def _read(path: Path, text: str, separator: str, above: int) -> tuple[Grid, str]:
    """The cells as far as they can be read, and what stopped the reading (empty if nothing did)."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    rows: list[list[str]] = [[]] * above
    problem, cells = "", 0
    try:
        for row in lines:
            rows.append(row)
            if (cells := cells + 1 + len(row)) > MOST_CELLS:
                raise DataError(f"{path}: has more than {MOST_CELLS} cells, and so is no table of eyes")
    except csv.Error as error:
        problem = f"line {lines.line_num + above}: {error}; a quote may be missing or too many"
    return grid_of(str(path), rows, dict(_spoilt(rows))), problem


def _spoilt(rows: Sequence[Sequence[str]]) -> Iterator[tuple[tuple[int, int], str]]:
    for number, cells in enumerate(rows, start=1):
        for place, cell in enumerate(cells):
            yield from (((number, place), why.format(cell)) for form, why in SPOILT.items() if form.fullmatch(cell))

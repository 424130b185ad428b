"""What a workbook states about its size, before a library unpacks it: a kilobyte can stand for billions of cells."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from octa_kedro.errors import DataError
from octa_kedro.io.boundary import require_bytes
from octa_kedro.io.grid import MOST_CELLS

MOST_BYTES, MOST_UNPACKED, MOST_PARTS = 64 << 20, 128 << 20, 10_000
AREAS = ("mergeCell", "hyperlink")
"""Elements of a sheet for whose areas openpyxl makes every single cell."""
CELL = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})")


def require_modest_workbook(path: Path) -> None:
    """DataError if a workbook unpacks to more than a table of eyes can need, or reaches to a cell so far out that there
    are more than `MOST_CELLS` before it. BadZipFile or ParseError if it cannot be read."""
    require_bytes(path, MOST_BYTES, "a table of eyes")
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        if len(parts) > MOST_PARTS or (size := sum(part.file_size for part in parts)) > MOST_UNPACKED:
            what = f"{len(parts)} parts" if len(parts) > MOST_PARTS else f"{size / 1e6:.0f} MB"
            raise DataError(f"{path}: unpacks to {what}, more than a table of eyes needs; save it as CSV")
        for part in parts:
            if part.filename.lower().startswith("xl/") and part.filename.lower().endswith(".xml"):
                with archive.open(part) as file:
                    _require_few_cells(path, part.filename, file)


def _require_few_cells(path: Path, name: str, file: IO[bytes]) -> None:
    row = column = 0
    for kind, area in _areas(file):
        ends = [(_column(letters), int(number)) for letters, number in CELL.findall(area)]
        row = max([row, *(number for _, number in ends)]) if kind == "c" else row
        column = max([column, *(place for place, _ in ends)]) if kind == "c" else column
        covered = (ends[-1][0] - ends[0][0] + 1) * (ends[-1][1] - ends[0][1] + 1) if ends else 0
        if max(covered, row * column) > MOST_CELLS:
            raise DataError(
                f"{path}: {Path(name).stem} reaches to {area}, {max(covered, row * column):.2g} cells; delete the "
                "empty rows and columns behind the table, or save it as CSV"
            )


def _areas(file: IO[bytes]) -> Iterator[tuple[str, str]]:
    """Each cell, and each area whose cells are made one by one: the kind of element, and where it lies."""
    root: ElementTree.Element | None = None
    for event, element in ElementTree.iterparse(file, ("start", "end")):
        kind = element.tag.rpartition("}")[2]
        if event == "start":
            root = element if root is None else root
            if kind == "c" or kind in AREAS:
                yield kind, element.get("r" if kind == "c" else "ref") or ""
        elif kind == "row" and root is not None:
            root.clear()


def _column(letters: str) -> int:
    """The number of a column, from 1."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number

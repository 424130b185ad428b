"""Reads label tables: Excel or CSV, with commas or semicolons; surplus spaces are removed."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from octa_kedro.errors import DataError
from octa_kedro.io.eye_files import separator_of

LATERALITIES = {"OD": "OD", "R": "OD", "RIGHT": "OD", "OS": "OS", "L": "OS", "LEFT": "OS"}
NUMBER_SUFFIX = ".0"  # Excel adds it to whole numbers in a column with empty cells


def read_table(path: Path, needed: Iterable[str], *, optional: Iterable[str] = ()) -> pd.DataFrame:
    """The first sheet of an Excel file, or a CSV, as text without surplus spaces; empty rows are dropped.

    The columns of a CSV are separated by semicolons if its first line has more semicolons than commas. Capitals do not
    matter in the column names of `needed` and `optional`. DataError names the file if it is not a table, is empty, has
    a column twice, or does not have one of `needed`.
    """
    table, needed = _read(path), tuple(needed)
    wanted = {name.lower(): name for name in (*needed, *optional)}
    columns = [str(column).strip().lstrip("\ufeff") for column in table.columns]
    columns = [wanted.get(column.lower(), column) for column in columns]
    if missing := [name for name in needed if name not in columns]:
        raise DataError(f"{path}: needs the column {', '.join(missing)}; it has {', '.join(columns) or 'none'}")
    if twice := [column for column in wanted.values() if columns.count(column) > 1]:
        raise DataError(f"{path}: the column {twice[0]} occurs more than once; keep one")
    table = table.set_axis(columns, axis=1).map(_cell)
    table = table[(table != "").any(axis=1)].reset_index(drop=True)
    if table.empty:
        raise DataError(f"{path}: the table is empty; it needs a row for every eye")
    return table


def require_unique(path: Path, subjects: "pd.Series[str]") -> None:
    """DataError if an identifier in the table at `path` is empty or occurs more than once."""
    if (subjects == "").any():
        row = int((subjects == "").to_numpy().argmax()) + 2  # the header is row 1
        raise DataError(f"{path}: row {row} has no {subjects.name}; fill it in or remove the row")
    if len(twice := subjects[subjects.duplicated()]):
        shown = ", ".join(twice.unique()[:5])
        raise DataError(f"{path}: {subjects.name} {shown} occurs more than once; keep one row")


def clean_words(column: "pd.Series[str]") -> "pd.Series[str]":
    """Words in upper case with single spaces."""
    return column.str.upper().str.split().str.join(" ")


def clean_laterality(path: Path, table: pd.DataFrame, subject: str) -> "pd.Series[str]":
    """The column ``laterality`` as OD, OS or empty; DataError names the first subject with another word."""
    words = clean_words(table["laterality"])
    unknown = table[~words.isin([*LATERALITIES, ""])]
    if len(unknown):
        row = unknown.iloc[0]
        raise DataError(f"{path}: {subject} {row[subject]}: laterality {row['laterality']!r}; write OD or OS")
    return words.map(LATERALITIES | {"": ""})


def _cell(value: object) -> str:
    text = str(value).strip()
    whole = text.removesuffix(NUMBER_SUFFIX)
    return whole if whole.isdigit() else text


def _read(path: Path) -> pd.DataFrame:
    try:
        if path.suffix.lower() in {".xlsx", ".xls"}:
            return pd.read_excel(path, dtype=str, keep_default_na=False)
        with path.open(encoding="utf-8-sig") as file:
            first = file.readline()
        separator = separator_of(first)
        return pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, skipinitialspace=True, encoding="utf-8-sig"
        )
    except (ValueError, OSError, KeyError, ImportError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from error

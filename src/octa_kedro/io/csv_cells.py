"""Tables as CSV: every text comes back as it was written, and none is run by a spreadsheet."""

import csv
import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full width
"""Beginnings of a text that a spreadsheet takes for a formula (OWASP, CSV Injection)."""
MARK = "'"
"""Put before such a text, as OWASP advises, and before one that begins with the mark itself, so that it can be taken
off again."""


def escape(text: str) -> str:
    """The text as it stands in a cell."""
    return MARK + text if text.startswith((*RUN_BY_SPREADSHEETS, MARK)) else text


def unescape(text: str) -> str:
    """The text that `escape` was given."""
    return text.removeprefix(MARK)


def text_columns(table: pd.DataFrame) -> list[str]:
    """The columns of words: they hold a text, or nothing at all and no numbers by their type."""
    return [str(name) for name, column in table.items() if _is_text(column)]


def write_csv(table: pd.DataFrame) -> bytes:
    """The table as UTF-8 without its index; a missing value, and a text without a letter, is an empty cell."""
    columns = [column.map(_escaped) if _is_text(column) else column for _, column in table.items()]
    out = pd.DataFrame(dict(enumerate(columns)), index=table.index)
    out.columns = pd.Index([escape(str(name)) for name in table.columns], dtype=object)
    text = out.to_csv(index=False)
    if "\r" in text:  # pandas does not quote it, and every reader takes it for the end of a line
        text = out.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)
    return text.encode()


def read_csv(content: bytes, text: Iterable[str]) -> pd.DataFrame:
    """The table that `write_csv` wrote, whose columns of words are `text`; an empty cell is a missing value.

    Numbers come back to their last digit.
    """
    words = {escape(name): str for name in text}
    if not content.strip():
        return pd.DataFrame()
    table = pd.read_csv(
        io.BytesIO(content),
        keep_default_na=False,
        na_values=[""],
        dtype=words,
        skip_blank_lines=False,
    )
    for name in words.keys() & set(table.columns):
        table[name] = table[name].str.removeprefix(MARK)
    return table.rename(columns=unescape)


def _escaped(value: Any) -> Any:
    return escape(value) if isinstance(value, str) else value


def _is_text(column: "pd.Series[Any]") -> bool:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _is_text(column.astype(column.cat.categories.dtype))
    if isinstance(column.dtype, pd.StringDtype):
        return True
    if column.dtype != object:
        return False
    there = column.dropna()
    return there.empty or any(isinstance(value, str) for value in there)


def changed_column(table: pd.DataFrame, read: pd.DataFrame) -> str | None:
    """The first column of a table that is not as it was in what was `read` of its file, None if all are.

    A missing value and a text without a letter are the same, a number is one whatever its type, and a text that stands
    for a text alone has to be one.
    """
    names = [str(name) for name in table.columns]
    if names != [*read.columns] or len(set(names)) < len(names) or len(table) != len(read):
        return next((a for a, b in zip(names, [*read.columns, ""], strict=False) if a != b), ", ".join(names))
    for place, name in enumerate(names):
        column, found = table.iloc[:, place], read.iloc[:, place]
        if column.dtype in (np.float16, np.float32):  # written to their own last digit, not to that of a double
            found = found.astype(column.dtype)
        if not all(map(_same, column, found)):
            return name
    return None


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list | tuple | dict):
        return False
    if pd.isna(one) or one == "":
        return bool(pd.isna(other))
    return isinstance(one, str) == isinstance(other, str) and bool(one == other)

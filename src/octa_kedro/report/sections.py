"""What a page of results is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Link:
    """Words that lead to a file, and to a place in it (`fragment`). Without the file there is no link."""

    words: str
    target: Path
    fragment: str = ""


Cell = str | Sequence[Link]


@dataclass(frozen=True)
class Table:
    """A table of texts and links. The first `names` columns are words, the others numbers; `strong` are the numbers of
    rows that stand out. One that is `folded` is shown at a click."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""
    names: int = 1
    strong: frozenset[int] = frozenset()
    folded: bool = False


@dataclass(frozen=True)
class Picture:
    """A PNG file of which a small copy stands on the page; left out where there is no such file."""

    file: Path
    caption: str
    links: Sequence[Link] = ()


@dataclass(frozen=True)
class Section:
    """A part of a page: paragraphs, drawings (SVG by `charts`), pictures, tables, and terms with their meanings."""

    title: str
    text: Sequence[str] = ()
    drawings: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    terms: Sequence[tuple[str, str]] = ()


def table_section(name: str, table: pd.DataFrame, *, text: Sequence[str] = ()) -> Section:
    """A table of results as a section with a readable title; columns keep their order."""
    words = [str(column).replace("_", " ") for column in table.columns]
    rows = [[readable(value) for value in row] for row in table.itertuples(index=False)]
    numbers = [place for place, column in enumerate(table.columns) if pd.api.types.is_numeric_dtype(table[column])]
    names = min(numbers, default=len(words))
    return Section(name.replace("_", " ").capitalize(), text=text, tables=[Table(words, rows, names=names)])


def readable(value: Any) -> str:
    """A value of a table as text: numbers with three digits, a dash for what is missing."""
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or plain is pd.NA or plain != plain:  # noqa: PLR0124 - only NaN differs from itself
        return "\N{EN DASH}"
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    return f"{plain:.3g}" if isinstance(plain, float) else str(plain)

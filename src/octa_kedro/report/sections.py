"""What a page of results is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path


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
    rows that stand out. One that is `folded` is shown at a click; cells of one of `prose` are whole sentences."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""
    names: int = 1
    strong: frozenset[int] = frozenset()
    folded: bool = False
    prose: bool = False


@dataclass(frozen=True)
class Picture:
    """A PNG file of which a small copy stands on the page; left out where there is no such file.

    A `diagram` has few colours and thin lines, and is copied without loss; it is shown as wide as the page.
    """

    file: Path
    caption: str
    links: Sequence[Link] = ()
    diagram: bool = False


@dataclass(frozen=True)
class Conclusions:
    """Sentences that a page begins with, and what they are about where there are several such groups."""

    sentences: Sequence[str]
    about: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a page: paragraphs, drawings (SVG by `charts`), pictures, tables, and terms with their meanings."""

    title: str
    text: Sequence[str] = ()
    drawings: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    terms: Sequence[tuple[str, str]] = ()


def eyes_once(table: Table) -> Table:
    """The table with the eyes in its title, and no column of them, where they are the same in all rows."""
    at = [*table.columns].index("eyes")
    said = {str(row[at]) for row in table.rows}
    if len(said) != 1:
        return table
    columns, *rows = ([*row[:at], *row[at + 1 :]] for row in (table.columns, *table.rows))
    title = ", ".join(filter(None, (table.title, *said)))
    return replace(table, columns=[str(name) for name in columns], rows=rows, title=title, names=table.names - 1)

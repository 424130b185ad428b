"""A page of results as Markdown: the same words and tables, with pictures as links."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from octa_kedro.evaluation.tables import as_text, markdown_table
from octa_kedro.report.page import ReportPage
from octa_kedro.report.sections import Cell, Link, Picture, Section, Table


def page_as_markdown(page: ReportPage, folder: Path) -> str:
    """The page as Markdown whose links lead to files from `folder`, in which it will lie. Drawings are left out, since
    their numbers stand in the tables; names that hold markup are escaped."""
    lines = [f"# {as_text(page.title)}", ""]
    if not page.headings[1]:
        lines += _terms(page.facts)
    if page.caution:
        lines += [f"> {as_text(page.caution)}", ""]
    lines += [f"## {as_text(page.headings[0])}", ""]
    for group in page.conclusions:
        lines += [f"### {as_text(group.about)}", ""] if group.about else []
        lines += [*(f"- {as_text(words)}" for words in group.sentences), ""]
    if page.facts and page.headings[1]:
        lines += [f"## {as_text(page.headings[1])}", "", *_terms(page.facts)]
    for section in page.sections:
        lines += _section(section, folder)
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(section: Section, folder: Path) -> list[str]:
    lines = [f"## {as_text(section.title)}", ""]
    for words in section.text:
        lines += [as_text(words), ""]
    for picture in section.pictures:
        lines += _picture(picture, folder)
    for table in section.tables:
        lines += _table(table, folder)
    return [*lines, *_terms(section.terms)]


def _terms(terms: Sequence[tuple[str, str]]) -> list[str]:
    return [*(f"- **{as_text(name)}**: {as_text(meaning)}" for name, meaning in terms), ""] if terms else []


def _picture(picture: Picture, folder: Path) -> list[str]:
    if not picture.file.exists():
        return []
    return [f"![{as_text(picture.caption)}]({_address(picture.file, folder)})", "", as_text(picture.caption), ""]


def _table(table: Table, folder: Path) -> list[str]:
    head = [f"### {as_text(table.title)}", ""] if table.title else []
    rows = [[as_text(str(name)) for name in table.columns]]
    rows += [[_cell(cell, folder) for cell in row] for row in table.rows]
    notes = [as_text(line).replace("* ", "\\* ", 1) for line in table.note.splitlines()]
    text = "\n".join(map(_unpadded, [rows[0], ["---"] * len(rows[0]), *rows[1:]]))  # of sentences: padding is large
    return [*head, text if table.prose else markdown_table(rows), *(line for note in notes for line in ("", note)), ""]


def _unpadded(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell, folder: Path) -> str:
    if isinstance(cell, str):
        return as_text(cell).replace("*", "\\*")
    return " ".join(_link(link, folder) for link in cell if link.target.exists())


def _link(link: Link, folder: Path) -> str:
    return f"[{as_text(link.words)}]({_address(link.target, folder)})"


def _address(target: Path, folder: Path) -> str:
    return quote(Path(os.path.relpath(target, folder)).as_posix(), safe="/()")

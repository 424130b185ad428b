"""A table that gives eyes whose files are named by patients the identifiers that results are to have.

It is read where it lies and never copied. No message repeats a name: rows of the table are told by their number, eyes
of the source by their place in the order of their names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

from octa_kedro.errors import DataError
from octa_kedro.identifiers import clean_name, find_alike, unfit_for_files
from octa_kedro.io.tables import clean_names, read_table

NAME, SUBJECT, PATIENT = "name", "subject", "patient"
MOST_TOLD = 10


@dataclass(frozen=True)
class Entry:
    """What a row of the table says: the subject, the patient (None without such a column), the number of the row."""

    subject: str
    patient: str | None
    row: int


@dataclass(frozen=True)
class Pseudonyms:
    """The table at `path`: an entry for each name."""

    path: Path
    entries: Mapping[str, Entry]
    with_patients: bool

    @classmethod
    def read(cls, path: Path) -> Self:
        """A table (``.csv``, ``.tsv``, ``.xlsx``) with the columns ``name`` (of a file, with or without its ending and
        folder, or of an eye in the source's own table) and ``subject``, and optionally ``patient``.

        DataError, by the numbers of rows, for a cell that is empty, a name or a subject that stands twice or differs
        from another so that a person would take them for one, and a subject that cannot name a file.
        """
        if not path.is_file():
            raise DataError(f"source.pseudonyms={path}: no such file; give a table with the columns {NAME}, {SUBJECT}")
        rows = read_table(path, (NAME, SUBJECT), optional=(PATIENT,))
        for column in (NAME, SUBJECT):
            rows[column] = clean_names(rows[column])
            _require_different(path, rows[column])
        for column in {SUBJECT, PATIENT} & set(rows.columns):
            for row, word in clean_names(rows[column]).items():
                if word and (why := unfit_for_files(word)):
                    raise DataError(f"{path}: row {row}: its {column} {why}")
        patients = clean_names(rows[PATIENT]).tolist() if PATIENT in rows.columns else [None] * len(rows)
        columns = zip(rows[NAME], rows[SUBJECT], patients, rows.index, strict=True)
        entries = {name: Entry(subject, patient, int(row)) for name, subject, patient, row in columns}
        return cls(path, entries, PATIENT in rows.columns)

    def assign(self, names: Mapping[str, Sequence[str]]) -> dict[str, Entry]:
        """The entry of each eye of a source, given all names that its files go by.

        DataError for eyes that have none, and for one that has two of different subjects.
        """
        found, missing = {}, []
        for place, (eye, own) in enumerate(sorted(names.items()), start=1):
            rows = [self.entries[word] for word in dict.fromkeys(map(clean_name, own)) if word in self.entries]
            if len({entry.subject for entry in rows}) > 1:
                numbers = " and ".join(str(entry.row) for entry in rows)
                raise DataError(f"{self.path}: rows {numbers} name one eye but give it different subjects; keep one")
            if rows:
                found[eye] = rows[0]
            else:
                missing.append(place)
        if missing:
            told = ", ".join(map(str, missing[:MOST_TOLD])) + (", ..." if len(missing) > MOST_TOLD else "")
            raise DataError(
                f"{self.path}: {len(missing)} of {len(names)} eyes of the source have no row: number {told} of them in "
                f"the order of their names (as LC_ALL=C ls lists them); add rows with the columns {NAME}, {SUBJECT}"
            )
        self._require_one_eye_each(found)
        return found

    def _require_one_eye_each(self, found: Mapping[str, Entry]) -> None:
        """DataError for a row that two eyes go by, as files of one name in different folders do."""
        rows = pd.Series([entry.row for entry in found.values()])
        if len(twice := rows[rows.duplicated()]):
            raise DataError(
                f"{self.path}: row {twice.iloc[0]} names more than one eye of the source; give each a row of its own, "
                "with the folder of its file"
            )


def _require_different(path: Path, column: "pd.Series[str]") -> None:
    if (empty := column == "").any():
        raise DataError(f"{path}: row {column.index[empty][0]} has no {column.name}; fill it in or remove the row")
    if len(twice := column.index[column.duplicated(keep=False)]):
        first = column.index[column == column[twice[0]]]
        raise DataError(f"{path}: rows {' and '.join(map(str, first))} have one {column.name}; keep one of them")
    if alike := find_alike(column.tolist()):
        one, other = column.index[list(alike)]
        raise DataError(
            f"{path}: rows {one} and {other} have a {column.name} that a person would take for one; correct one of them"
        )

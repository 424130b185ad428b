"""The table that names the files of a folder; without it, the files of the folder alone."""

import logging
import unicodedata
from functools import cached_property
from pathlib import Path
from typing import cast

import pandas as pd

from octa_kedro.errors import DataError
from octa_kedro.identifiers import UNKNOWN, class_word, shown, unfit_for_files
from octa_kedro.io.boundary import is_file
from octa_kedro.io.eye_files import (
    PATH,
    TABLES,
    find_eye_files,
    loose_files,
    name_subjects,
    other_tables,
    subject_of,
)
from octa_kedro.io.tables import (
    clean_age,
    clean_laterality,
    clean_names,
    read_table,
    require_one_spelling,
    require_unique,
)
from octa_kedro.io.volume import Laterality

SUBJECT, LABEL, PATIENT = "subject", "label", "patient"
PASSED_ON = ("split", "laterality", "patient", "eye", "sex", "age")
FILES = {"OCT": "oct_path", "surfaces": "surfaces_path", "lesion": "lesion_path"}
SIZES = ("field_x_mm", "field_y_mm", "depth_mm")

log = logging.getLogger(__name__)


class SubjectTable:
    """The eyes at `place` and their files, whose names end with one of `suffixes`.

    `place` is a folder, a table, a list of files or one file; see `eye_files.find_eye_files`. Columns of a table:
    ``path`` (relative to the table's folder), ``subject`` (without this column: the file name
    without its suffix), ``label``, and optionally ``split`` (train, validation or test), ``laterality`` (OD or OS),
    ``patient`` (the person whose eye it is), ``oct_path`` (a second modality), ``surfaces_path``, ``lesion_path``,
    ``field_x_mm``, ``field_y_mm`` and ``depth_mm`` (size of the whole scan, for files that do not give it).
    """

    def __init__(self, place: Path, suffixes: tuple[str, ...]) -> None:
        found = find_eye_files(Path(place), suffixes)
        self.suffixes, self.place, self.root, self.path = suffixes, found.place, found.root, found.table
        self._files, self._structures = found.files, found.structures

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The checked table; all cells are text, and the index is the subject."""
        if self.path is None:
            for subject, file in self._files.items():
                if why := unfit_for_files(subject):
                    raise DataError(
                        f"{self.root / file}: its subject would be {shown(subject)}, which {why}, or name the "
                        "subject in a table"
                    )
            rows = pd.DataFrame({PATH: [*self._files.values()]}, index=[*self._files])
            if self._structures:
                rows[FILES["OCT"]] = [self._structures.get(subject, "") for subject in self._files]
            return rows
        asked = (SUBJECT, LABEL, *PASSED_ON, *FILES.values(), *SIZES)
        rows = read_table(self.path, (PATH,), optional=asked)
        if (unnamed := rows[PATH] == "").any():
            raise DataError(f"{self.path}: row {rows.index[unnamed][0]} has no {PATH}; fill it in or remove the row")
        if unread := [str(name) for name in rows.columns if name not in {PATH, *asked}]:
            log.info("%s: columns that are not read: %s", self.path, ", ".join(unread))
        if SUBJECT not in rows.columns:
            rows[SUBJECT] = [*name_subjects(rows[PATH], self.suffixes, self.path)]
        for name in {SUBJECT, LABEL, *PASSED_ON} & set(rows.columns):
            rows[name] = clean_names(rows[name])
        self._check_names(self.path, rows)
        self._check_own_files(self.path, rows)
        if "laterality" in rows.columns:
            rows["laterality"] = clean_laterality(self.path, rows, SUBJECT)
        return rows.set_index(SUBJECT)

    @staticmethod
    def _check_own_files(path: Path, rows: pd.DataFrame) -> None:
        """DataError if two eyes have one file of surfaces or one lesion mask: it is drawn over one scan."""
        for column in {FILES["surfaces"], FILES["lesion"]} & set(rows.columns):
            named = rows.loc[rows[column] != "", column].map(lambda cell: str(Path(cell)))
            if len(shared := named[named.duplicated(keep=False)]):
                first, second = shared.index[shared == shared.iloc[0]][:2]
                raise DataError(
                    f"{path}: rows {first} and {second} have the same {column} {shared.iloc[0]}; it is of one eye: "
                    "name each eye's own file, or leave the cell empty"
                )

    @staticmethod
    def _check_names(path: Path, rows: pd.DataFrame) -> None:
        require_unique(path, rows[SUBJECT])
        for row, subject in rows[SUBJECT].items():
            if why := unfit_for_files(subject):
                raise DataError(f"{path}: row {row}: subject {shown(subject)} {why}")
        for column in {LABEL, PATIENT} & set(rows.columns):
            if (odd := rows.index[[not word.isprintable() for word in rows[column]]]).size:
                raise DataError(
                    f"{path}: row {odd[0]}: the {column} holds a character that cannot be seen; type it anew"
                )
        if PATIENT in rows.columns:
            named = rows.loc[rows[PATIENT] != "", PATIENT]
            require_one_spelling(path, named)
            unknown = named[named.map(class_word).isin(UNKNOWN) & named.duplicated(keep=False)]
            if len(unknown):
                raise DataError(
                    f"{path}: {len(unknown)} rows have the patient {unknown.iloc[0]!r} (the first is row "
                    f"{unknown.index[0]}), so they would be one person; leave the cell empty where it is not known"
                )
            if 0 < len(named) < len(rows):
                log.warning(
                    "%s: %d of %d eyes have no patient (the first in row %s); each of them is taken for a person of "
                    "its own", path, len(rows) - len(named), len(rows), rows.index[rows[PATIENT] == ""][0],
                )  # fmt: skip

    def subjects(self) -> list[str]:
        """All subjects, sorted."""
        return sorted(self.rows.index)

    def unlisted(self) -> list[str]:
        """Names of files of this source's formats that lie beside the table of a folder, but are in no row of it."""
        if self.path is None or not self.place.is_dir():
            return []
        cells = [self.rows[name] for name in (PATH, *FILES.values()) if name in self.rows.columns]
        listed = {unicodedata.normalize("NFC", str(Path(cell))) for column in cells for cell in column if cell}
        names = [path.name for path in loose_files(self.root, self.suffixes)]
        return [name for name in names if unicodedata.normalize("NFC", name) not in listed]

    def labels(self) -> pd.DataFrame:
        """``label``, renamed to ``disease``, and the columns of `PASSED_ON` that exist; DataError without labels."""
        if LABEL not in self.rows.columns:
            raise DataError(
                f"{self._needs_label()}. Eyes without labels are processed with --params cohort.labelled=false"
            )
        kept = [column for column in (LABEL, *PASSED_ON) if column in self.rows.columns]
        labels = self.rows[kept].rename(columns={LABEL: "disease"}).rename_axis(SUBJECT).reset_index()
        if "age" in kept:
            labels["age"] = clean_age(self.path or self.place, labels)
        return labels

    def patients(self) -> dict[str, str]:
        """Subject -> patient, for the rows in which the column ``patient`` is filled in."""
        if PATIENT not in self.rows.columns:
            return {}
        named = self.rows.loc[self.rows[PATIENT] != "", PATIENT]
        return {str(subject): str(patient) for subject, patient in named.items()}

    def file(self, subject: str, modality: str) -> Path:
        """The file of one modality; if the modality has no column of its own, the file in the column ``path``."""
        own = self.extra(subject, modality) if modality == "OCT" else None
        return own or self._existing(subject, str(self._row(subject)[PATH]))

    def extra(self, subject: str, what: str) -> Path | None:
        """The file in the column that `FILES` names for `what`; None if the cell is empty or the column missing."""
        name = str(self._row(subject).get(FILES[what], ""))
        return self._existing(subject, name) if name else None

    def laterality(self, subject: str) -> Laterality | None:
        """OD or OS; None if the table does not say."""
        return cast(Laterality, self._row(subject).get("laterality", "")) or None

    def size_mm(self, subject: str) -> tuple[float | None, float | None, float | None]:
        """Size (x, y, z) of the whole scan, None where the table gives none; DataError if it is not positive."""
        row = self._row(subject)
        x, y, z = (_positive(f"{self.path}: subject {subject}: {name}", row.get(name, "")) for name in SIZES)
        return x, y, z

    def files(self, subject: str, *modalities: str) -> list[Path]:
        """All files from which the eye's volumes of `modalities`, its surfaces and its lesion are read."""
        extras = [path for what in ("surfaces", "lesion") if (path := self.extra(subject, what)) is not None]
        return [*(self.file(subject, modality) for modality in modalities), *extras]

    def names(self, subject: str) -> list[str]:
        """The subject and its files as the table has them, also without folders, and then without endings."""
        row = self._row(subject)
        paths = [path for column in (PATH, *FILES.values()) if (path := str(row.get(column, "")))]
        names = [subject]
        for path in paths:
            name = Path(path).name
            names += [path, str(self.root / path), name, subject_of(name, self.suffixes) or Path(name).stem]
        return [*dict.fromkeys(names)]

    @cached_property
    def _by_subject(self) -> dict[str, dict[str, str]]:
        return {str(subject): {str(k): str(v) for k, v in row.items()} for subject, row in self.rows.iterrows()}

    @property
    def _columns(self) -> list[str]:
        return [*self.rows.columns] if self.path is None else [SUBJECT, *self.rows.columns]

    def _needs_label(self) -> str:
        if self.path is None and self.place.is_dir():
            return (
                f"{self.place}: has no table with the column {LABEL} (it would be {', '.join(TABLES)})"
                f"{other_tables(self.place)}"
            )
        return f"{self.path or self.place}: needs the column {LABEL}; it has {', '.join(self._columns) or 'none'}"

    def where_stated(self) -> str:
        """Where a fact about eyes can be stated: the table there is, or the one that a folder may hold."""
        return str(self.path) if self.path else f"a table {self.root / TABLES[0]} (there is none)"

    def _row(self, subject: str) -> dict[str, str]:
        if subject not in self._by_subject:
            raise DataError(f"subject {subject}: not in {self.path or self.place}")
        return self._by_subject[subject]

    def _existing(self, subject: str, name: str) -> Path:
        # A name may have been typed in composed letters, and be stored in decomposed ones, or the other way round.
        forms = dict.fromkeys((name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))))
        path = next((path for form in forms if is_file(path := self.root / form)), None)
        if not name or path is None:
            where = self.path or self.place
            raise DataError(f"subject {subject}: {self.root / name} does not exist; correct the path in {where}")
        return path


def _positive(what: str, text: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = float("nan")
    if not 0 < number < float("inf"):
        raise DataError(f"{what} is {text!r}; give a length in millimetres")
    return number

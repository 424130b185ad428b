"""The table ``subjects.csv`` that names the files of a folder; without it, the files of the folder alone."""

from functools import cached_property
from pathlib import Path
from typing import cast

import pandas as pd

from octa_kedro.errors import DataError
from octa_kedro.io.eye_files import TABLES, find_eye_files, name_subjects
from octa_kedro.io.tables import clean_laterality, read_table, require_unique
from octa_kedro.io.volume import Laterality

SUBJECT, PATH = "subject", "path"
LABEL = "label"
PASSED_ON = ("split", "laterality", "patient", "eye", "sex", "age")
FILES = {"OCT": "oct_path", "surfaces": "surfaces_path", "lesion": "lesion_path"}
SIZES = ("field_x_mm", "field_y_mm", "depth_mm")


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
        self._files = found.files

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The checked table; all cells are text, and the index is the subject."""
        if self.path is None:
            return pd.DataFrame({PATH: [*self._files.values()]}, index=[*self._files])
        rows = read_table(self.path, (PATH,), optional=(SUBJECT, LABEL, *PASSED_ON, *FILES.values(), *SIZES))
        if SUBJECT not in rows.columns:
            rows[SUBJECT] = [*name_subjects(rows[PATH], self.suffixes, self.path)]
        require_unique(self.path, rows[SUBJECT])
        if "laterality" in rows.columns:
            rows["laterality"] = clean_laterality(self.path, rows, SUBJECT)
        return rows.set_index(SUBJECT)

    def subjects(self) -> list[str]:
        """All subjects, sorted."""
        return sorted(self.rows.index)

    def labels(self) -> pd.DataFrame:
        """``label``, renamed to ``disease``, and the columns of `PASSED_ON` that exist; DataError without labels."""
        if LABEL not in self.rows.columns:
            where = self.path or (self.place / TABLES[0] if self.place.is_dir() else self.place)
            raise DataError(
                f"{where}: needs the column {LABEL}; it has {', '.join(self._columns) or 'none'}. Eyes without labels "
                "are processed with --params cohort.labelled=false"
            )
        kept = [column for column in (LABEL, *PASSED_ON) if column in self.rows.columns]
        labels = self.rows[kept].rename(columns={LABEL: "disease"}).rename_axis(SUBJECT).reset_index()
        if "age" in kept:
            labels["age"] = pd.to_numeric(labels["age"].str.replace(",", "."), errors="coerce")
        return labels

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

    @cached_property
    def _by_subject(self) -> dict[str, dict[str, str]]:
        return {str(subject): {str(k): str(v) for k, v in row.items()} for subject, row in self.rows.iterrows()}

    @property
    def _columns(self) -> list[str]:
        return [*self.rows.columns] if self.path is None else [SUBJECT, *self.rows.columns]

    def _row(self, subject: str) -> dict[str, str]:
        if subject not in self._by_subject:
            raise DataError(f"subject {subject}: not in {self.path or self.place}")
        return self._by_subject[subject]

    def _existing(self, subject: str, name: str) -> Path:
        path = self.root / name
        if not name or not path.is_file():
            raise DataError(f"subject {subject}: {path} does not exist; correct the path in {self.path or self.place}")
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

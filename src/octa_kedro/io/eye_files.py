"""Finds the files of a source, which is a folder, a table of eyes, a list of files or one file. No heavy imports."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from octa_kedro.errors import DataError, machine_fault
from octa_kedro.identifiers import ONLY_SO, clean_name, find_alike, name_key
from octa_kedro.io.boundary import is_file
from octa_kedro.io.hushed import unquoted
from octa_kedro.io.table_files import TABLE_SUFFIXES, read_grid
from octa_kedro.io.text_files import read_text
from octa_kedro.io.yaml_text import require_modest_yaml, yaml_words

TABLES = ("subjects.csv", "subjects.tsv", "subjects.xlsx")
"""Names of the table that a folder may hold."""

PATH = "path"
"""The column that every table of eyes has."""

PAIRED = {
    "_angio.vol": ".vol",
    "_flowcube_z.img": "_cube_z.img",
    "_flowcube_raw.img": "_cube_raw.img",
}
"""Ends of the names that devices give to the angiography and to the structure of one scan; capitals do not matter."""

TEXT_LISTS, YAML_LISTS = (".txt", ".lst"), (".yml", ".yaml")
GIVE = "give one with --params source.path=PATH"


@dataclass(frozen=True)
class EyeFiles:
    """What was found at the path of a source: either a `table` that names the eyes, or their `files` by subject.

    `place` is the path that was given. Relative paths in the table and in `files` start at `root`. `structures` are the
    files of the structure, by subject, where `files` holds the angiography of the same scan (see `PAIRED`).
    """

    place: Path
    root: Path
    table: Path | None
    files: dict[str, str]
    structures: dict[str, str] = field(default_factory=dict)


def find_eye_files(place: Path, suffixes: Sequence[str]) -> EyeFiles:
    """The eyes at `place`, whose file names end with one of `suffixes`.

    `place` is a folder (with one of `TABLES`; without it all its files with these suffixes count), a table (``.csv``,
    ``.tsv``, ``.xlsx``), a list of paths (``.txt`` or ``.lst``: one per line, ``#`` begins a comment; ``.yml`` or
    ``.yaml``: a list), or the file of one eye. Without a table, the file name without its suffix is the subject; in a
    folder, the two files of one scan (see `PAIRED`) are one subject, named by its angiography.
    DataError if `place` does not exist or has no eye, if a path does not end with one of `suffixes`, or if two files
    give the same subject.
    """
    if os.path.isdir(place):  # noqa: PTH112 - False for what is too long to be a name
        table = table_of(place)
        if table:
            return EyeFiles(place, place, table, {})
        names = [path.name for path in _loose(place, suffixes)]
        structure_of = _pairs(names)
        alone = [name for name in names if name not in structure_of.values()]
        files = name_subjects(alone, suffixes, place)
        structures = {subject: structure_of[name] for subject, name in files.items() if name in structure_of}
        return EyeFiles(place, place, None, files, structures)
    if not is_file(place):
        raise DataError(f"{place}: no such folder or file; {GIVE}")
    if place.suffix.lower() in TABLE_SUFFIXES:
        return EyeFiles(place, place.parent, place, {})
    if place.suffix.lower() in (*TEXT_LISTS, *YAML_LISTS):
        return EyeFiles(place, place.parent, None, name_subjects(_read_list(place), suffixes, place))
    return EyeFiles(place, place.parent, None, name_subjects([place.name], suffixes, place))


def table_of(place: Path) -> Path | None:
    """The table of eyes at `place`, which is a folder or the table itself; None if it is neither.

    DataError for a folder with two of `TABLES`: they may differ.
    """
    if place.is_file():
        return place if place.suffix.lower() in TABLE_SUFFIXES else None
    found = [path for name in TABLES if (path := place / name).is_file()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise DataError(f"{place}: holds the tables {names}; remove all but one, or name one with source.path")
    return found[0] if found else None


def other_tables(folder: Path) -> str:
    """Words that name a table in the folder that is none of `TABLES`, and how to use it; empty if there is none."""
    found = (
        sorted(path for path in folder.iterdir() if path.suffix.lower() in TABLE_SUFFIXES) if folder.is_dir() else []
    )
    shown = [path for path in found if not path.name.startswith((".", "~"))]
    return f"; if {shown[0].name} is the table of eyes, give --params source.path={shown[0]}" if shown else ""


def has_column(place: Path, column: str) -> bool:
    """Whether the table at `place` (see `table_of`) has this column (capitals do not matter); False without a table.

    DataError if it cannot be read.
    """
    table = table_of(place)
    return table is not None and name_key(column) in map(name_key, read_grid(table, (PATH,)).header)


def subject_of(path: str, suffixes: Iterable[str]) -> str | None:
    """The subject: the file name without its suffix (capitals do not matter), as `clean_name`; None if it has none of
    `suffixes`."""
    name = Path(path).name
    suffix = next((s for s in suffixes if name.lower().endswith(s)), None)
    return clean_name(name[: -len(suffix)]) if suffix else None


def name_subjects(paths: Iterable[str], suffixes: Sequence[str], place: Path) -> dict[str, str]:
    """The paths that `place` lists, by subject (see `subject_of`); DataError if two files give the same
    subject, or two that a person would take for one."""
    found: dict[str, str] = {}
    for path in paths:
        subject = subject_of(path, suffixes)
        if not subject:
            raise DataError(f"{place}: {path} does not end with any of {', '.join(suffixes)}, which this source reads")
        if subject in found:
            raise DataError(
                f"{place}: subject {subject} has two files, {found[subject]} and {path}; rename one, or name the "
                "subjects in a CSV with the columns subject, path"
            )
        found[subject] = path
    if alike := find_alike(names := [*found]):
        one, other = (found[names[index]] for index in alike)
        raise DataError(
            f"{place}: the files {one} and {other} differ {ONLY_SO}; remove or rename one, or name the subjects in a "
            "CSV with the columns subject, path"
        )
    return found


def loose_files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """What lies in a folder with these suffixes, sorted; a link to nothing too: that eye is missing, not unknown."""
    found = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and not path.is_dir()]
    return [path for path in found if subject_of(path.name, suffixes)]


def _loose(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    if not (found := loose_files(folder, suffixes)):
        raise DataError(
            f"{folder / TABLES[0]}: no such file, nor any of {', '.join(suffixes)} beside it; give a folder with a CSV "
            "of the columns subject, path, label (and split), or one file or a list of files, with --params "
            f"source.path=PATH{other_tables(folder)}"
        )
    return found


def _pairs(names: Iterable[str]) -> dict[str, str]:
    """The structure of the same scan for each angiography that has one beside it; see `PAIRED`."""
    spelt = {name.lower(): name for name in names}
    found = {}
    for flow, structure in PAIRED.items():
        for lower, name in spelt.items():
            if lower.endswith(flow) and (other := spelt.get(lower.removesuffix(flow) + structure)):
                found[name] = other
    return found


def _read_list(place: Path) -> list[str]:
    try:
        if place.suffix.lower() in YAML_LISTS:
            require_modest_yaml(place)
        text = read_text(place).lstrip("\ufeff")
        entries: Any = yaml.safe_load(text) if place.suffix.lower() in YAML_LISTS else _lines(text)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        if machine_fault(error) is not None:
            raise
        why = unquoted(ValueError(yaml_words(error)))  # without what they quote
        raise DataError(f"{place}: cannot be read as a list of files ({why})") from error
    if not isinstance(entries, list) or not all(isinstance(entry, str) and entry for entry in entries):
        raise DataError(f"{place}: is not a list of paths; write `- path` on every line")
    if not entries:
        raise DataError(f"{place}: lists no file")
    return entries


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]

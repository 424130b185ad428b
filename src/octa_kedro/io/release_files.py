"""Finds the files of an OCTA-500 release, into whatever part folders its archives were unpacked."""

import os
import re
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from octa_kedro.errors import DataError
from octa_kedro.identifiers import ONLY_SO, find_alike, shown, unfit_for_files
from octa_kedro.io.octa500 import LABEL_SHEETS

FIELD_FOLDER = re.compile(r"OCTA_(\d+)(?:mm|M)$", re.IGNORECASE)
MODALITIES = ("OCT", "OCTA")
MAPS = "Projection Maps"
LABELS = "Label"
SEARCH_DEPTH = 4


class EyeFolder(NamedTuple):
    """The folder of one modality of one eye, and its field of view."""

    path: Path
    field_of_view_mm: float


class ReleaseFiles:
    """The folders of a release below `root`; they are searched once, when they are first needed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        if not root.is_dir():
            raise DataError(
                f"{root}: no such folder; give the folder that holds OCTA_3mm and OCTA_6mm with "
                "--params source.path=FOLDER or the environment variable OCTA_DATA"
            )

    @cached_property
    def field_folders(self) -> list[Path]:
        """All ``OCTA_<n>mm`` folders that hold scans, projection maps or a label sheet, in any part folder."""
        found = [folder for folder in self._folders if FIELD_FOLDER.search(str(folder)) and _is_field_folder(folder)]
        if not any(map(_has_scans, found)):
            raise DataError(
                f"{self.root}: found no folder OCTA_3mm or OCTA_6mm with OCT or OCTA inside; is this an "
                "OCTA-500 release?"
            )
        for folder in self._folders:
            if _has_scans(folder) and FIELD_FOLDER.search(str(folder)) is None:
                raise DataError(
                    f"{folder}: holds scans, but its name does not tell their field of view; name it OCTA_<n>mm (for "
                    "example OCTA_6mm), or move it out of the release"
                )
        return found

    @cached_property
    def eyes(self) -> dict[str, dict[str, EyeFolder]]:
        """For every eye, the folder of each modality; DataError if an eye's modality is found twice, its modalities
        have different fields of view, or two eyes have names that a person would take for one."""
        eyes: dict[str, dict[str, EyeFolder]] = {}
        for field in self.field_folders:
            match = FIELD_FOLDER.search(str(field))
            field_mm = float(match.group(1)) if match else float("nan")
            for modality in MODALITIES:
                base = field / modality
                for folder in _listed(base):
                    # a link to nothing is an eye, too: one whose files are missing
                    if (folder.is_dir() or folder.is_symlink()) and not folder.name.startswith("."):
                        _add(eyes.setdefault(folder.name, {}), modality, EyeFolder(folder, field_mm))
        for name in eyes:
            if why := unfit_for_files(name):
                raise DataError(f"{self.root}: the eye {shown(name)} {why}: rename its folders")
        if alike := find_alike(names := [*eyes]):
            one, other = (names[index] for index in alike)
            raise DataError(f"{self.root}: the eyes {one!r} and {other!r} differ {ONLY_SO}; remove or rename one")
        return eyes

    @cached_property
    def label_sheets(self) -> list[Path]:
        """The label sheets in field folders, part folders and the root."""
        folders = dict.fromkeys([*self.field_folders, *(f.parent for f in self.field_folders), self.root])
        inside = [folder for folder in folders if folder.is_relative_to(self.root)]
        return [path for folder in inside for name in LABEL_SHEETS if (path := folder / name).is_file()]

    def projection(self, subject: str, name: str) -> Path | None:
        """The bitmap of the projection map `name`; None if there is none."""
        return self._one(subject, [folder / MAPS / name / f"{subject}.bmp" for folder in self.field_folders])

    def label(self, subject: str, kind: str, suffix: str) -> Path | None:
        """The eye's file with the labels `kind` (such as ``GT_Layers``); None if there is none."""
        return self._one(subject, [folder / kind / f"{subject}{suffix}" for folder in self._label_folders])

    @cached_property
    def _folders(self) -> list[Path]:
        """All folders down to `SEARCH_DEPTH` levels, without those that belong to a single eye; links are followed."""
        found, known = [], set()
        for name, children, _ in os.walk(self.root, onerror=_refuse, followlinks=True):
            folder = Path(name)
            if (real := folder.resolve()) in known:  # a link to a folder that is searched anyway, or round in a circle
                children.clear()
                continue
            known.add(real)
            found.append(folder)
            if len(folder.relative_to(self.root).parts) >= SEARCH_DEPTH or _is_field_folder(folder):
                children[:] = [child for child in children if child == LABELS]
            elif folder.name == LABELS:
                children.clear()
            children[:] = sorted(child for child in children if not child.startswith("."))
        return found

    @cached_property
    def _label_folders(self) -> list[Path]:
        return [folder for folder in self._folders if folder.name == LABELS]

    @staticmethod
    def _one(subject: str, places: list[Path]) -> Path | None:
        found = [path for path in places if path.is_file()]
        if len(found) > 1:
            raise DataError(f"eye {subject}: found twice, as {found[0]} and {found[1]}; remove one")
        return found[0] if found else None


def _listed(folder: Path) -> list[Path]:
    """What is in a folder, sorted; nothing where there is no such folder. DataError if it cannot be listed."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        _refuse(error)
        raise


def _refuse(error: OSError) -> None:
    """A folder that is passed over would be eyes that vanish without a word."""
    raise DataError(
        f"{error.filename}: this folder cannot be listed ({error.strerror}); allow it to be read, or move it "
        "out of the release"
    ) from error


def _is_field_folder(folder: Path) -> bool:
    inside = [folder / name for name in (*MODALITIES, MAPS, *LABEL_SHEETS)]
    return FIELD_FOLDER.search(str(folder)) is not None and any(path.exists() for path in inside)


def _has_scans(folder: Path) -> bool:
    return any((folder / modality).is_dir() for modality in MODALITIES)


def _add(known: dict[str, EyeFolder], modality: str, eye: EyeFolder) -> None:
    if modality in known:
        raise DataError(
            f"eye {eye.path.name}: {modality} is found twice, in {known[modality].path} and in {eye.path}; remove one"
        )
    for other, folder in known.items():
        if folder.field_of_view_mm != eye.field_of_view_mm:
            raise DataError(
                f"eye {eye.path.name}: {other} lies in {folder.path} but {modality} in {eye.path}; these are "
                "different fields of view"
            )
    known[modality] = eye

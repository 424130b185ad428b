"""Reader of the OCTA-500 release layout, in the spellings and part folders it is found in.

Orientation, measured on subject 10225: B-scans are numbered from inferior to superior and A-scans run from
left to right of the fundus picture, so that row ``r`` of a projection map of ``n`` rows is B-scan ``n-1-r``.
"""

import os
import re
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.io import loadmat

from octa_kedro.errors import DataError
from octa_kedro.io.bscans import check_sizes, list_bscans, read_bscans, read_grey
from octa_kedro.io.hashing import hash_files
from octa_kedro.io.nifti import read_volume
from octa_kedro.io.volume import Laterality, PlaneStack, Volume, scan_affine

FIELD_FOLDER = re.compile(r"OCTA_(\d+)(?:mm|M)$")
MODALITIES = ("OCT", "OCTA")
DEPTH_MM = 2.0
SURFACES = ("ILM", "IPL_INL", "OPL_ONL", "IS_OS", "RPE", "BM")
LABEL_SHEETS = ("Text labels.xlsx", "Text labels.csv")
LABEL_COLUMNS = {"ID": "subject", "Disease": "disease", "Sex": "sex", "OS/OD": "laterality", "Age": "age"}
NEEDED_COLUMNS = ("ID", "Disease")
# The release counts depth from 1 (as MATLAB does); the phantom is written the same way.
SURFACE_INDEX_BASE = 1
SEARCH_DEPTH = 4


class EyeFolder(NamedTuple):
    """Where one modality of one eye lies."""

    path: Path
    field_of_view_mm: float


class Octa500Release:
    """An OCTA-500 release (or anything written in its layout) below `root`; implements `io.source.Source`.

    The field of view is what the folder above the eyes says (``OCTA_3mm``, ``OCTA_6M``); lateral and depth
    spacing follow from it and the number of pixels, never from the subject's number.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError(
                f"{self.root}: no such folder; give the folder that holds OCTA_3mm and OCTA_6mm with "
                "--params source.path=FOLDER or the environment variable OCTA_DATA"
            )

    @cached_property
    def field_folders(self) -> list[Path]:
        """All ``OCTA_<n>mm`` folders, whatever part folder they lie in."""
        found = []
        for folder, children, _ in os.walk(self.root):
            if FIELD_FOLDER.search(folder) and any((Path(folder) / m).is_dir() for m in MODALITIES):
                found.append(Path(folder))
                children.clear()
            elif len(Path(folder).relative_to(self.root).parts) >= SEARCH_DEPTH:
                children.clear()
            children[:] = sorted(child for child in children if not child.startswith("."))
        if not found:
            raise DataError(
                f"{self.root}: found no folder OCTA_3mm or OCTA_6mm with OCT or OCTA inside; is this an "
                "OCTA-500 release?"
            )
        return found

    @cached_property
    def eyes(self) -> dict[str, dict[str, EyeFolder]]:
        """For every eye, the folder of each modality; DataError if an eye's modality is found twice."""
        eyes: dict[str, dict[str, EyeFolder]] = {}
        for field in self.field_folders:
            match = FIELD_FOLDER.search(field.name)
            field_mm = float(match.group(1)) if match else float("nan")
            for modality in MODALITIES:
                base = field / modality
                for folder in sorted(base.iterdir()) if base.is_dir() else ():
                    if not folder.is_dir():
                        continue
                    known = eyes.setdefault(folder.name, {})
                    if modality in known:
                        raise DataError(
                            f"eye {folder.name}: {modality} stands twice, in {known[modality].path} and in "
                            f"{folder}; remove one"
                        )
                    known[modality] = EyeFolder(folder, field_mm)
        return eyes

    def subjects(self) -> list[str]:
        """Identifiers of all eyes, sorted."""
        return sorted(self.eyes)

    def labels(self) -> pd.DataFrame:
        """All label sheets as one table: subject, disease and, where given, sex, laterality, age.

        DataError if there is no sheet, a needed column is missing, or an ID stands twice.
        """
        sheets = [
            path
            for folder in [*self.field_folders, self.root]
            for name in LABEL_SHEETS
            if (path := folder / name).is_file()
        ]
        if not sheets:
            raise DataError(
                f"{self.root}: found no '{LABEL_SHEETS[0]}'; it belongs into an OCTA_3mm or OCTA_6mm folder"
            )
        table = pd.concat([self._read_sheet(path) for path in sheets], ignore_index=True)
        twice = table.loc[table["subject"].duplicated(), "subject"]
        if len(twice):
            raise DataError(
                f"{', '.join(map(str, sheets))}: ID {', '.join(twice.unique()[:5])} stands more than once; keep one row"
            )
        return table

    @staticmethod
    def _read_sheet(path: Path) -> pd.DataFrame:
        read = pd.read_excel if path.suffix == ".xlsx" else pd.read_csv
        try:
            sheet = read(path)
        except Exception as error:
            raise DataError(f"{path}: cannot be read as a table ({error})") from error
        sheet.columns = [str(column).strip() for column in sheet.columns]
        missing = [column for column in NEEDED_COLUMNS if column not in sheet.columns]
        if missing:
            raise DataError(f"{path}: needs the column {', '.join(missing)}; it has {', '.join(sheet.columns)}")
        sheet = sheet.dropna(subset=["ID"])[[c for c in LABEL_COLUMNS if c in sheet.columns]]
        sheet = sheet.rename(columns=LABEL_COLUMNS)
        sheet["subject"] = [_identifier(value) for value in sheet["subject"]]
        for column in {"disease", "sex", "laterality"} & set(sheet.columns):
            sheet[column] = sheet[column].astype("string").str.strip().str.upper()
        return sheet

    def check(self, subject: str, modality: str) -> dict[str, float]:
        """See `Source.check`; reads bitmap headers only."""
        folder = self._folder(subject, modality)
        paths = list_bscans(folder.path)
        width, depth = check_sizes(paths)
        return {
            "field_of_view_mm": folder.field_of_view_mm,
            "width": width,
            "n_bscans": len(paths),
            "depth": depth,
        }

    def volume(self, subject: str, modality: str) -> Volume:
        """The scan of one modality, unsigned 8 bit as released."""
        folder = self._folder(subject, modality)
        array = read_bscans(folder.path)
        extent = (folder.field_of_view_mm, folder.field_of_view_mm, DEPTH_MM)
        return Volume(array, scan_affine(array.shape, extent), modality, self._laterality(subject), str(folder.path))

    def projection(self, subject: str, name: str) -> NDArray[np.uint8]:
        """A released projection map such as ``OCTA(ILM_OPL)`` as ``[x, y]``, in the volume's orientation."""
        paths = [p for f in self.field_folders if (p := f / "Projection Maps" / name / f"{subject}.bmp").is_file()]
        if not paths:
            raise DataError(f"eye {subject}: no projection map {name} below {self.root}")
        return picture_to_plane(read_grey(paths[0]))

    def surfaces(self, subject: str) -> PlaneStack | None:
        """Six surfaces of ``Label/GT_Layers/<id>.mat``, in millimetres of depth; None if there is no file."""
        path = self._label_file("GT_Layers", f"{subject}.mat")
        if path is None:
            return None
        try:
            layers = np.asarray(loadmat(path)["Layer"], np.float32)
        except (KeyError, ValueError, OSError, NotImplementedError) as error:
            raise DataError(f"{path}: no layer file with the variable 'Layer' ({error})") from error
        modality = next(iter(self.eyes[subject]))
        size = self.check(subject, modality)
        expected = (len(SURFACES), int(size["width"]), int(size["n_bscans"]))
        if layers.shape != expected:
            raise DataError(f"{path}: layers of shape {layers.shape}, but the scan asks for {expected}")
        extent = (size["field_of_view_mm"], size["field_of_view_mm"], DEPTH_MM)
        affine = scan_affine((expected[1], expected[2], int(size["depth"])), extent)
        depth_mm = (layers - SURFACE_INDEX_BASE) * affine[2, 2] + affine[2, 3]
        return PlaneStack(depth_mm.transpose(1, 2, 0), affine, SURFACES, self._laterality(subject), str(path))

    def lesion(self, subject: str) -> Volume | None:
        """The phantom's lesion mask; OCTA-500 itself has none."""
        path = self._label_file("GT_Lesion", f"{subject}.nii.gz")
        return None if path is None else read_volume(path, modality="lesion", laterality=self._laterality(subject))

    def fingerprint(self, subject: str, *modalities: str) -> str:
        """See `Source.fingerprint`."""
        files = [path for m in modalities for path in list_bscans(self._folder(subject, m).path)]
        for kind, name in (("GT_Layers", f"{subject}.mat"), ("GT_Lesion", f"{subject}.nii.gz")):
            if (path := self._label_file(kind, name)) is not None:
                files.append(path)
        # The affine follows from the folder's name, which no byte of the eye's own files tells.
        fields = "-".join(f"{m}{folder.field_of_view_mm:g}" for m, folder in sorted(self.eyes[subject].items()))
        return f"{self._laterality(subject)}-{fields}-{hash_files(files)}"

    def _folder(self, subject: str, modality: str) -> EyeFolder:
        try:
            return self.eyes[subject][modality]
        except KeyError:
            raise DataError(
                f"eye {subject}: no {modality} volume below {self.root} (looked for OCTA_*mm/{modality}/"
                f"{subject}); add it or take the eye off the list"
            ) from None

    def _label_file(self, kind: str, name: str) -> Path | None:
        places = [self.root, *(p for f in self.field_folders for p in (f, f.parent))]
        return next((path for p in places if (path := p / "Label" / kind / name).is_file()), None)

    @cached_property
    def _lateralities(self) -> dict[str, Laterality]:
        try:
            table = self.labels()
        except DataError:  # a lone eye has no label sheet, and an unlabelled one needs none
            return {}
        if "laterality" not in table.columns:
            return {}
        known = table[table["laterality"].isin(["OD", "OS"])]
        return dict(zip(known["subject"], known["laterality"], strict=True))

    def _laterality(self, subject: str) -> Laterality | None:
        return self._lateralities.get(subject)


def picture_to_plane(picture: NDArray) -> NDArray:
    """An en-face picture (rows from superior to inferior) as ``[x, y]`` of the volume; `plane_to_picture` undoes it."""
    return picture[::-1].T


def plane_to_picture(plane: NDArray) -> NDArray:
    """A plane ``[x, y]`` as a picture with superior at the top, as the release's maps are."""
    return plane.T[::-1]


def _identifier(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()

"""Reader of the OCTA-500 release layout, with all spellings and part folders in which copies of it are found.

Orientation, measured on subject 10225: B-scans are numbered from inferior to superior and A-scans run from
left to right of the fundus picture, so that row ``r`` of a projection map of ``n`` rows is B-scan ``n-1-r``.
"""

from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.identifiers import shown, unfit_for_files
from octa_kedro.io.bmp import read_classes, read_grey
from octa_kedro.io.bscans import check_sizes, list_bscans, read_bscans
from octa_kedro.io.hashing import hash_files
from octa_kedro.io.masks import as_labels
from octa_kedro.io.millimetres import Anatomy, require_plausible
from octa_kedro.io.nifti_grid import NiftiGrid, read_grid, require_same_grid
from octa_kedro.io.octa500 import DEPTH_MM, LABEL_SHEETS, SURFACE_INDEX_BASE, SURFACES, plane_to_picture
from octa_kedro.io.release_files import EyeFolder, ReleaseFiles
from octa_kedro.io.source import Source
from octa_kedro.io.surface_files import (
    check_surfaces,
    read_faz_volume,
    read_layers,
    surfaces_in_mm,
)
from octa_kedro.io.tables import (
    clean_age,
    clean_laterality,
    clean_names,
    clean_words,
    read_table,
    require_one_spelling,
    require_unique,
)
from octa_kedro.io.volume import Laterality, PlaneStack, Volume, require_usable, scan_affine

__all__ = ["DEPTH_MM", "LABEL_SHEETS", "SURFACES", "SURFACE_INDEX_BASE", "Octa500Release", "plane_to_picture"]

LABEL_COLUMNS = {"ID": "subject", "Disease": "disease", "Sex": "sex", "OS/OD": "laterality", "Age": "age"}
NEEDED_COLUMNS = ("ID", "Disease")
PROJECTIONS = tuple(f"{scan}({slab})" for scan in ("OCT", "OCTA") for slab in ("FULL", "ILM_OPL", "OPL_BM"))
ANNOTATIONS = ("GT_LargeVessel", "GT_Capillary", "GT_Artery", "GT_Vein", "GT_FAZ", "GT_CAVF")


class Octa500Release(Source):
    """An OCTA-500 release (or anything written in its layout) below `root`; implements `io.source.Source`.

    The field of view is taken from the name of the folder above the eyes (``OCTA_3mm``, ``OCTA_6M``), never from the
    subject's number; spacing is the size of the scan divided by the number of voxels. The OCT, OCTA, maps and labels
    of an eye may lie in different part folders.
    """

    def __init__(self, root: Path, remembered: Path | None = None, anatomy: Anatomy = "eye") -> None:
        self.root, self.remembered, self.anatomy = Path(root), remembered, anatomy
        self.files = ReleaseFiles(self.root)

    @property
    def eyes(self) -> dict[str, dict[str, EyeFolder]]:
        """For every eye, the folder of each modality; DataError if an eye's modality is found twice."""
        return self.files.eyes

    def subjects(self) -> list[str]:
        """Identifiers of all eyes, sorted."""
        return sorted(self.eyes)

    def labels(self) -> pd.DataFrame:
        """All label sheets as one table: subject, disease and, where given, sex, laterality, age.

        DataError if there is no sheet, if a required column is missing, or if an ID occurs twice. Equal rows in the
        sheets of different part folders count as one.
        """
        sheets = self.files.label_sheets
        if not sheets:
            raise DataError(f"{self.root}: found no '{LABEL_SHEETS[0]}'; it belongs in an OCTA_3mm or OCTA_6mm folder")
        table = pd.concat([_read_sheet(path) for path in sheets], ignore_index=True).drop_duplicates(ignore_index=True)
        twice = table.loc[table["subject"].duplicated(), "subject"]
        if len(twice):
            raise DataError(
                f"{', '.join(map(str, sheets))}: ID {', '.join(twice.unique()[:5])} occurs more than once; keep one row"
            )
        require_one_spelling(sheets[0].parent, table["subject"])
        return table

    def check(self, subject: str, modality: str) -> dict[str, float]:
        """See `Source.check`; reads bitmap headers only."""
        folder = self._folder(subject, modality)
        paths = list_bscans(folder.path)
        width, depth = check_sizes(paths)
        self._affine(folder.path, folder.field_of_view_mm, (width, len(paths), depth))
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
        affine = self._affine(folder.path, folder.field_of_view_mm, array.shape)
        return require_usable(Volume(array, affine, modality, self._laterality(subject), str(folder.path)))

    def projection(self, subject: str, name: str) -> NDArray[np.uint8] | None:
        """A released projection map such as ``OCTA(ILM_OPL)`` as ``[x, y]``, in the volume's orientation."""
        if name not in PROJECTIONS:
            raise DataError(f"eye {subject}: no projection map is called {name}; choose from {', '.join(PROJECTIONS)}")
        path = self.files.projection(subject, name)
        return None if path is None else self._plane(subject, path, read_grey(path))

    def annotation(self, subject: str, kind: str) -> NDArray[np.uint8] | None:
        """A released label picture such as ``GT_FAZ`` as ``[x, y]``, in the volume's orientation, values as stored."""
        if kind not in ANNOTATIONS:
            raise DataError(f"eye {subject}: no annotation is called {kind}; choose from {', '.join(ANNOTATIONS)}")
        path = self.files.label(subject, kind, ".bmp")
        return None if path is None else self._plane(subject, path, read_classes(path))

    def faz_volume(self, subject: str) -> Volume | None:
        """The mask of ``Label/GT_FAZ3D/<id>.mat``; None if there is no file."""
        path = self.files.label(subject, "GT_FAZ3D", ".mat")
        if path is None:
            return None
        field_mm, shape = self._size(subject)
        mask = read_faz_volume(path, shape)
        return Volume(mask, self._affine(path, field_mm, shape), "FAZ", self._laterality(subject), str(path))

    def surfaces(self, subject: str) -> PlaneStack | None:
        """Six surfaces of ``Label/GT_Layers/<id>.mat``, in millimetres of depth; None if there is no file.

        DataError names the file and the surfaces if they cross, lie outside the scan, or have gaps.
        """
        path = self.files.label(subject, "GT_Layers", ".mat")
        if path is None:
            return None
        field_mm, shape = self._size(subject)
        depths = read_layers(path, *shape[:2])
        check_surfaces(depths, SURFACES, depth=shape[2], who=f"eye {subject}: {path}")
        return surfaces_in_mm(depths, self._affine(path, field_mm, shape), self._laterality(subject), str(path))

    def lesion(self, subject: str) -> Volume | None:
        """The phantom's lesion mask, each finding under its number; OCTA-500 itself has none.

        DataError for a file that is on another grid, or holds no mask (`masks.as_labels`).
        """
        path = self.files.label(subject, "GT_Lesion", ".nii.gz")
        if path is None:
            return None
        field_mm, shape = self._size(subject)
        affine = self._affine(path, field_mm, shape)
        grid = read_grid(path, self.anatomy)
        require_same_grid(grid, NiftiGrid.of(self.root, affine, shape), what="mask", subject=subject)
        labels = as_labels(path, grid.read())
        return Volume(labels, affine, "lesion", self._laterality(subject), str(path))

    def scan_files(self, subject: str, modality: str) -> list[Path]:
        """See `Source.scan_files`."""
        return list_bscans(self._folder(subject, modality).path)

    def drawn_files(self, subject: str) -> dict[str, Path]:
        """See `Source.drawn_files`."""
        kinds = (("surfaces", "GT_Layers", ".mat"), ("lesion", "GT_Lesion", ".nii.gz"))
        found = {what: self.files.label(subject, kind, suffix) for what, kind, suffix in kinds}
        return {what: path for what, path in found.items() if path is not None}

    def fingerprint(self, subject: str, *modalities: str) -> str:
        """See `Source.fingerprint`."""
        files = [path for m in modalities for path in list_bscans(self._folder(subject, m).path)]
        files += self.drawn_files(subject).values()
        # The affine depends on the name of the folder, which is not among the bytes of the eye's files.
        fields = "-".join(f"{m}{folder.field_of_view_mm:g}" for m, folder in sorted(self.eyes[subject].items()))
        return f"{self._laterality(subject)}-{fields}-{hash_files(files, self.remembered)}"

    def _folder(self, subject: str, modality: str) -> EyeFolder:
        try:
            return self.eyes[subject][modality]
        except KeyError:
            raise DataError(
                f"eye {subject}: no {modality} volume below {self.root} (looked for OCTA_*mm/{modality}/"
                f"{subject}); add it or leave the eye out"
            ) from None

    def _size(self, subject: str) -> tuple[float, tuple[int, int, int]]:
        """Field of view in millimetres and shape (x, y, z) in voxels of the eye's scans."""
        if subject not in self.eyes:
            raise DataError(f"eye {subject}: no volume below {self.root}; add it or leave the eye out")
        size = self.check(subject, next(iter(self.eyes[subject])))
        return size["field_of_view_mm"], (int(size["width"]), int(size["n_bscans"]), int(size["depth"]))

    def _plane(self, subject: str, path: Path, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        plane = picture_to_plane(picture)
        _, (width, n_bscans, _) = self._size(subject)
        if plane.shape != (width, n_bscans):
            raise DataError(
                f"{path}: {plane.shape[0]} x {plane.shape[1]} pixels, but eye {subject} has {width} A-scans and "
                f"{n_bscans} B-scans; this map belongs to another scan"
            )
        return plane

    def _affine(self, path: Path, field_mm: float, shape: tuple[int, ...]) -> NDArray[np.float64]:
        extent = (field_mm, field_mm, DEPTH_MM)
        correct = "the name of its folder OCTA_<n>mm or the B-scans in it"
        return scan_affine(shape, require_plausible(shape, extent, self.anatomy, where=path, correct=correct))

    @cached_property
    def _lateralities(self) -> dict[str, Laterality]:
        if not self.files.label_sheets:  # a single eye or unlabelled eyes may have no label sheet
            return {}
        table = self.labels()
        if "laterality" not in table.columns:
            return {}
        known = table[table["laterality"] != ""]
        return dict(zip(known["subject"], known["laterality"], strict=True))

    def _laterality(self, subject: str) -> Laterality | None:
        return self._lateralities.get(subject)


def picture_to_plane(picture: NDArray) -> NDArray:
    """An en-face picture (rows from superior to inferior) as a plane ``[x, y]``; inverse of `plane_to_picture`."""
    return picture[::-1].T


def _read_sheet(path: Path) -> pd.DataFrame:
    """One sheet with columns renamed and words cleaned; ages are numbers, NaN where they are not given."""
    sheet = read_table(path, NEEDED_COLUMNS, optional=LABEL_COLUMNS)
    sheet["ID"] = clean_names(sheet["ID"])
    require_unique(path, sheet["ID"])
    for row, subject in sheet["ID"].items():
        if why := unfit_for_files(subject):
            raise DataError(f"{path}: row {row}: ID {shown(subject)} {why}")
    sheet = sheet[[column for column in LABEL_COLUMNS if column in sheet.columns]].rename(columns=LABEL_COLUMNS)
    if "laterality" in sheet.columns:
        sheet["laterality"] = clean_laterality(path, sheet, "subject")
    for column in {"disease", "sex"} & set(sheet.columns):
        sheet[column] = clean_words(sheet[column])
    if "age" in sheet.columns:
        sheet["age"] = clean_age(path, sheet)
    return sheet

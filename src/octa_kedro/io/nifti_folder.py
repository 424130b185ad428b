"""A source for volumes of any origin: a folder of NIfTI files, with or without a table of labels."""

import logging
from pathlib import Path

import pandas as pd

from octa_kedro.errors import DataError
from octa_kedro.io.hashing import hash_files
from octa_kedro.io.millimetres import Anatomy, require_depth_last, require_plausible
from octa_kedro.io.nifti_grid import NiftiGrid, read_grid, require_same_grid
from octa_kedro.io.nifti_header import AGREE
from octa_kedro.io.nifti_parts import read_mask, read_surfaces
from octa_kedro.io.source import Source
from octa_kedro.io.subject_table import SIZES, SubjectTable
from octa_kedro.io.volume import PlaneStack, Volume, require_usable

log = logging.getLogger(__name__)

SUFFIXES = (".nii.gz", ".nii")


class NiftiFolder(Source):
    """Volumes in NIfTI files (``.nii``, ``.nii.gz``).

    `place` is a folder (whose volumes ``subjects.csv`` names; without it all count), a table, a list of files or one
    file: see `SubjectTable`. Axes that are stored in another order or backwards (as ITK writes x and y) are turned
    together with their affine: `nifti_grid` says what is assumed of it. All files of one eye must lie on the same grid,
    by their affines. A surface file has the shape (x, y, surface); it holds the depths of 2 (ILM, BM), 3 (ILM, OPL_ONL,
    BM) or all 6 surfaces (`octa500.SURFACES`), in millimetres in the volume's frame. With an `anatomy` of any, sizes
    are not bounded, and tilted volumes are taken along their own axes.
    """

    def __init__(self, place: Path, remembered: Path | None = None, anatomy: Anatomy = "eye") -> None:
        self.remembered, self.anatomy, self._told = remembered, anatomy, False
        self.table = SubjectTable(place, SUFFIXES)

    def subjects(self) -> list[str]:
        """All subjects of the table, sorted."""
        return self.table.subjects()

    def unlisted(self) -> list[str]:
        """See `SubjectTable.unlisted`."""
        return self.table.unlisted()

    def labels(self) -> pd.DataFrame:
        """See `SubjectTable.labels`."""
        return self.table.labels()

    def patients(self) -> dict[str, str]:
        """See `SubjectTable.patients`."""
        return self.table.patients()

    def check(self, subject: str, modality: str) -> dict[str, float]:
        """See `Source.check`; reads the NIfTI header only."""
        grid = self._scan(subject, modality)
        if grid.turned and not self._told:
            self._told = True
            log.warning("%s: its affine says that its axes are %s; they are turned as it says", *_turning(grid))
        shape, extent_mm = grid.shape, grid.extent_mm
        return {
            "field_of_view_mm": round(extent_mm[0], 4),
            "width": shape[0],
            "n_bscans": shape[1],
            "depth": shape[2],
        }

    def dimensions(self, subject: str, modality: str) -> tuple[tuple[int, ...], tuple[float, float, float]]:
        """See `Source.dimensions`; reads the NIfTI header only."""
        grid = self._scan(subject, modality)
        return grid.shape, grid.extent_mm

    def volume(self, subject: str, modality: str) -> Volume:
        """The volume of `modality`, or the only one if the table names no other."""
        grid, scan = self._scan(subject, modality), self._scan(subject)
        side = self.table.laterality(subject)
        return require_usable(Volume(grid.read(), scan.affine, modality, side, str(grid.header.path), scan.frame))

    def names(self, subject: str) -> list[str]:
        """See `Source.names`."""
        return self.table.names(subject)

    def lesion(self, subject: str) -> Volume | None:
        """The mask of the column ``lesion_path``; DataError if it is no mask on the scan's grid."""
        path = self.table.extra(subject, "lesion")
        if path is None:
            return None
        scan = self._scan(subject)
        mask = read_mask(path, scan, subject=subject, anatomy=self.anatomy)
        return Volume(mask, scan.affine, "lesion", self.table.laterality(subject), str(path), scan.frame)

    def surfaces(self, subject: str) -> PlaneStack | None:
        """The surfaces of the column ``surfaces_path``, in millimetres; DataError if they do not fit the scan."""
        path = self.table.extra(subject, "surfaces")
        if path is None:
            return None
        scan = self._scan(subject)
        names, depths = read_surfaces(path, scan, subject=subject, anatomy=self.anatomy)
        return PlaneStack(depths, scan.affine, names, self.table.laterality(subject), str(path), frame=scan.frame)

    def scan_files(self, subject: str, modality: str) -> list[Path]:
        """See `Source.scan_files`."""
        return [self.table.file(subject, modality)]

    def drawn_files(self, subject: str) -> dict[str, Path]:
        """See `Source.drawn_files`."""
        found = {what: self.table.extra(subject, what) for what in ("surfaces", "lesion")}
        return {what: path for what, path in found.items() if path is not None}

    def fingerprint(self, subject: str, *modalities: str) -> str:
        """See `Source.fingerprint`."""
        return f"{self.table.laterality(subject)}-{hash_files(self.table.files(subject, *modalities), self.remembered)}"

    def _scan(self, subject: str, modality: str = "") -> NiftiGrid:
        """The checked grid of the volume in the column ``path``, or of the `modality` if that has a file of its own."""
        path, first = self.table.file(subject, modality), self.table.file(subject, "")
        grid = read_grid(path, self.anatomy)
        if self.anatomy == "eye" and grid.header.labels:
            raise DataError(f"{path}: its header says that it holds labels; name the scan they were drawn on")
        correct = "the spacing or the unit in its header"
        require_depth_last(grid.spacing, self.anatomy, where=path)
        require_plausible(grid.shape, grid.extent_mm, self.anatomy, where=path, correct=correct)
        self._compare_sizes(subject, grid)
        if path != first:
            require_same_grid(grid, self._scan(subject), what="a volume", subject=subject)
        return grid

    def _compare_sizes(self, subject: str, grid: NiftiGrid) -> None:
        """DataError if a size in the table is not that of the header, which is the one that counts."""
        for column, given, found in zip(SIZES, self.table.size_mm(subject), grid.extent_mm, strict=True):
            if given is not None and abs(given / found - 1) > AGREE:
                raise DataError(
                    f"{grid.header.path}: measures {found:.4g} mm by its header, but {given:g} mm by the column "
                    f"{column} of {self.table.path}; correct the one that is wrong"
                )


def _turning(grid: NiftiGrid) -> tuple[Path, str]:
    """The file, and the direction of each of its stored axes, such as ``y+, x-, z+``."""
    signs = {axis: "xyz"[k] + "+-"[back] for k, (axis, back) in enumerate(zip(grid.order, grid.backwards, strict=True))}
    return grid.header.path, ", ".join(signs[axis] for axis in range(3))

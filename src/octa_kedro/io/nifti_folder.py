"""A source for volumes of any origin: a folder of NIfTI files, with or without a table of labels."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.hashing import hash_files
from octa_kedro.io.nifti import check_nifti, read_nifti, read_volume
from octa_kedro.io.octa500 import SURFACES
from octa_kedro.io.source import Source
from octa_kedro.io.subject_table import SubjectTable
from octa_kedro.io.surface_files import check_surfaces
from octa_kedro.io.volume import PlaneStack, Volume, require_usable

SUFFIXES = (".nii.gz", ".nii")
SURFACE_NAMES = {2: ("ILM", "BM"), 3: ("ILM", "OPL_ONL", "BM"), 6: SURFACES}


class NiftiFolder(Source):
    """Volumes in NIfTI files (``.nii``, ``.nii.gz``).

    `place` is a folder (whose volumes ``subjects.csv`` names; without it all count), a table, a list of files or one
    file: see `SubjectTable`. Axes that run backwards (as ITK writes x and y) are reversed together with their affine.
    All volumes of one eye must lie on the same grid. A surface file has the shape (x, y, surface); it holds the depths
    of 2 (ILM, BM), 3 (ILM, OPL_ONL, BM) or all 6 surfaces (`octa500.SURFACES`), in millimetres in the volume's frame.
    """

    def __init__(self, place: Path, remembered: Path | None = None) -> None:
        self.remembered = remembered
        self.table = SubjectTable(place, SUFFIXES)

    def subjects(self) -> list[str]:
        """All subjects of the table, sorted."""
        return self.table.subjects()

    def labels(self) -> pd.DataFrame:
        """See `SubjectTable.labels`."""
        return self.table.labels()

    def check(self, subject: str, modality: str) -> dict[str, float]:
        """See `Source.check`; reads the NIfTI header only."""
        shape, extent_mm = self.dimensions(subject, modality)
        return {
            "field_of_view_mm": round(extent_mm[0], 4),
            "width": shape[0],
            "n_bscans": shape[1],
            "depth": shape[2],
        }

    def dimensions(self, subject: str, modality: str) -> tuple[tuple[int, ...], tuple[float, float, float]]:
        """See `Source.dimensions`; reads the NIfTI header only."""
        shape, spacing = check_nifti(self.table.file(subject, modality))
        return shape, (shape[0] * spacing[0], shape[1] * spacing[1], shape[2] * spacing[2])

    def volume(self, subject: str, modality: str) -> Volume:
        """The volume of `modality`, or the only one if the table names no other."""
        return require_usable(self._read(subject, self.table.file(subject, modality), modality))

    def lesion(self, subject: str) -> Volume | None:
        """The mask of the column ``lesion_path``; DataError if it is not on the scan's grid."""
        path = self.table.extra(subject, "lesion")
        if path is None:
            return None
        mask, (shape, _) = self._read(subject, path, "lesion"), check_nifti(self.table.file(subject, ""))
        if mask.array.shape != shape:
            raise DataError(f"{path}: mask of shape {mask.array.shape}, but the scan of {subject} has {shape}")
        return mask.with_array((mask.array != 0).astype(np.uint8))

    def surfaces(self, subject: str) -> PlaneStack | None:
        """The surfaces of the column ``surfaces_path``, in millimetres; DataError if they do not fit the scan."""
        path = self.table.extra(subject, "surfaces")
        if path is None:
            return None
        array, own_affine = read_nifti(path)
        scan = self._read(subject, self.table.file(subject, "OCT"), "OCT")
        names = SURFACE_NAMES.get(array.shape[2]) if array.ndim == 3 else None
        if names is None or array.shape[:2] != scan.array.shape[:2]:
            raise DataError(
                f"{path}: surfaces of shape {array.shape}, but {subject} needs {scan.array.shape[:2]} x 2 "
                "(ILM, BM), 3 (ILM, OPL_ONL, BM) or 6"
            )
        depths, _ = _along_axes(array, own_affine, axes=(0, 1))
        depths = np.asarray(depths, np.float32)
        voxels = (depths - scan.affine[2, 3]) / scan.affine[2, 2]
        check_surfaces(voxels, names, depth=scan.array.shape[2], who=f"subject {subject}: {path} (in millimetres)")
        return PlaneStack(depths, scan.affine, names, scan.laterality, str(path))

    def scan_files(self, subject: str, modality: str) -> list[Path]:
        """See `Source.scan_files`."""
        return [self.table.file(subject, modality)]

    def fingerprint(self, subject: str, *modalities: str) -> str:
        """See `Source.fingerprint`."""
        return f"{self.table.laterality(subject)}-{hash_files(self.table.files(subject, *modalities), self.remembered)}"

    def _read(self, subject: str, path: Path, modality: str) -> Volume:
        check_nifti(path)
        volume = read_volume(path, modality=modality, laterality=self.table.laterality(subject))
        return volume.with_array(*_along_axes(volume.array, volume.affine, axes=(0, 1, 2)))


def _along_axes(
    array: NDArray, affine: NDArray[np.float64], *, axes: tuple[int, ...]
) -> tuple[NDArray, NDArray[np.float64]]:
    """`array` with those of `axes` that run backwards reversed, and the affine that leaves every voxel where it was."""
    affine = affine.copy()
    for axis in axes:
        if affine[axis, axis] < 0:
            array = np.flip(array, axis)
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
    return array, affine

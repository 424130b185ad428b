"""A source of scans in the file formats of the devices, one file per eye."""

import logging
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from octa_kedro.errors import DataError
from octa_kedro.io.boundary import reading
from octa_kedro.io.dicom import dicom_size, read_dicom
from octa_kedro.io.e2e import read_e2e
from octa_kedro.io.hashing import hash_files
from octa_kedro.io.heidelberg import read_vol, vol_size
from octa_kedro.io.millimetres import Anatomy, require_depth_last, require_plausible
from octa_kedro.io.nifti_grid import NiftiGrid
from octa_kedro.io.nifti_header import AGREE
from octa_kedro.io.nifti_parts import read_mask, read_surfaces
from octa_kedro.io.optovue import refuse_oct
from octa_kedro.io.source import Source
from octa_kedro.io.subject_table import SIZES, SubjectTable
from octa_kedro.io.surface_files import check_surfaces
from octa_kedro.io.topcon import read_fda
from octa_kedro.io.vendor_scan import Modality, Reader, ScanSize, Spacing, VendorScan, known_modality
from octa_kedro.io.volume import Laterality, PlaneStack, Volume, require_usable, scan_affine
from octa_kedro.io.zeiss import img_size, read_img

logger = logging.getLogger(__name__)
MUCH_INVALID, TOO_MUCH_INVALID = 0.2, 0.9

READERS: Mapping[str, Reader] = MappingProxyType(
    {
        ".vol": Reader(read_vol, vol_size),
        ".e2e": Reader(read_e2e),
        ".fda": Reader(read_fda),
        ".img": Reader(read_img, img_size),
        ".oct": Reader(refuse_oct),
        ".dcm": Reader(read_dicom, dicom_size),
    }
)


class VendorFolder(Source):
    """Vendors' files: Heidelberg ``.vol`` and ``.e2e``, Topcon ``.fda``, Zeiss ``.img`` and DICOM (``.dcm``).

    `place` is a folder (whose files ``subjects.csv`` names; without it all count), a table, a list of files or one
    file: see `SubjectTable`. Lengths and laterality come from the table, or from the file if the table does not give
    them. Where a file does not tell the direction of an axis, a warning says so, once per format: compare a projection
    with the fundus picture (`preprocessing.orientation`) before you trust it.
    """

    def __init__(self, place: Path, remembered: Path | None = None, anatomy: Anatomy = "eye") -> None:
        self.remembered, self.anatomy = remembered, anatomy
        self._sides: dict[str, tuple[Path, Laterality | None]] = {}
        self.table = SubjectTable(place, tuple(READERS))

    def subjects(self) -> list[str]:
        """All subjects, sorted."""
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
        """See `Source.check`; formats whose header does not give the size are read completely."""
        shape, extent = self.dimensions(subject, modality)
        return {"field_of_view_mm": round(extent[0], 4), "width": shape[0], "n_bscans": shape[1], "depth": shape[2]}

    def dimensions(self, subject: str, modality: str) -> tuple[tuple[int, ...], tuple[float, float, float]]:
        """See `Source.dimensions`; formats whose header does not give the size are read completely."""
        path = self.table.file(subject, modality)
        shape, spacing = _size(path, known_modality(modality))
        return shape, self._extent(subject, path, shape, spacing)

    def volume(self, subject: str, modality: str) -> Volume:
        """The scan of one modality; DataError if the eye's file does not hold it."""
        path = self.table.file(subject, modality)
        scan = _read(path, known_modality(modality))
        affine = scan_affine(scan.array.shape, self._extent(subject, path, scan.array.shape, scan.spacing))
        side = self._side(subject, path, scan)
        _warn(path, scan)
        return require_usable(Volume(scan.array, affine, scan.modality, side, str(path)))

    def surfaces(self, subject: str) -> PlaneStack | None:
        """The surfaces of the column ``surfaces_path`` (NIfTI), else the segmentation in the file of the OCT (or in the
        only file), in millimetres; None if there is none."""
        if (own := self.table.extra(subject, "surfaces")) is not None:
            scan_grid, side = self._grid(subject)
            names, depths = read_surfaces(own, scan_grid, subject=subject, anatomy=self.anatomy)
            return PlaneStack(depths, scan_grid.affine, names, side, str(own))
        path = self.table.file(subject, "OCT")
        if (scan := _read(path, None)).surfaces is None:
            return None
        check_surfaces(scan.surfaces, scan.names, depth=scan.array.shape[2], who=f"subject {subject}: {path}")
        affine = scan_affine(scan.array.shape, self._extent(subject, path, scan.array.shape, scan.spacing))
        millimetres = (scan.surfaces * affine[2, 2] + affine[2, 3]).astype(np.float32)
        return PlaneStack(millimetres, affine, scan.names, self._side(subject, path, scan), str(path))

    def scan_files(self, subject: str, modality: str) -> list[Path]:
        """See `Source.scan_files`."""
        return [self.table.file(subject, modality)]

    def names(self, subject: str) -> list[str]:
        """See `Source.names`."""
        return self.table.names(subject)

    def lesion(self, subject: str) -> Volume | None:
        """The mask of the column ``lesion_path`` (NIfTI); DataError if it is no mask on the scan's grid."""
        if (path := self.table.extra(subject, "lesion")) is None:
            return None
        grid, side = self._grid(subject)
        mask = read_mask(path, grid, subject=subject, anatomy=self.anatomy)
        return Volume(mask, grid.affine, "lesion", side, str(path))

    def _grid(self, subject: str) -> tuple[NiftiGrid, Laterality | None]:
        """The grid of the scan in the column ``path``, to lay other files on, and its side."""
        path = self.table.file(subject, "")
        scan = _read(path, None)
        shape = scan.array.shape
        affine = scan_affine(shape, self._extent(subject, path, shape, scan.spacing))
        grid = NiftiGrid.of(path, affine, (shape[0], shape[1], shape[2]))
        return grid, self._side(subject, path, scan)

    def _side(self, subject: str, path: Path, scan: VendorScan) -> Laterality | None:
        """The eye by the table, else by the file. A warning says where they contradict each other; DataError if two
        files of the subject do."""
        other, side = self._sides.get(subject, (path, scan.laterality))
        if other != path and side and scan.laterality not in (None, side):
            raise DataError(
                f"subject {subject}: {other} is of {side}, but {path} of {scan.laterality}; name files of one eye"
            )
        stated = self.table.laterality(subject)
        if subject not in self._sides and stated and scan.laterality not in (None, stated):
            logger.warning("%s is of %s, but %s says %s, which counts", path, scan.laterality, self.table.path, stated)
        if scan.laterality:
            self._sides[subject] = path, scan.laterality
        return stated or scan.laterality

    def fingerprint(self, subject: str, *modalities: str) -> str:
        """See `Source.fingerprint`."""
        stated = f"{self.table.laterality(subject)}-{self.table.size_mm(subject)}"
        files = [*self.table.files(subject, *modalities), self.table.file(subject, "OCT")]
        return f"{stated}-{hash_files(files, self.remembered)}"

    def _extent(self, subject: str, path: Path, shape: tuple[int, ...], stored: Spacing) -> tuple[float, float, float]:
        """Size (x, y, z) of the scan in millimetres, from the table or else the file.

        DataError if neither gives it, or if it is not that of the scan in the column ``path``.
        """
        extent = []
        for column, given, n, spacing in zip(SIZES, self.table.size_mm(subject), shape, stored, strict=True):
            length = given if given is not None else spacing * n if spacing is not None else None
            if length is None or not np.isfinite(length) or length <= 0:
                raise DataError(
                    f"subject {subject}: {path} gives no usable length for {column} ({length}); give it in the column "
                    f"{column} of {self.table.where_stated()}"
                )
            extent.append(float(length))
        correct = f"{', '.join(SIZES)} in {self.table.path or self.table.root / 'subjects.csv'}"
        size = extent[0], extent[1], extent[2]
        by_device = self.table.size_mm(subject) == (None, None, None)
        require_plausible(shape, size, self.anatomy, where=path, correct=correct, part=by_device)
        require_depth_last((size[0] / shape[0], size[1] / shape[1], size[2] / shape[2]), self.anatomy, where=path)
        self._require_one_grid(subject, path, shape, size)
        return size

    def _require_one_grid(
        self, subject: str, path: Path, shape: tuple[int, ...], extent: tuple[float, float, float]
    ) -> None:
        first = self.table.file(subject, "")
        if path == first:
            return
        other, spacing = _size(first, None)
        other_extent = self._extent(subject, first, other, spacing)
        if shape != other or any(abs(a / b - 1) > AGREE for a, b in zip(extent, other_extent, strict=True)):
            raise DataError(
                f"{path}: {_described(shape, extent)}, but {first} of the same subject has "
                f"{_described(other, other_extent)}; path and oct_path have to be two files of one scan"
            )


def _described(shape: tuple[int, ...], extent: tuple[float, float, float]) -> str:
    return f"{' x '.join(map(str, shape))} voxels over {' x '.join(f'{length:.4g}' for length in extent)} mm"


def _size(path: Path, modality: Modality | None) -> ScanSize:
    """Shape and spacing, from the header if it tells them."""
    if (size := _reader(path).size) is not None:
        with reading(path):
            return size(path, modality)
    scan = _read(path, modality)
    x, y, z = scan.array.shape
    return ScanSize((x, y, z), scan.spacing)


def _reader(path: Path) -> Reader:
    if path.suffix.lower() not in READERS:
        raise DataError(f"{path}: no reader for {path.suffix or 'a file without ending'}; known: {', '.join(READERS)}")
    return READERS[path.suffix.lower()]


def _warn(path: Path, scan: VendorScan) -> None:
    """Warnings of what to look at; DataError if hardly any voxel was measured."""
    if scan.invalid > TOO_MUCH_INVALID:
        raise DataError(f"{path}: {scan.invalid:.0%} of its voxels could not be measured; leave the eye out")
    if scan.invalid > MUCH_INVALID:
        logger.warning("%s: %.0f %% of its voxels could not be measured and are 0", path, 100 * scan.invalid)
    if scan.unstated:
        _warn_directions(path.suffix.lower(), scan.unstated)


@lru_cache
def _warn_directions(suffix: str, axes: tuple[str, ...]) -> None:
    logger.warning(
        "%s files do not tell the direction of %s: the file's order is kept; compare a projection with the fundus "
        "picture of your scanner",
        suffix,
        " and ".join(axes),
    )


def _read(path: Path, modality: Modality | None) -> VendorScan:
    reader, stat = _reader(path), path.stat()
    scans = _scans(path, stat.st_mtime_ns, stat.st_size)
    for scan in scans:
        if modality in (None, scan.modality):
            return scan
    scans.clear()
    with reading(path):
        scans.append(reader.read(path, modality))
    return scans[0]


@lru_cache(maxsize=1)  # check, volume and surfaces of one eye are called one after another
def _scans(path: Path, modified: int, size: int) -> list[VendorScan]:
    """The scan that was read last from this version of a file, if any."""
    return []

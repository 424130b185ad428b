"""A plain source for any labelled volumes: a folder of NIfTI files and one CSV."""

from functools import cached_property
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.filebasedimages import ImageFileError

from octa_kedro.errors import DataError
from octa_kedro.io.hashing import hash_files
from octa_kedro.io.nifti import read_volume
from octa_kedro.io.volume import PlaneStack, Volume

TABLE = "subjects.csv"
NEEDED = ("subject", "path", "label")


class NiftiFolder:
    """Volumes named by ``subjects.csv`` in `root`; implements `io.source.Source`.

    Columns: ``subject``, ``path`` (relative to the folder), ``label``, and optionally ``split`` (train,
    validation or test; then the splits are taken from it and none are drawn). No surfaces, no lesions, and
    whatever modality is asked for, there is the one volume.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        if not (self.root / TABLE).is_file():
            raise DataError(
                f"{self.root / TABLE}: no such file; give a folder with a CSV of the columns "
                f"{', '.join(NEEDED)} (and split) with --params source.path=FOLDER"
            )

    @cached_property
    def table(self) -> pd.DataFrame:
        """The CSV, checked; the index is the subject."""
        path = self.root / TABLE
        try:
            table = pd.read_csv(
                path, dtype={"subject": str, "label": str}, skipinitialspace=True, keep_default_na=False
            )
        except ValueError as error:  # empty, not a table, not UTF-8
            raise DataError(f"{path}: cannot be read as a CSV ({error})") from error
        if missing := [column for column in NEEDED if column not in table.columns]:
            raise DataError(f"{path}: needs the column {', '.join(missing)}; it has {', '.join(table.columns)}")
        if len(twice := table.loc[table["subject"].duplicated(), "subject"]):
            raise DataError(f"{path}: subject {', '.join(twice.unique()[:5])} stands more than once; keep one row")
        return table.set_index("subject")

    def subjects(self) -> list[str]:
        """All subjects of the table, sorted."""
        return sorted(self.table.index)

    def labels(self) -> pd.DataFrame:
        """The table with ``label`` as ``disease``."""
        kept = [c for c in ("label", "split") if c in self.table.columns]
        return self.table[kept].rename(columns={"label": "disease"}).reset_index()

    def check(self, subject: str, modality: str) -> dict[str, float]:
        """See `Source.check`; reads the NIfTI header only."""
        path = self._path(subject)
        try:
            header = nib.load(path).header
        except (ImageFileError, OSError) as error:
            raise DataError(f"{path}: not a readable NIfTI file ({error})") from error
        shape, spacing = header.get_data_shape(), header.get_zooms()
        if len(shape) != 3:
            raise DataError(f"{path}: a volume has 3 axes (x, y, z), this file has shape {shape}")
        return {
            "field_of_view_mm": round(float(shape[0] * spacing[0]), 4),
            "width": shape[0],
            "n_bscans": shape[1],
            "depth": shape[2],
        }

    def volume(self, subject: str, modality: str) -> Volume:
        """The volume, with axes that run backwards (as ITK writes x and y) turned round with their affine."""
        volume = read_volume(self._path(subject), modality=modality)
        array, affine = volume.array, volume.affine.copy()
        for axis in range(3):
            if affine[axis, axis] < 0:
                array = np.flip(array, axis)
                affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
                affine[:3, axis] *= -1
        return volume.with_array(array, affine)

    def surfaces(self, subject: str) -> PlaneStack | None:
        """None: this source has no surfaces."""
        return None

    def lesion(self, subject: str) -> Volume | None:
        """None: this source has no lesion masks."""
        return None

    def fingerprint(self, subject: str, *modalities: str) -> str:
        """See `Source.fingerprint`."""
        return hash_files([self._path(subject)])

    def _path(self, subject: str) -> Path:
        if subject not in self.table.index:
            raise DataError(f"subject {subject}: not in {self.root / TABLE}")
        path = self.root / str(self.table.loc[subject, "path"])
        if not path.is_file():
            raise DataError(f"subject {subject}: {path} does not exist; mend the path in {self.root / TABLE}")
        return path

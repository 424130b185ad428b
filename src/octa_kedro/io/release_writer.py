"""Writer of the OCTA-500 release layout: what `Octa500Release` reads, one eye at a time, whole or not at all."""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat
from tqdm import tqdm

from octa_kedro.errors import DataError
from octa_kedro.io.release import LABEL_SHEETS, SURFACE_INDEX_BASE, plane_to_picture
from octa_kedro.io.volume import Laterality, scan_affine

RECORDS = ".written"  # one small file per finished eye: the hash of the recipe it was made by


class WritableEye(Protocol):
    """What an eye must offer to be written.

    Volumes are ``[x, y, z]``, surfaces ``(6, x, y)`` in voxels from 0, projections ``[x, y]`` by their name in
    the release, such as ``OCTA(ILM_OPL)``.
    """

    @property
    def oct(self) -> NDArray[np.uint8]: ...
    @property
    def octa(self) -> NDArray[np.uint8]: ...
    @property
    def surfaces(self) -> NDArray[np.float32]: ...
    @property
    def lesion(self) -> NDArray[np.uint8]: ...
    @property
    def projections(self) -> Mapping[str, NDArray[np.float32]]: ...
    @property
    def extent_mm(self) -> tuple[float, float, float]: ...
    @property
    def laterality(self) -> Laterality: ...


@dataclass(frozen=True)
class EyeRecipe:
    """One eye that is made when it is written; `key` is the hash of what it is made of."""

    key: str
    make: Callable[[], WritableEye]


@dataclass(frozen=True)
class PhantomCohort:
    """Eyes to be written as a release: the label sheet (ID, Sex, OS/OD, Age, Disease) and a recipe per ID."""

    table: pd.DataFrame
    recipes: Mapping[str, EyeRecipe]


def write_release(root: Path, table: pd.DataFrame, recipes: Mapping[str, EyeRecipe]) -> None:
    """Write the eyes of `table` (columns ID, Sex, OS/OD, Age, Disease) below `root`.

    `recipes` holds, for each ID, the hash of what the eye is made of and a function that makes it. An eye
    whose finished copy has the same hash is left alone, so an interrupted run continues and a repeated one
    does nothing; eyes that are no longer in `table` are removed. DataError if `root` holds files that this
    function did not write: a real release must never be overwritten.
    """
    records = root / RECORDS
    if root.is_dir() and any(root.iterdir()) and not records.is_dir():
        raise DataError(f"{root}: holds files that are not a phantom; choose an empty folder for the phantom")
    records.mkdir(parents=True, exist_ok=True)
    for stale in {path.stem for path in records.glob("*.json")} - recipes.keys():
        _remove_eye(root, stale)
    # A label sheet promises that its eyes are there, so it goes first and comes back last.
    for sheet in root.glob(f"OCTA_*/{LABEL_SHEETS[0]}"):
        sheet.unlink()
    missing = [subject for subject, recipe in recipes.items() if _recorded_key(records, subject) != recipe.key]
    for subject in tqdm(missing, desc="phantom eyes", unit="eye", mininterval=1, disable=not missing):
        _remove_eye(root, subject)
        eye = recipes[subject].make()
        _write_eye(root, subject, eye)
        record = {"key": recipes[subject].key, "field": _field_name(eye)}
        partial = records / f".{subject}.partial"
        partial.write_text(json.dumps(record))
        partial.replace(records / f"{subject}.json")
    _write_sheets(root, table)


def _recorded_key(records: Path, subject: str) -> str | None:
    path = records / f"{subject}.json"
    return json.loads(path.read_text())["key"] if path.is_file() else None


def _field_name(eye: WritableEye) -> str:
    return f"OCTA_{eye.extent_mm[0]:g}mm"


def _write_eye(root: Path, subject: str, eye: WritableEye) -> None:
    field = root / _field_name(eye)
    for modality, array in (("OCT", eye.oct), ("OCTA", eye.octa)):
        folder = field / modality / subject
        folder.mkdir(parents=True)
        for number in range(array.shape[1]):
            Image.fromarray(np.ascontiguousarray(array[:, number].T)).save(folder / f"{number + 1}.bmp")
    for name, plane in eye.projections.items():
        target = field / "Projection Maps" / name / f"{subject}.bmp"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(_to_grey(plane_to_picture(plane))).save(target)
    layers = root / "Label" / "GT_Layers" / f"{subject}.mat"
    layers.parent.mkdir(parents=True, exist_ok=True)
    savemat(layers, {"Layer": np.rint(eye.surfaces).astype(np.uint16) + SURFACE_INDEX_BASE}, do_compression=True)
    lesion = root / "Label" / "GT_Lesion" / f"{subject}.nii.gz"
    lesion.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(eye.lesion, scan_affine(eye.lesion.shape, eye.extent_mm)).to_filename(lesion)


def _to_grey(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Stretched to 0..255, as the release's maps are."""
    high = float(np.percentile(picture, 99.9)) or 1.0
    return np.ascontiguousarray(np.clip(picture / high * 255, 0, 255).astype(np.uint8))


def _remove_eye(root: Path, subject: str) -> None:
    (root / RECORDS / f"{subject}.json").unlink(missing_ok=True)
    for folder in root.glob(f"OCTA_*/OCT*/{subject}"):
        shutil.rmtree(folder)
    leftovers: Iterable[Path] = [
        *root.glob(f"OCTA_*/Projection Maps/*/{subject}.bmp"),
        *root.glob(f"Label/*/{subject}.*"),
    ]
    for path in leftovers:
        path.unlink()


def _write_sheets(root: Path, table: pd.DataFrame) -> None:
    fields = {p.stem: json.loads(p.read_text())["field"] for p in (root / RECORDS).glob("*.json")}
    for field, rows in table.groupby(table["ID"].astype(str).map(fields)):
        target = root / str(field) / LABEL_SHEETS[0]
        partial = target.with_name(".partial.xlsx")
        rows[["ID", "Sex", "OS/OD", "Age", "Disease"]].to_excel(partial, index=False)
        partial.replace(target)

"""Writer of the OCTA-500 release layout: what `Octa500Release` reads, each eye written atomically."""

import fcntl
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import nibabel as nib
import numpy as np
import pandas as pd
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat
from threadpoolctl import threadpool_limits

from octa_kedro.errors import DataError, OctaError
from octa_kedro.io.octa500 import LABEL_SHEETS, SURFACE_INDEX_BASE, plane_to_picture
from octa_kedro.io.progress import progress
from octa_kedro.io.volume import Laterality, scan_affine

RECORDS = ".written"  # one small file per finished eye: the hash of the recipe it was made by
CODE = ".code"  # among the records: what the newest of them were made by
LOCK = ".lock"  # among the records: held by who writes, says which run that is
# Every place that holds a file or folder of an eye, in the order of removal: the record vouches for the others,
# and by the scans' folders an eye is found again whose removal was interrupted.
PLACES = (f"{RECORDS}/{{}}.json", "OCTA_*/Projection Maps/*/{}.bmp", "Label/*/{}.*", "OCTA_*/OCT*/{}")
TRUTH = "Label/phantom_truth.csv"
SHEET_COLUMNS = ["ID", "Sex", "OS/OD", "Age", "Disease"]
TRUTH_COLUMNS = ["ID", "drawn", "severity", "quality"]
GREY_PERCENTILE = 99.0
"""Of the released maps' pixels 1 % are saturated (60 maps of OCTA-500, measured)."""


class WritableEye(Protocol):
    """What an eye must offer to be written.

    Volumes are ``[x, y, z]``, surfaces ``(6, x, y)`` in voxels from 0, projections ``[x, y]`` by their name in
    the release, such as ``OCTA(ILM_OPL)``. `lesion` holds 0 for healthy tissue or the number of a finding.
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
    """One eye that is made when it is written; `key` is the hash of what it is made of.

    `make` is sent to the process that writes the eye.
    """

    key: str
    make: Callable[[], WritableEye]


@dataclass(frozen=True)
class PhantomCohort:
    """Eyes to be written as a release: see `write_release`. `code` says in JSON by which code they are made."""

    table: pd.DataFrame
    recipes: Mapping[str, EyeRecipe]
    workers: int | None = None
    code: Mapping[str, Any] | None = None


def write_release(
    root: Path,
    table: pd.DataFrame,
    recipes: Mapping[str, EyeRecipe],
    *,
    workers: int | None = None,
    code: Mapping[str, Any] | None = None,
) -> None:
    """Write the eyes of `table` (columns `SHEET_COLUMNS` and `TRUTH_COLUMNS`) below `root`.

    `recipes` holds, for each ID, the hash of what the eye is made of and a function that makes it. An eye
    whose finished copy has the same hash is left alone, so an interrupted run continues and a repeated one
    does nothing; whatever else there is of an eye is removed. `workers` processes (None: one per core that this
    process may use; 1: none but this one) each make and write one eye at a time; the bytes are the same for any
    number. `code` is kept for `recorded_code`. DataError if `root` holds files that this function did not write: a real
    release must never be overwritten. An error in an eye names the eye, and the finished ones stay.
    """
    records = root / RECORDS
    if root.is_dir() and any(root.iterdir()) and not records.is_dir():
        raise DataError(f"{root}: holds files that are not a phantom; choose an empty folder for the phantom")
    records.mkdir(parents=True, exist_ok=True)
    with (records / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OctaError(f"{root}: another run is still writing here; wait for its end") from None
        run = uuid4().hex
        (records / LOCK).write_text(run)
        # A label sheet promises that its eyes are there, so it goes first and comes back last.
        for sheet in [*root.glob(f"OCTA_*/{LABEL_SHEETS[0]}"), root / TRUTH]:
            sheet.unlink(missing_ok=True)
        _replace(records / CODE, json.dumps(code).encode())
        missing = {eye: recipe for eye, recipe in recipes.items() if _recorded_key(records, eye) != recipe.key}
        for subject in _eyes_on_disk(root) - (recipes.keys() - missing.keys()):
            _remove_eye(root, subject)
        fcntl.flock(lock, fcntl.LOCK_SH)  # together with the processes that write the eyes
        eyes = _write_eyes(root, run, missing, workers or cpu_count())
        for _ in progress(eyes, desc="phantom eyes", total=len(missing), unit="eye"):
            pass
        _write_sheets(root, table)
        (records / LOCK).write_text("")


def enface_picture(plane: NDArray) -> NDArray[np.uint8]:
    """A projection ``[x, y]`` as the release shows it: superior at the top, stretched to 0..255."""
    picture = plane_to_picture(plane)
    high = float(np.percentile(picture, GREY_PERCENTILE)) or 1.0
    return np.ascontiguousarray(np.clip(picture / high * 255, 0, 255).astype(np.uint8))


def _write_eyes(root: Path, run: str, recipes: Mapping[str, EyeRecipe], workers: int) -> Iterator[str]:
    """The eyes as they are finished."""
    workers = min(workers, len(recipes))
    if workers <= 1:
        yield from (_finish(root, run, subject, recipe) for subject, recipe in recipes.items())
        return
    # loky starts fresh processes: a forked copy of one that has used torch or OpenMP can hang
    pool = Parallel(workers, backend="loky", return_as="generator_unordered", batch_size=1, inner_max_num_threads=1)
    try:
        yield from pool(delayed(_finish)(root, run, subject, recipe) for subject, recipe in recipes.items())
    except BrokenProcessPool as error:
        raise OctaError(
            f"{root}: a process that was making eyes was killed, perhaps for want of memory; run again to continue"
            " with the missing eyes, with fewer at a time by phantom.workers"
        ) from error


def _finish(root: Path, run: str, subject: str, recipe: EyeRecipe) -> str:
    """Make an eye, write it, and only then record it."""
    records = root / RECORDS
    with (records / LOCK).open() as lock:
        # A process may outlive the run that started it; it must not meddle with the next one's eyes.
        fcntl.flock(lock, fcntl.LOCK_SH)
        if lock.read() != run:
            raise OctaError(f"{root}: another run has begun to write here")
        try:
            # the rounding of a sum depends on how many threads share it
            with threadpool_limits(1):
                eye = recipe.make()
            _write_eye(root, subject, eye)
        except OctaError as error:
            raise type(error)(f"eye {subject}: {error}") from error
        except Exception as error:
            raise RuntimeError(f"eye {subject}: {type(error).__name__}: {error}") from error
        record = {"key": recipe.key, "field": _field_name(eye)}
        _replace(records / f"{subject}.json", json.dumps(record).encode())
    return subject


def recorded_keys(root: Path) -> dict[str, str]:
    """The key of each finished eye below `root`."""
    return {path.stem: json.loads(path.read_text())["key"] for path in (root / RECORDS).glob("*.json")}


def recorded_code(root: Path) -> dict[str, Any] | None:
    """The code that `write_release` was given last for `root`; None if it is not known."""
    path = root / RECORDS / CODE
    return json.loads(path.read_text()) if path.is_file() else None


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
        Image.fromarray(enface_picture(plane)).save(target)
    layers = root / "Label" / "GT_Layers" / f"{subject}.mat"
    layers.parent.mkdir(parents=True, exist_ok=True)
    _write_layers(layers, eye.surfaces)
    lesion = root / "Label" / "GT_Lesion" / f"{subject}.nii.gz"
    lesion.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(eye.lesion, scan_affine(eye.lesion.shape, eye.extent_mm)).to_filename(lesion)


def _write_layers(path: Path, surfaces: NDArray[np.float32]) -> None:
    savemat(path, {"Layer": np.rint(surfaces).astype(np.uint16) + SURFACE_INDEX_BASE}, do_compression=True)
    with path.open("r+b") as file:
        # the first 116 bytes are free text, into which scipy writes the time
        file.write(b"MATLAB 5.0 MAT-file, written by octa_kedro".ljust(116))


def _sheet_file(rows: pd.DataFrame) -> bytes:
    """An Excel file that does not say when it was made, as its properties and every part of it otherwise do."""
    made, timeless = io.BytesIO(), io.BytesIO()
    rows.to_excel(made, index=False, engine="openpyxl")
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(timeless, "w") as target:
        for name in source.namelist():
            part = source.read(name)
            if name == "docProps/core.xml":
                part = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z", part)
            target.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
    return timeless.getvalue()


def _eyes_on_disk(root: Path) -> set[str]:
    """Every eye that has a record or a scan below `root`, finished or not."""
    records, scans = root.glob(PLACES[0].format("*")), root.glob(PLACES[-1].format("*"))
    return {path.stem for path in records} | {path.name for path in scans if path.is_dir()}


def _remove_eye(root: Path, subject: str) -> None:
    for place in PLACES:
        for path in [*root.glob(place.format(subject))]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _write_sheets(root: Path, table: pd.DataFrame) -> None:
    fields = {p.stem: json.loads(p.read_text())["field"] for p in (root / RECORDS).glob("*.json")}
    for field, rows in table.groupby(table["ID"].astype(str).map(fields)):
        _replace(root / str(field) / LABEL_SHEETS[0], _sheet_file(rows[SHEET_COLUMNS]))
    _replace(root / TRUTH, table[TRUTH_COLUMNS].to_csv(index=False, lineterminator="\n").encode())


def _replace(path: Path, content: bytes) -> None:
    """Write a file atomically; what a killed process leaves is no ``*.json``, which would be taken for a record."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)

"""The files of the OCTA-500 release layout: those of one eye, and label sheets. Equal inputs give equal bytes."""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from octa_kedro.io.octa500 import SURFACE_INDEX_BASE, plane_to_picture
from octa_kedro.io.volume import Laterality, scan_affine

GREY_PERCENTILE = 99.0
"""Of the pixels of released maps, 1 % are saturated (measured in 60 maps of OCTA-500)."""


class WritableEye(Protocol):
    """The attributes that an eye must have to be written.

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


def field_name(eye: WritableEye) -> str:
    """Name of the folder for the eye's field of view, such as ``OCTA_3mm``."""
    return f"OCTA_{eye.extent_mm[0]:g}mm"


def write_eye(root: Path, subject: str, eye: WritableEye) -> None:
    """Write all files of one eye below `root`, where it has none yet."""
    field = root / field_name(eye)
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
        # scipy writes the time into the first 116 bytes, which are free text
        file.write(b"MATLAB 5.0 MAT-file, written by octa_kedro".ljust(116))


def enface_picture(plane: NDArray) -> NDArray[np.uint8]:
    """A projection ``[x, y]`` as the release shows it: superior at the top, stretched to 0..255."""
    picture = plane_to_picture(plane)
    high = float(np.percentile(picture, GREY_PERCENTILE)) or 1.0
    return np.ascontiguousarray(np.clip(picture / high * 255, 0, 255).astype(np.uint8))


def sheet_file(rows: pd.DataFrame) -> bytes:
    """Bytes of an Excel file with `rows`, without the times at which it and its parts were made."""
    made, timeless = io.BytesIO(), io.BytesIO()
    rows.to_excel(made, index=False, engine="openpyxl")
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(timeless, "w") as target:
        for name in source.namelist():
            part = source.read(name)
            if name == "docProps/core.xml":
                part = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z", part)
            target.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
    return timeless.getvalue()

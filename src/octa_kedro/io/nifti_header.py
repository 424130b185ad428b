"""What the header of a NIfTI file states about sizes and directions, in all places where it does; or an error.

A header has up to three opinions: pixdim (the size of a voxel), the qform (pixdim turned by a quaternion) and the sform
(any affine). nibabel takes the sform before the qform, corrects bad numbers in silence, and makes up an affine that
mirrors x where neither is set. Here they have to agree, and what nobody has stated is not made up.
Source of the meanings: nifti1.h, https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
"""

from dataclasses import dataclass
from gzip import BadGzipFile
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.openers import ImageOpener
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from octa_kedro.errors import DataError, machine_fault
from octa_kedro.io.hushed import unquoted
from octa_kedro.io.nifti import UNREADABLE
from octa_kedro.messages.words import first_words

HEADERS = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
MAGIC = {348: b"n+1\0", 540: b"n+2\0"}
OTHER_COMPRESSION = (".bz2", ".zst")  # nibabel would read them, but not to the end, where their checksums are
GZIP = b"\x1f\x8b"
MM = {0: 1.0, 1: 1e3, 2: 1.0, 3: 1e-3}
"""Millimetres in the units of xyzt_units: not stated, metre, millimetre, micrometre."""
MOST_HEADER = 1 << 24
"""Bytes before the first voxel: of the header and its extensions."""
LAST_CODE = 5  # NIFTI_XFORM_TEMPLATE_OTHER
LABELS = 1002
NO_GREY_VALUES = {1004: "matrices", 1005: "matrices", 1006: "displacements", 1007: "vectors", 1008: "points",
                  1009: "triangles", 1010: "quaternions", 2003: "colours", 2004: "colours"}  # fmt: skip
AGREE = 0.01
"""Relative difference of spacings, and difference of unit vectors of directions, up to which statements agree."""


@dataclass(frozen=True)
class Header:
    """A header, checked: shape (x, y, z) as stored, spacing of the stored axes in millimetres, and the affine to
    millimetres that the file states; None if it states none. `labels`: whether its numbers are labels, not grey values.
    """

    path: Path
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    affine: NDArray[np.float64] | None
    labels: bool = False


def read_header(path: Path) -> Header:
    """The header of a volume in a single NIfTI file.

    DataError names the file if it is none, if it has not three axes (further axes of length one are ignored) or numbers
    that are no grey values, if its unit, spacing, codes or scaling cannot be, and if what it states in several places
    does not agree.
    """
    raw = _read_raw(path)
    shape = _shape(path, raw)
    _check_numbers(path, raw)
    _check_length(path, raw, shape)
    unit = MM.get(int(raw["xyzt_units"]) & 7)
    if unit is None:
        raise DataError(f"{path}: the unit of length {int(raw['xyzt_units']) & 7} in its header does not exist (1: "
                        "metre, 2: millimetre, 3: micrometre); correct xyzt_units")  # fmt: skip
    pixdim = np.array(raw["pixdim"][1:4], float) * unit
    qform, sform = _affine(path, raw, "qform", unit), _affine(path, raw, "sform", unit)
    if problem := _disagreement(pixdim, qform, sform):
        raise DataError(
            f"{path}: its header {problem}: pixdim {_show(pixdim)}; qform {_describe(qform)}; sform {_describe(sform)};"
            " correct the wrong one, or set its code to 0 (pixdim: write the right spacing)"
        )
    affine = sform if sform is not None else qform
    spacing = pixdim if affine is None else np.linalg.norm(affine[:3, :3], axis=0)
    x, y, z = map(float, spacing)
    return Header(path, shape, (x, y, z), affine, int(raw["intent_code"]) == LABELS)


def _read_raw(path: Path) -> nib.Nifti1Header:
    """The header with the numbers that the file has, none corrected."""
    if (ending := path.suffix.lower()) in OTHER_COMPRESSION:
        raise DataError(f"{path}: is compressed in a way that is not read ({ending}); unpack it to .nii, or use gzip")
    try:
        with ImageOpener(path, "rb") as file:
            data = file.read(max(HEADERS))
    except BadGzipFile as error:
        raise DataError(
            f"{path}: is not compressed, as its name says; if it is a NIfTI file, let its name end with .nii, or else "
            "replace it"
        ) from error
    except UNREADABLE as error:
        if machine_fault(error) is not None:
            raise
        raise DataError(f"{path}: not a readable NIfTI file ({unquoted(error)}); replace it or leave it out") from error
    if data.startswith(GZIP):
        remedy = "decompress it once" if path.suffix.lower() == ".gz" else "let its name end with .nii.gz"
        raise DataError(f"{path}: is compressed, against what its name says; {remedy}")
    orders = {int.from_bytes(data[:4], "little"): "<", int.from_bytes(data[:4], "big"): ">"}
    size = next((size for size in HEADERS if size in orders and len(data) >= size), None)
    if size is None:
        what = "no header of NIfTI-1 or -2" if data else "it is empty"
        raise DataError(f"{path}: not a readable NIfTI file ({what}); replace it or leave it out")
    raw = HEADERS[size](data[:size], orders[size], check=False)
    if raw["magic"].tobytes() != MAGIC[size]:
        raise DataError(
            f"{path}: not a readable NIfTI file (a header without its voxels, or Analyze 7.5, which does not tell "
            "directions); convert it to one .nii file whose directions you know"
        )
    return raw


def _shape(path: Path, raw: nib.Nifti1Header) -> tuple[int, int, int]:
    n = int(raw["dim"][0])
    shape = tuple(int(length) for length in raw["dim"][1 : n + 1])
    if len(shape) < 3 or any(length != 1 for length in shape[3:]) or min(shape) < 1:
        raise DataError(f"{path}: a volume has 3 axes (x, y, z), this file has shape {shape}; keep one volume")
    return shape[0], shape[1], shape[2]


def _check_length(path: Path, raw: nib.Nifti1Header, shape: tuple[int, ...]) -> None:
    """DataError if the length of an uncompressed file is not what its header needs."""
    kind = raw.get_data_dtype()
    begin = float(raw["vox_offset"])
    if not 0 <= begin <= MOST_HEADER:
        raise DataError(f"{path}: its voxels begin at byte {begin:g} by its header; replace it or leave it out")
    expected, found = int(begin) + int(np.prod(shape, dtype=object)) * kind.itemsize, path.stat().st_size
    if path.suffix.lower() == ".nii" and found != expected:
        raise DataError(
            f"{path}: its header states {' x '.join(map(str, shape))} voxels of {kind}, which need a file of "
            f"{expected} bytes, but it has {found}; replace it or leave it out"
        )


def _check_numbers(path: Path, raw: nib.Nifti1Header) -> None:
    """DataError if the file's numbers are no grey values, or their scaling is none or loses them."""
    try:
        kind = raw.get_data_dtype()
    except (KeyError, HeaderDataError) as error:
        raise DataError(
            f"{path}: its header has a type of numbers that does not exist ({first_words(error)})"
        ) from error
    intent = NO_GREY_VALUES.get(int(raw["intent_code"]))
    if kind.kind not in "iuf" or intent:
        what = intent or ("colours" if kind.fields else "complex numbers" if kind.kind == "c" else f"the type {kind}")
        raise DataError(f"{path}: a volume holds one grey value a voxel, this file holds {what}; convert it first")
    if int(raw["bitpix"]) != 8 * kind.itemsize:
        raise DataError(f"{path}: its header states {kind} as well as {raw['bitpix']} bits a voxel; write it again")
    slope, inter = float(raw["scl_slope"]), float(raw["scl_inter"])
    if slope == 0 or np.isnan(slope):  # not scaled
        return
    coarse = kind.kind in "iu" and abs(inter) * np.finfo(np.float32).eps > abs(slope)
    if coarse or not np.isfinite([slope, inter]).all():
        raise DataError(
            f"{path}: values are number x {slope:g} + {inter:g} by its header, which cannot be computed without "
            "losing them; correct scl_slope and scl_inter"
        )


def _affine(path: Path, raw: nib.Nifti1Header, form: str, unit: float) -> NDArray[np.float64] | None:
    """The affine of one form in millimetres, None if its code is 0."""
    code = int(raw[f"{form}_code"])
    if not 0 <= code <= LAST_CODE:
        raise DataError(f"{path}: the {form}_code {code} in its header does not exist; correct it (0: not set)")
    if code == 0:
        return None
    if form == "sform":
        affine = np.array(raw.get_sform(), float)
    elif not (raw["pixdim"][1:4] > 0).all():
        affine = np.diag([*np.array(raw["pixdim"][1:4], float), 1.0])  # is refused for its spacing
    else:
        affine = _qform(path, raw)
    affine[:3] *= unit
    return affine


def _qform(path: Path, raw: nib.Nifti1Header) -> NDArray[np.float64]:
    signed = raw.copy()
    if not np.isnan(raw["pixdim"][0]):
        signed["pixdim"][0] = -1 if raw["pixdim"][0] < 0 else 1  # 0 counts as 1
    try:
        return np.array(signed.get_qform(), float)
    except UNREADABLE as error:
        raise DataError(
            f"{path}: its quaternion cannot be ({first_words(error)}); correct the qform, or set its code to 0"
        ) from error


def _disagreement(
    pixdim: NDArray[np.float64], qform: NDArray[np.float64] | None, sform: NDArray[np.float64] | None
) -> str:
    """How the statements contradict each other or cannot be; empty if they agree."""
    forms = [form for form in (qform, sform) if form is not None]
    spacings = [pixdim, *(np.linalg.norm(form[:3, :3], axis=0) for form in forms)]
    if not all(np.isfinite(form).all() for form in forms) or not all(
        np.isfinite(spacing).all() and (spacing > 0).all() for spacing in spacings
    ):
        return "states a spacing that is not positive and finite"
    if any((abs(spacing / spacings[0] - 1) > AGREE).any() for spacing in spacings[1:]):
        return "states different spacings in millimetres"
    if len(forms) == 2:
        one, other = (form[:3, :3] / np.linalg.norm(form[:3, :3], axis=0) for form in forms)
        if (np.linalg.norm(one - other, axis=0) > AGREE).any():
            return "states different directions of the axes"
    return ""


def _describe(form: NDArray[np.float64] | None) -> str:
    """Spacing and direction of each stored axis, such as ``0.094 x 0.125 x 0.05 mm (x+, y-, z+)``."""
    if form is None:
        return "not set"
    spacing = np.linalg.norm(form[:3, :3], axis=0)
    if not np.isfinite(form).all() or not (spacing > 0).all():
        return _show(spacing)
    main = abs(form[:3, :3]).argmax(axis=0)
    directions = ", ".join("xyz"[axis] + ("+" if form[axis, k] > 0 else "-") for k, axis in enumerate(main))
    tilted = (abs(form[:3, :3]).max(axis=0) / spacing < 1 - AGREE**2).any()
    return f"{_show(spacing)} ({directions}{', tilted' if tilted else ''})"


def _show(spacing: NDArray[np.float64]) -> str:
    return " x ".join(f"{value:.4g}" for value in spacing) + " mm"

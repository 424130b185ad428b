"""NIfTI files that keep the affine in millimetres and can be memory-mapped."""

import gzip
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from octa_kedro.errors import DataError, machine_fault
from octa_kedro.io.boundary import DEFLATE, MOST
from octa_kedro.io.files import replacing
from octa_kedro.io.hushed import unquoted

UNIT_MM = {1: 1e3, 2: 1.0, 3: 1e-3}
"""Millimetres in the units of xyzt_units: metre, millimetre, micrometre."""

UNREADABLE = (ImageFileError, HeaderDataError, EOFError, zlib.error, OSError, ValueError, OverflowError, AttributeError)
"""What nibabel raises for a file that it cannot read."""
UNIT_SCALE = 65535  # values in [0, 1] are stored as 16-bit integers with scl_slope = 1 / UNIT_SCALE


def one_line(error: Exception) -> str:
    """The words of an error without what they quote of a file; nibabel's have several lines."""
    return unquoted(error)


def write_nifti(path: Path, array: NDArray, affine: NDArray[np.float64], *, unit: bool = False, note: str = "") -> None:
    """Write `array` atomically; `note`, at most 79 bytes of ASCII, is the header's description.

    The header holds the affine as it is (sform), and as the nearest one without shear (qform), since ITK reads no
    other.

    With `unit`, values must lie in [0, 1] and are stored as unsigned 16-bit integers with a slope; they are rounded by
    7.6e-6 at most. Without it the array's own type is kept. `.nii.gz` is compressed; `.nii` can be memory-mapped.
    """
    if unit:
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):
            raise DataError(f"{path.name}: values in [0, 1] expected, got {low:g} .. {high:g}")
        quanta = np.multiply(array, np.float32(UNIT_SCALE), dtype=np.float32)
        array = np.rint(quanta, out=quanta).astype(np.uint16)
    image = nib.Nifti1Image(np.asarray(array), affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = note.encode("ascii")
    image.set_qform(affine, code="aligned")
    if unit:
        image.header.set_slope_inter(1 / UNIT_SCALE, 0)
    with replacing(path) as partial:
        image.to_filename(partial)


def encode_nifti(array: NDArray, affine: NDArray[np.float64], *, slope: float = 1.0) -> bytes:
    """The bytes of an uncompressed NIfTI file, in millimetres; a value is ``number * slope``."""
    image = nib.Nifti1Image(np.asarray(array), affine)
    image.header.set_xyzt_units("mm")
    image.header.set_slope_inter(slope, 0)
    return image.to_bytes()


def read_nifti(path: Path) -> tuple[NDArray, NDArray[np.float64]]:
    """Array and affine of a NIfTI file.

    Integers without a slope keep their type and, in an uncompressed file, stay on disk until they are used
    (a memory map); scaled integers come back as float32. DataError names a file that is not NIfTI,
    is truncated, or whose data do not agree with its header.
    """
    image, array, slope, inter = _open_nifti(path)
    return _scaled(array, slope, inter), _affine_mm(image)


def read_array(path: Path) -> NDArray:
    """The array of a NIfTI file as `read_nifti` gives it, wherever its header says that it lies."""
    return _scaled(*map_nifti(path))


def _scaled(array: NDArray, slope: float, inter: float) -> NDArray:
    if (slope, inter) == (1, 0):
        return array
    # Scaled here, in float32: nibabel would compute in float64.
    return array.astype(np.float32) * np.float32(slope) + np.float32(inter)


def map_nifti(path: Path) -> tuple[NDArray, float, float]:
    """The stored numbers of a NIfTI file, its slope and its intercept: a value is ``number * slope + intercept``. The
    numbers of an uncompressed file stay on disk until they are used. DataError as in `read_nifti`."""
    _, array, slope, inter = _open_nifti(path)
    return array, slope, inter


def _open_nifti(path: Path) -> tuple[nib.Nifti1Image, NDArray, float, float]:
    try:
        image = _load(path)
        # nibabel moves the scale factors from the header to the array proxy when it opens a file.
        proxy = image.dataobj
        numbers = _decompressed(path, proxy) if path.suffix.lower() == ".gz" else np.asanyarray(proxy.get_unscaled())
        return image, numbers, float(proxy.slope), float(proxy.inter)
    except UNREADABLE as error:
        if machine_fault(error) is not None:
            raise
        raise DataError(f"{path}: not a readable NIfTI file ({one_line(error)}); replace it or leave it out") from error


def _load(path: Path) -> nib.Nifti1Image:
    image = nib.load(path)
    if not isinstance(image.header, nib.Nifti1Header):  # as that of NIfTI-2 is, too
        raise DataError(f"{path}: not a NIfTI file but a {type(image).__name__}; replace it or leave it out")
    return image


def _decompressed(path: Path, proxy: Any) -> NDArray:
    """The stored numbers of a compressed file. It is read to its end, since only there a changed byte is found by its
    checksum; nibabel stops after the last voxel. DataError if its length is not that of its header."""
    start, needed = int(proxy.offset), int(np.prod(proxy.shape, dtype=object)) * proxy.dtype.itemsize
    if needed > MOST:
        raise DataError(f"{path}: its header states {proxy.shape} voxels, more than any scan has; replace it")
    if start + needed > DEFLATE * path.stat().st_size:
        raise DataError(
            f"{path}: its header states {needed} bytes of voxels, more than its {path.stat().st_size} compressed bytes "
            "can hold; replace it or leave it out"
        )
    with gzip.open(path) as file:
        file.read(start)
        data = bytearray(needed)
        view, found = memoryview(data), 0
        while found < needed and (more := file.readinto(view[found:])):
            found += more
        longer = len(file.read(1))
    if found < needed or longer:
        what = "goes on after them" if longer else f"has {found} of them"
        raise DataError(
            f"{path}: its header states {needed} bytes of voxels, but it {what}; replace it or leave it out"
        )
    return np.frombuffer(data, proxy.dtype).reshape(proxy.shape, order="F")


def check_nifti(path: Path) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Shape in voxels and spacing in millimetres along (x, y, z), from the header of a volume.

    DataError names a file that does not have three axes (a fourth axis of length one is ignored), and an uncompressed
    file whose size does not agree with its header.
    """
    try:
        image = _load(path)
        shape, proxy = image.shape, image.dataobj
        expected = int(proxy.offset) + int(np.prod(shape)) * proxy.dtype.itemsize
        found = path.stat().st_size
    except UNREADABLE as error:
        if machine_fault(error) is not None:
            raise
        raise DataError(f"{path}: not a readable NIfTI file ({one_line(error)}); replace it or leave it out") from error
    if len(shape) == 4 and shape[3] == 1:
        shape = shape[:3]
    if len(shape) != 3:
        raise DataError(f"{path}: a volume has 3 axes (x, y, z), this file has shape {shape}")
    if path.suffix == ".nii" and found != expected:
        raise DataError(
            f"{path}: its header states {' x '.join(map(str, shape))} voxels of {proxy.dtype}, which need a file of "
            f"{expected} bytes, but it has {found}; replace it or leave it out"
        )
    x, y, z = np.linalg.norm(_affine_mm(image)[:3, :3], axis=0)
    return shape, (float(x), float(y), float(z))


def _affine_mm(image: nib.Nifti1Image) -> NDArray[np.float64]:
    """The affine in millimetres, converted from the unit that the header gives."""
    affine = np.array(image.affine, float)
    affine[:3] *= UNIT_MM.get(int(image.header["xyzt_units"]) & 7, 1.0)  # the other bits are a unit of time
    return affine

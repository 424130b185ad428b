"""Ophthalmic tomography in DICOM: one multi-frame file per eye."""

from pathlib import Path
from typing import Any

import numpy as np

from octa_kedro.errors import DataError
from octa_kedro.io.vendor_scan import (
    SIDES,
    Axis,
    Modality,
    ScanSize,
    Spacing,
    VendorScan,
    require_modality,
    vendor_extra,
)

HELD: tuple[Modality, ...] = ("OCT",)


def dicom_size(path: Path, modality: Modality | None) -> ScanSize:
    """Shape in voxels and spacing in millimetres, without decoding the frames."""
    require_modality(path, modality, HELD)
    data = _open(path, pixels=False)
    shape = (int(data.Columns), int(data.get("NumberOfFrames", 1)), int(data.Rows))
    return ScanSize(shape, _spacing(data))


def read_dicom(path: Path, modality: Modality | None) -> VendorScan:
    """The frames as B-scans ``[x, y, z]``, with the values that the file stores.

    If the file says on which row of the fundus picture each frame lies (Ophthalmic Frame Location), frames are sorted
    from inferior to superior; else they keep the file's order. DataError names a file that is not a multi-frame grey
    image or whose pixels cannot be decoded.
    """
    require_modality(path, modality, HELD)
    data = _open(path, pixels=True)
    try:
        array = np.asarray(data.pixel_array)
    except (AttributeError, ValueError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{path}: its pixels cannot be decoded ({error}); export it without compression") from error
    if array.ndim != 3 or data.get("SamplesPerPixel", 1) != 1:
        raise DataError(f"{path}: one grey volume of many frames expected, got pixels of shape {array.shape}")
    rows = [_fundus_row(frame) for frame in data.get("PerFrameFunctionalGroupsSequence", [])]
    placed = [row for row in rows if row is not None]
    if len(placed) == len(array):
        array = array[np.argsort([-row for row in placed], kind="stable")]
    unstated: tuple[Axis, ...] = () if len(placed) == len(array) else ("x", "y")
    side = SIDES.get(_side(data))
    return VendorScan(array.transpose(2, 0, 1), _spacing(data), "OCT", "stored", side, unstated=unstated)


def _open(path: Path, *, pixels: bool) -> Any:
    with vendor_extra(path):
        import pydicom  # noqa: PLC0415
    try:
        data = pydicom.dcmread(path, stop_before_pixels=not pixels)
    except (pydicom.errors.InvalidDicomError, OSError, EOFError, ValueError) as error:
        raise DataError(f"{path}: not a readable DICOM file ({error})") from error
    if "Rows" not in data or "Columns" not in data:
        raise DataError(f"{path}: holds no image; leave it out")
    return data


def _spacing(data: Any) -> Spacing:
    """(x, y, z) in millimetres; the first value of DICOM's pixel spacing is that between rows, here the depth."""
    shared = data.get("SharedFunctionalGroupsSequence") or []
    measures = shared[0].get("PixelMeasuresSequence") if shared else None
    holder = measures[0] if measures else data
    between = holder.get("SpacingBetweenSlices") or holder.get("SliceThickness")
    pixels = holder.get("PixelSpacing")
    z, x = (float(pixels[0]), float(pixels[1])) if pixels else (None, None)
    return x, float(between) if between else None, z


def _side(data: Any) -> str:
    shared = data.get("SharedFunctionalGroupsSequence") or []
    anatomy = shared[0].get("FrameAnatomySequence") if shared else None
    frame = anatomy[0].get("FrameLaterality") if anatomy else None
    return str(data.get("ImageLaterality") or data.get("Laterality") or frame or "")


def _fundus_row(frame: Any) -> float | None:
    """Row of a frame on the fundus picture, counted from the top: the mean of its two ends."""
    location = frame.get("OphthalmicFrameLocationSequence")
    ends = location[0].get("ReferenceCoordinates") if location else None
    return (float(ends[0]) + float(ends[2])) / 2 if ends is not None and len(ends) == 4 else None

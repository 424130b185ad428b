"""Ophthalmic tomography in DICOM: one multi-frame file per eye and modality.

What is read from which part of PS3.3: `dicom_file` (kind, modality, side), `dicom_places` (order, direction, spacing),
`dicom_pixels` and `dicom_grey` (grey values).
"""

from pathlib import Path
from typing import Any, NamedTuple

from octa_kedro.io.dicom_file import header_errors, modality_of, open_dicom, quiet, side_of
from octa_kedro.io.dicom_geometry import Layout, arrange
from octa_kedro.io.dicom_grey import check_pixels, read_grey
from octa_kedro.io.dicom_places import layout_of, scan_spacing, spacing_of
from octa_kedro.io.vendor_scan import Modality, Scale, ScanSize, Spacing, VendorScan, require_modality
from octa_kedro.io.volume import Laterality


class Described(NamedTuple):
    """What the header says of a scan."""

    modality: Modality
    scale: Scale
    side: Laterality | None
    layout: Layout
    spacing: Spacing


def dicom_size(path: Path, modality: Modality | None) -> ScanSize:
    """Shape in voxels and spacing in millimetres, without decoding the frames; DataError as for `read_dicom`."""
    with quiet():
        data = open_dicom(path, pixels=False)
        scan = _describe(path, data, modality, warn=False)
        n, columns, rows = int(data.NumberOfFrames), int(data.Columns), int(data.Rows)
    return ScanSize((*scan.layout.raster.along_x_and_y(columns, n), rows), scan.spacing)


def read_dicom(path: Path, modality: Modality | None) -> VendorScan:
    """The frames as a raster ``[x, y, z]`` of grey values, brighter is more.

    x and y follow the fundus picture where the file places its frames on one (Ophthalmic Frame Location), or the
    patient's axes where it gives those; else they keep the file's order and are `unstated`. Vertical B-scans become
    planes of x. DataError names a file of another kind, modality or scan pattern, with contradicting statements, or
    with pixels that cannot be decoded.
    """
    with quiet():
        data = open_dicom(path, pixels=True)
        scan = _describe(path, data, modality, warn=True)
        with header_errors(path):
            frames = read_grey(path, data)
    return VendorScan(
        arrange(frames, scan.layout), scan.spacing, scan.modality, scan.scale, scan.side, unstated=scan.layout.unstated
    )


def _describe(path: Path, data: Any, wanted: Modality | None, *, warn: bool) -> Described:
    with header_errors(path):
        check_pixels(path, data)
        modality = require_modality(path, wanted, (modality_of(path, data),))
        stated = spacing_of(path, data)
        columns = int(data.Columns)
        layout = layout_of(path, data, stated[0] * columns if stated[0] is not None else None)
        spacing = scan_spacing(path, layout, stated, columns, warn=warn)
        # Values of a tomography are made for display where the file says so; a flow's scale is not told (C.8.17.16).
        shown = modality == "OCT" and str(data.get("PresentationLUTShape") or "") in ("IDENTITY", "INVERSE")
        return Described(modality, "displayed" if shown else "stored", side_of(path, data), layout, spacing)

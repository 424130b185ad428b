"""Zeiss Cirrus and PLEX Elite volumes in the raw export format ``.img``: bytes without a header.

The file name is all that says what they are, for instance
``P1_Macular Cube 512x128_1-2-2020_3-4-5_OD_sn1_cube_z.img`` or ``P1_Angio (6mmx6mm)_..._OS_sn2_FlowCube_z.img``.

One byte per voxel; the A-scan number runs fastest, then the depth, then the B-scan number. Depth is stored from the
deepest voxel upwards and each B-scan from right to left, as eight independent readers have it (AURA tools, retimat,
LibOctData, MITRE's Zeiss2Dcm, OCTpy and three more in Python). oct-converter 0.7 reads depth as the fastest axis, and
differs from all of them. Whether the first B-scan is the lowest or the uppermost, these readers do not agree about.
"""

import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from octa_kedro.errors import DataError
from octa_kedro.io.raster import require_volume
from octa_kedro.io.vendor_scan import Modality, Scale, ScanSize, Spacing, VendorScan, require_modality, side_of
from octa_kedro.io.volume import Laterality

DEPTHS = {1024: 2.0, 1536: 3.0}
"""Millimetres of an A-scan by its number of voxels: Cirrus, PLEX Elite."""

KIND = re.compile(r"_(flow)?cube_(?:z|raw)$", re.IGNORECASE)
LINES = re.compile(r"\d+\s?line|hd\s?(?:line|cross|radial|raster)|line\s?raster|_hidef|line\s?enhanced", re.IGNORECASE)
FIELD = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)\s?(?:mm)?\s?x\s?(\d+(?:\.\d+)?)\s?mm", re.IGNORECASE)
VOXELS = re.compile(r"cube\s?(\d+)\s?x\s?(\d+)(?![\d.]|\s?mm)", re.IGNORECASE)
SIX_MM = re.compile(r"macular\s?cube|optic\s?disc\s?cube", re.IGNORECASE)
SIDE = re.compile(r"_(OD|OS)(?=_)", re.IGNORECASE)
SIDE_PLACED = re.compile(r"_(OD|OS)_sn\d", re.IGNORECASE)
HOW = "name it as the device does, for instance P1_Angiography 6x6 mm_1-2-2020_3-4-5_OD_sn1_FlowCube_z.img"


class ImgName(NamedTuple):
    """What the name of a file says: modality, size in voxels and in millimetres (x, y), side."""

    modality: Modality
    voxels: tuple[int, int] | None
    field_mm: tuple[float, float] | None
    laterality: Laterality | None


def img_size(path: Path, modality: Modality | None) -> ScanSize:
    """Shape and spacing of a ``.img`` file, from its name and its length."""
    name = read_name(path)
    require_modality(path, modality, (name.modality,), by="its name")
    return _size(path, name, path.stat().st_size)


def read_img(path: Path, modality: Modality | None) -> VendorScan:
    """The volume of a ``.img`` file in the grey levels it stores; B-scans stay in the order of the file.

    DataError names a file that does not hold `modality`, whose name does not say what it is or does not go with its
    length, and one of a line scan. The scale of flow is not documented, hence ``stored``.
    """
    name = read_name(path)
    held = require_modality(path, modality, (name.modality,), by="its name")
    (width, n, depth), spacing = _size(path, name, path.stat().st_size)
    stack = np.fromfile(path, np.uint8).reshape(n, depth, width)
    for bscan in stack:
        bscan[:] = bscan[::-1, ::-1]  # in place: a flipped view would be copied as a whole later
    scale: Scale = "displayed" if held == "OCT" else "stored"
    return VendorScan(stack.transpose(2, 0, 1), spacing, held, scale, name.laterality, unstated=("y",))


def read_name(path: Path) -> ImgName:
    """What the name says; DataError if it names no cube of a retina, or neither its voxels nor its field."""
    stem = path.stem
    if (lines := LINES.search(stem)) is not None:
        raise DataError(f"{path}: line scan ({lines[0].strip('_ ')}), not a volume scan; leave it out")
    if "anterior" in stem.lower():
        raise DataError(f"{path}: a scan of the anterior segment, not of the retina; leave it out")
    kind = KIND.search(stem)
    if kind is None:
        raise DataError(
            f"{path}: its name does not end with _cube_z, _cube_raw (structure) or _FlowCube_z (angiography), and "
            f"nothing else tells which it is; {HOW}"
        )
    voxels, field = VOXELS.search(stem), FIELD.search(stem)
    if not voxels and not field:
        raise DataError(f"{path}: its name gives neither the voxels (512x128) nor the field (6x6 mm); {HOW}")
    known = (6.0, 6.0) if SIX_MM.search(stem) else None
    sides = {side_of(word) for word in SIDE_PLACED.findall(stem) or SIDE.findall(stem)}
    return ImgName(
        "OCTA" if kind[1] else "OCT",
        (int(voxels[1]), int(voxels[2])) if voxels else None,
        (float(field[1]), float(field[2])) if field else known,
        sides.pop() if len(sides) == 1 else None,
    )


def _size(path: Path, name: ImgName, size: int) -> ScanSize:
    """Shape and spacing; a field of equal sides without a number of voxels has as many A-scans as B-scans."""
    if name.voxels is None and name.field_mm is not None and name.field_mm[0] != name.field_mm[1]:
        raise DataError(
            f"{path}: a field of {name.field_mm[0]:g} x {name.field_mm[1]:g} mm, whose number of A-scans is not "
            "documented; convert the eye to NIfTI"
        )
    fitting = []
    for depth in DEPTHS:
        columns, rest = divmod(size, depth)
        width, n = name.voxels or (math.isqrt(columns), math.isqrt(columns))
        if not rest and columns and width * n == columns:
            fitting.append((width, n, depth))
    if len(fitting) != 1:
        asked = f"{name.voxels[0]} x {name.voxels[1]}" if name.voxels else "n x n"
        raise DataError(
            f"{path}: {size} bytes are not a cube of {asked} A-scans with {' or '.join(map(str, DEPTHS))} voxels each, "
            "as its name says; copy it again"
        )
    width, n, depth = fitting[0]
    require_volume(path, width, n)
    lateral = (name.field_mm[0] / width, name.field_mm[1] / n) if name.field_mm else (None, None)
    spacing: Spacing = (*lateral, DEPTHS[depth] / depth)
    return ScanSize((width, n, depth), spacing)

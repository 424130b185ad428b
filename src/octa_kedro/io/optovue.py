"""``.oct`` files of Optovue and Bioptigen devices are refused: what is published of them does not suffice."""

from pathlib import Path
from typing import NoReturn

from octa_kedro.errors import DataError
from octa_kedro.io.vendor_scan import Modality


def refuse_oct(path: Path, modality: Modality | None) -> NoReturn:
    """DataError that says what is not known.

    Optovue: oct-converter 0.7 takes the size from a text file beside the scan, oct-to-tiff from its name. Both read
    float32 structure, and neither its spacing, its directions or the flow. Bioptigen: oct-converter alone.
    """
    raise DataError(
        f"{path}: no published reader tells the scale, the directions and the flow of an .oct file of Optovue or "
        "Bioptigen; export the scan as DICOM, or convert it to NIfTI"
    )

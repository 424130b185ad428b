"""The contract of the readers of devices' files: what each has to say about a scan, or refuse the file.

A subject table may replace spacing and laterality afterwards (`io.vendor`); what a file holds it cannot change.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.volume import Laterality

Modality = Literal["OCT", "OCTA"]
"""Structure (reflectance) or angiography (flow)."""

Scale = Literal["displayed", "flow", "stored"]
"""What the numbers are. `displayed`: grey levels as the device shows structure, on a logarithmic or root scale,
brighter where more light comes back. `flow`: flow signal, on a linear scale. `stored`: the file does not say."""

Axis = Literal["x", "y", "z"]
Spacing = tuple[float | None, float | None, float | None]
SIDES: dict[str, Laterality] = {"R": "OD", "OD": "OD", "L": "OS", "OS": "OS"}
"""By words in capitals; see `side_of`."""
MOST_VOXELS = 1 << 31
"""The largest scans have fewer: 1000 x 1000 A-scans of 1536 voxels are 1.5e9."""
MODALITY_WORDS: dict[Modality, str] = {"OCT": "structure (OCT)", "OCTA": "angiography (OCTA)"}


def side_of(word: str) -> Laterality | None:
    """The eye that a file names, in capitals or not; None for every other word."""
    return SIDES.get(word.strip(" \0").upper())


class VendorScan(NamedTuple):
    """A raster of parallel B-scans ``[x, y, z]``; a file with any other pattern is refused by its reader.

    x runs from left to right on the fundus picture, y from inferior to superior, z into the eye; a B-scan lies along x,
    or along y if it was taken vertically. `unstated` names the axes whose direction the file does not tell: they keep
    its order. `spacing` is in millimetres, None where the file does not give it. `surfaces` ``[x, y, surface]`` are
    depths in voxels from 0 of the surfaces `names`, the uppermost first. `modality` and `scale` are what the file says,
    and never what the caller would like. `invalid` is the share of the voxels that could not be measured, as far as the
    file marks them; they are 0 in `array`.
    """

    array: NDArray
    spacing: Spacing
    modality: Modality
    scale: Scale
    laterality: Laterality | None = None
    surfaces: NDArray[np.float32] | None = None
    names: tuple[str, ...] = ()
    unstated: tuple[Axis, ...] = ()
    invalid: float = 0.0


class ScanSize(NamedTuple):
    """Shape in voxels and spacing in millimetres, as a header gives them."""

    shape: tuple[int, int, int]
    spacing: Spacing


class Reader(NamedTuple):
    """The functions of one file format: of a path, and of the modality that is wanted (None: whichever it holds first).

    `read` returns the scan. `size` returns its size without decoding the voxels, where the header tells it. Both raise
    a DataError that names the file where it does not hold the modality (`require_modality`), or not what it promises.
    """

    read: Callable[[Path, Modality | None], VendorScan]
    size: Callable[[Path, Modality | None], ScanSize] | None = None


def require_possible(path: Path, voxels: int) -> None:
    """DataError if a header states more voxels than any scan has; they would fill the memory before one is read."""
    if voxels > MOST_VOXELS:
        raise DataError(f"{path}: its header states {voxels} voxels, more than any scan has; copy it again")


def known_modality(word: str) -> Modality:
    """The modality of this name; DataError for any other word."""
    if word not in MODALITY_WORDS:
        raise DataError(f"modality {word!r} is unknown; choose {' or '.join(MODALITY_WORDS)}")
    return word


def require_modality(path: Path, wanted: Modality | None, held: Collection[Modality], *, by: str = "") -> Modality:
    """The modality to read from a file that holds those of `held`: `wanted`, or the first of them if that is None.

    DataError if the file does not hold the one that is wanted: no modality stands in for another. `by` says what
    tells it, if that is not the file itself.
    """
    if wanted is None:
        return next(iter(held))
    if wanted not in held:
        holds = f"{f'by {by} ' if by else ''}holds {' and '.join(MODALITY_WORDS[modality] for modality in held)}"
        raise DataError(
            f"{path}: {holds}, not {MODALITY_WORDS[wanted]}; name the right file in the table (path, oct_path), "
            f"or process what it holds with --params processing.modality={next(iter(held))}"
        )
    return wanted


@contextmanager
def vendor_extra(path: Path) -> Iterator[None]:
    """Put around the import of a package of the vendor extra: if it is missing, ConfigError says how to install it."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f"{path}: reading {path.suffix} files needs the vendor extra ({error}); pip install octa-kedro[vendor]"
        ) from error

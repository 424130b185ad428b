"""What the readers of vendors' files return, before the values of a subject table replace those of the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import ConfigError
from octa_kedro.io.volume import Laterality

Spacing = tuple[float | None, float | None, float | None]
SIDES: dict[str, Laterality] = {"R": "OD", "OD": "OD", "L": "OS", "OS": "OS"}


class VendorScan(NamedTuple):
    """A scan ``[x, y, z]`` and its spacing in millimetres, None where the file does not give it.

    `surfaces` ``[x, y, surface]`` are depths in voxels from 0 of the surfaces `names`, the uppermost first.
    """

    array: NDArray
    spacing: Spacing
    laterality: Laterality | None = None
    surfaces: NDArray[np.float32] | None = None
    names: tuple[str, ...] = ()


class ScanSize(NamedTuple):
    """Shape in voxels and spacing in millimetres, as a header gives them."""

    shape: tuple[int, int, int]
    spacing: Spacing


@contextmanager
def vendor_extra(path: Path) -> Iterator[None]:
    """Put around the import of a package of the vendor extra: if it is missing, ConfigError says how to install it."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f"{path}: reading {path.suffix} files needs the vendor extra ({error}); pip install octa-kedro[vendor]"
        ) from error

"""What the readers of vendors' files return, before the folder's table has its say."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import ConfigError
from octa_kedro.io.volume import Laterality

Spacing = tuple[float | None, float | None, float | None]
SIDES: dict[str, Laterality] = {"R": "OD", "OD": "OD", "L": "OS", "OS": "OS"}


class VendorScan(NamedTuple):
    """A scan ``[x, y, z]`` with the millimetres between voxels that its file tells, None where it does not.

    `surfaces` ``[x, y, surface]`` are depths in voxels from 0 of the surfaces `names`, the uppermost first.
    """

    array: NDArray
    spacing: Spacing
    laterality: Laterality | None = None
    surfaces: NDArray[np.float32] | None = None
    names: tuple[str, ...] = ()


class ScanSize(NamedTuple):
    """Voxels and millimetres between them, as a header tells them."""

    shape: tuple[int, int, int]
    spacing: Spacing


def vendor_module(name: str, path: Path) -> ModuleType:
    """A module of the vendor extra; ConfigError says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"{path}: reading {path.suffix} files needs the vendor extra ({error}); pip install octa-kedro[vendor]"
        ) from error

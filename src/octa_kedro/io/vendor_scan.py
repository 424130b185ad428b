"""What the readers of vendors' files return, before the folder's table has its say."""

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


@contextmanager
def vendor_extra(path: Path) -> Iterator[None]:
    """Round an import of a package of the vendor extra: ConfigError says how to install it."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f"{path}: reading {path.suffix} files needs the vendor extra ({error}); pip install octa-kedro[vendor]"
        ) from error

"""The two array containers that all other modules exchange, and the world frame of their affines.

World frame, in millimetres: x runs temporal to nasal *as seen in a right eye* (a left eye that has not been
mirrored has the two ends exchanged), y runs inferior to superior, z runs into the eye. The origin is the
outer corner of the scan as it left the device, so the centre of voxel ``(0, 0, 0)`` of an unprocessed scan
lies half a voxel inside it. Every crop and resampling changes the affine together with the array.
"""

from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError

Laterality = Literal["OD", "OS"]


def scan_affine(shape: tuple[int, ...], extent_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Affine of an unprocessed scan of `shape` voxels that fills `extent_mm`; its corner is the origin."""
    spacing = np.asarray(extent_mm, float) / np.asarray(shape[:3], float)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = spacing / 2
    return affine


@dataclass(frozen=True)
class Volume:
    """One scan of one eye.

    `array` is ``[x, y, z]`` = (A-scan along a B-scan, B-scan number, depth into the eye); `affine` maps voxel
    indices to millimetres in the world frame above.
    """

    array: NDArray
    affine: NDArray[np.float64]
    modality: str
    laterality: Laterality | None = None
    source: str = ""

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel edge lengths (x, y, z) in millimetres."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Edge lengths (x, y, z) of the whole field in millimetres."""
        x, y, z = (n * s for n, s in zip(self.array.shape, self.spacing, strict=True))
        return x, y, z

    def with_array(self, array: NDArray, affine: NDArray[np.float64] | None = None) -> Self:
        """The same scan with other voxels and, if they have other positions, another affine."""
        return replace(self, array=array, affine=self.affine if affine is None else affine)


def require_usable(volume: Volume) -> Volume:
    """The volume itself, if it can be used; else DataError names its source.

    Refused are volumes that are empty or constant, that hold NaN or infinite values, or whose affine has no
    positive, finite spacing. An array of integers is read only until two different values are found.
    """
    array, what = volume.array, volume.source or "volume"
    if array.ndim != 3 or not array.size:
        raise DataError(
            f"{what}: a volume has 3 axes (x, y, z) and at least one voxel, this one has shape {array.shape}"
        )
    if not (np.isfinite(volume.affine).all() and min(volume.spacing) > 0):
        raise DataError(f"{what}: its voxels measure {volume.spacing} mm; correct the header, spacing must be positive")
    if array.dtype.kind in "iub":
        first = array[0, 0, 0]
        constant = all((array[:, y] == first).all() for y in range(array.shape[1]))
    elif array.dtype.kind == "f":
        low, high = array.min(), array.max()  # if there is a NaN, both are NaN
        if not (np.isfinite(low) and np.isfinite(high)):
            raise DataError(f"{what}: holds NaN or infinite values; replace the volume or leave the eye out")
        first, constant = low, low == high
    else:
        raise DataError(f"{what}: a volume holds real numbers, this one has the type {array.dtype}")
    if constant:
        raise DataError(
            f"{what}: every voxel is {float(first):g}, so it shows nothing; replace it or leave the eye out"
        )
    return volume


@dataclass(frozen=True)
class PlaneStack:
    """Named maps over the en-face plane of one eye: projections of slabs, or depths of surfaces.

    `array` is ``[x, y, plane]``, one plane per entry of `names`; `affine` is that of the volume the planes
    came from, of which only x and y apply. Surface depths are in millimetres along z of the world frame.
    """

    array: NDArray
    affine: NDArray[np.float64]
    names: tuple[str, ...]
    laterality: Laterality | None = None
    source: str = ""
    note: str = field(default="")

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or self.array.shape[2] != len(self.names):
            raise ValueError(f"{len(self.names)} names for planes of shape {self.array.shape}")

    def only(self, names: tuple[str, ...]) -> Self:
        """The planes called `names`, in that order."""
        return replace(self, array=np.stack([self.plane(name) for name in names], axis=2), names=names)

    def plane(self, name: str) -> NDArray:
        """The plane called `name`, as ``[x, y]``; KeyError lists the names."""
        if name not in self.names:
            raise KeyError(f"no plane {name!r}; there are {', '.join(self.names)}")
        return self.array[:, :, self.names.index(name)]

"""The two array containers that all other modules exchange, and the frames of their affines.

World frame, in millimetres: that of the raw scan's own file. x runs temporal to nasal in a right eye and nasal to
temporal in a left one, y runs inferior to superior, z runs into the eye. Where a file states no origin (OCTA-500 and
vendors' files), it is the outer corner of the scan, so the centre of voxel ``(0, 0, 0)`` lies half a voxel inside it.

Every step of processing moves the affine together with the array, so `affine` always leads to the raw scan's world:
an image, map or mask lies over its raw scan by its header. Computations go by `grid_affine`, which leads to the frame
that the eye was processed in: there left eyes look like right ones, all axes run forwards, and depths of surfaces are
measured. `frame` says how that frame lies in the world.
"""

from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError

Laterality = Literal["OD", "OS"]
NOTE_LENGTH = 80  # bytes of the description in a NIfTI header, the last of which is zero
UNPLACED = "stored by an earlier version: a left or registered eye lies elsewhere"


def scan_affine(shape: tuple[int, ...], extent_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Affine of an unprocessed scan of `shape` voxels that fills `extent_mm`; its corner is the origin."""
    spacing = np.asarray(extent_mm, float) / np.asarray(shape[:3], float)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = spacing / 2
    return affine


@dataclass(frozen=True, eq=False)
class Frame:
    """How the frame that an eye was processed in lies in the world of its raw scan.

    `to_scan` ``(4, 4)`` takes its points to the world, both in millimetres. `note`, in ASCII and short enough for the
    description in a NIfTI header, says what an affine cannot hold; it is empty where the affine is exact.
    """

    to_scan: NDArray[np.float64] = field(default_factory=lambda: np.eye(4))
    note: str = ""

    def __post_init__(self) -> None:
        if self.to_scan.shape != (4, 4) or not self.note.isascii() or len(self.note) >= NOTE_LENGTH:
            raise ValueError(f"no frame: a matrix of shape {self.to_scan.shape}, note {self.note!r}")

    @property
    def mirrored(self) -> bool | None:
        """Whether it is a mirror image of the world; None if that is not known."""
        return None if self.note == UNPLACED else bool(np.linalg.det(self.to_scan[:3, :3]) < 0)

    def after(self, matrix: NDArray[np.float64], note: str = "") -> Self:
        """The frame from which `matrix` ``(4, 4)`` leads to this one."""
        return replace(self, to_scan=self.to_scan @ matrix, note=note or self.note)


@dataclass(frozen=True)
class Volume:
    """One scan of one eye.

    `array` is ``[x, y, z]`` = (A-scan along a B-scan, B-scan number, depth into the eye); `grid_affine` maps voxel
    indices to millimetres in the eye's `frame`, which for an unprocessed scan is the world.
    """

    array: NDArray
    grid_affine: NDArray[np.float64]
    modality: str
    laterality: Laterality | None = None
    source: str = ""
    frame: Frame = field(default_factory=Frame)

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel indices -> millimetres in the world of the raw scan: what a file's header states."""
        return self.frame.to_scan @ self.grid_affine

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel edge lengths (x, y, z) in millimetres of the eye's frame."""
        x, y, z = np.linalg.norm(self.grid_affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Edge lengths (x, y, z) of the whole field in millimetres."""
        x, y, z = (n * s for n, s in zip(self.array.shape, self.spacing, strict=True))
        return x, y, z

    def with_array(self, array: NDArray, grid_affine: NDArray[np.float64] | None = None) -> Self:
        """The same scan with other voxels and, if they have other positions in its frame, another affine."""
        return replace(self, array=array, grid_affine=self.grid_affine if grid_affine is None else grid_affine)


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
    if not (np.isfinite(volume.grid_affine).all() and min(volume.spacing) > 0):
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

    `array` is ``[x, y, plane]``, one plane per entry of `names`; `grid_affine` is that of the volume the planes
    came from, of which only x and y apply. Surface depths are in millimetres along z of the eye's `frame`.
    """

    array: NDArray
    grid_affine: NDArray[np.float64]
    names: tuple[str, ...]
    laterality: Laterality | None = None
    source: str = ""
    note: str = field(default="")
    frame: Frame = field(default_factory=Frame)

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or self.array.shape[2] != len(self.names):
            raise ValueError(f"{len(self.names)} names for planes of shape {self.array.shape}")

    @property
    def affine(self) -> NDArray[np.float64]:
        """As `Volume.affine`; z is where in depth the maps of a processed eye lie."""
        return self.frame.to_scan @ self.grid_affine

    def only(self, names: tuple[str, ...]) -> Self:
        """The planes called `names`, in that order."""
        return replace(self, array=np.stack([self.plane(name) for name in names], axis=2), names=names)

    def plane(self, name: str) -> NDArray:
        """The plane called `name`, as ``[x, y]``; KeyError lists the names."""
        if name not in self.names:
            raise KeyError(f"no plane {name!r}; there are {', '.join(self.names)}")
        return self.array[:, :, self.names.index(name)]

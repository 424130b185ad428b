"""One eye as the viewer shows it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.volume import Volume

MOST_SLABS = 8  # a bit each in a volume of 8-bit numbers


@dataclass(frozen=True, kw_only=True)
class ViewedEye:
    """One eye, its map, and what is known of it.

    `prediction` is the probability of disease, `spread` its standard deviation over networks (None where there is
    one network), `scores` further columns of the table. `held_out` says that no network was trained on the eye. `oct`
    and `octa` hold values in [0, 1], one of them may be missing; `heat` is the raw map; `lesion` the codes of findings,
    0 where there is none; `slabs` the voxels of each slab by name, `ilm` the depth in millimetres of the ILM at each
    A-scan ``[x, y]``, NaN where it is not known. All of it is on the grid of `heat`: DataError otherwise.
    """

    subject: str
    label: str
    prediction: float
    held_out: bool
    heat: Volume
    oct: Volume | None = None
    octa: Volume | None = None
    lesion: Volume | None = None
    spread: float | None = None
    scores: Mapping[str, float | str | None] = field(default_factory=dict)
    slabs: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    ilm: NDArray[np.floating] | None = None

    def __post_init__(self) -> None:
        if not self.images:
            raise DataError(f"{self.subject}: neither OCT nor OCTA to show the map on; store one of them")
        for name, volume in {**self.images, "lesion mask": self.lesion}.items():
            if volume is not None and not _same_grid(volume, self.heat):
                raise DataError(
                    f"{self.subject}: the {name} ({_grid(volume)}) and the map ({_grid(self.heat)}) are on different "
                    "grids; process them together"
                )
        for name, inside in self.slabs.items():
            if inside.shape != self.heat.array.shape:
                raise DataError(f"{self.subject}: slab {name} has shape {inside.shape}, the map {_grid(self.heat)}")
        if self.ilm is not None and self.ilm.shape != self.heat.array.shape[:2]:
            raise DataError(f"{self.subject}: the ILM has {self.ilm.shape} A-scans, the map {_grid(self.heat)}")
        if len(self.slabs) > MOST_SLABS:
            raise DataError(f"{self.subject}: {len(self.slabs)} slabs, the viewer shows {MOST_SLABS} at most")
        low, high = float(self.heat.array.min()), float(self.heat.array.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise DataError(f"{self.subject}: its map holds NaN or infinite values; make it again")

    @property
    def images(self) -> dict[str, Volume]:
        """What the map can be laid over, by name; OCTA first."""
        return {name: volume for name, volume in (("octa", self.octa), ("oct", self.oct)) if volume is not None}


def slab_bits(slabs: Iterable[NDArray[np.bool_]], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Bit `i` of each voxel says whether it lies in slab `i`; slabs may overlap."""
    bits = np.zeros(shape, np.uint8)
    for number, inside in enumerate(slabs):
        bits |= inside.astype(np.uint8) << number
    return bits


def _same_grid(one: Volume, other: Volume) -> bool:
    return one.array.shape == other.array.shape and np.allclose(one.affine, other.affine, atol=1e-5)


def _grid(volume: Volume) -> str:
    shape, spacing = " x ".join(map(str, volume.array.shape)), ", ".join(f"{mm:.4g}" for mm in volume.spacing)
    corner = ", ".join(f"{mm:.4g}" for mm in volume.affine[:3, 3])
    return f"{shape} voxels of {spacing} mm from ({corner}) mm"

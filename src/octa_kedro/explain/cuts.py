"""What the pictures of an eye show: cuts through its volume, with depth in micrometres below the ILM."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octa_kedro.explain.localisation import peak_voxel
from octa_kedro.explain.pictures import Cut
from octa_kedro.explain.profile import EDGES
from octa_kedro.explain.side_panels import depth_words
from octa_kedro.io.volume import PlaneStack, Volume

Voxel = tuple[int, int, int]


class Planes(NamedTuple):
    """An eye, its map, and what else is known of it."""

    image: Volume
    heat: Volume
    enface: PlaneStack | None
    surfaces: PlaneStack | None
    lesion: Volume | None


@dataclass(frozen=True)
class DepthAxis:
    """The depth axis of B-scans: micrometres from `zero_mm`, which is the mean ILM of the eye (`below_ilm`), or else
    the upper edge of the volume. `ends` are those of the volume."""

    zero_mm: float
    below_ilm: bool
    ends: tuple[float, float]

    @property
    def words(self) -> str:
        """What the axis shows."""
        return depth_words(self.below_ilm).replace("the ILM", "the mean ILM")

    def of_voxel(self, planes: Planes, at: Voxel) -> str:
        """The depth of one voxel in words: below the ILM of its own A-scan, if that is known."""
        z = float(planes.heat.grid_affine[2, 2] * at[2] + planes.heat.grid_affine[2, 3])
        if self.below_ilm and planes.surfaces is not None:
            own = 1000 * (z - float(planes.surfaces.plane("ILM")[at[:2]]))
            if np.isfinite(own):
                return f"{abs(own):.0f} \N{GREEK SMALL LETTER MU}m {'below' if own >= 0 else 'above'} the ILM"
        return f"at {z:.2f} mm of the scan"


def depth_axis(image: Volume, surfaces: PlaneStack | None) -> DepthAxis:
    """The depth axis of an eye's B-scans."""
    step = image.grid_affine[2, 2]
    top = float(image.grid_affine[2, 3] - step / 2)
    below = surfaces is not None and "ILM" in surfaces.names and bool(np.isfinite(surfaces.plane("ILM")).any())
    zero = float(np.nanmean(surfaces.plane("ILM"))) if surfaces is not None and below else top
    start = 1000 * (top - zero)
    return DepthAxis(zero, below, (start, start + 1000 * step * image.array.shape[2]))


def cuts_of_volume(planes: Planes, at: Voxel, axis: DepthAxis, *, marked: bool) -> Iterator[Cut]:
    """The four cuts at voxel `at`: B-scan along x, B-scan along y, en-face slab, en-face slice; `marked` with a
    cross there."""
    image, warm, mask = planes.image, planes.heat.array, _mask(planes.lesion)
    px, py, pz = at
    x_mm, y_mm, _ = image.extent_mm
    flat = image.array.mean(axis=2) if planes.enface is None else planes.enface.array[..., 0]
    deep = (axis.ends[1], axis.ends[0])

    def cross(a: int, b: int) -> tuple[int, int] | None:
        return (a, b) if marked else None

    def part(where: tuple[slice | int, ...]) -> NDArray | None:
        return None if mask is None else np.asarray(mask[where])

    along_x, along_y, flat_at = (slice(None), py), (px,), (slice(None), slice(None), pz)
    yield Cut(
        image.array[along_x], warm[along_x], part(along_x), (0, x_mm, *deep), cross(px, pz), True,
        _lines(planes, axis, along_x, x_mm),
    )  # fmt: skip
    yield Cut(
        image.array[along_y], warm[along_y], part(along_y), (0, y_mm, *deep), cross(py, pz), True,
        _lines(planes, axis, along_y, y_mm),
    )  # fmt: skip
    front = None if mask is None else np.asarray(mask.any(axis=2))
    yield Cut(flat, warm.max(axis=2), front, (0, x_mm, 0, y_mm), cross(px, py))
    yield Cut(image.array[flat_at], warm[flat_at], part(flat_at), (0, x_mm, 0, y_mm), cross(px, py))


def flat_cut(enface: PlaneStack, name: str, heat: PlaneStack, lesion: Volume | None, *, marked: bool = True) -> Cut:
    """One en-face map with a 2D network's map over it, the cross at the map's peak."""
    mask = _mask(lesion)
    warm = heat.array[..., 0]
    x_mm, y_mm = np.linalg.norm(enface.grid_affine[:3, :2], axis=0) * enface.array.shape[:2]
    peak = peak_voxel(warm)
    return Cut(
        enface.plane(name),
        warm,
        None if mask is None else np.asarray(mask.any(axis=2)),
        (0, float(x_mm), 0, float(y_mm)),
        (int(peak[0]), int(peak[1])) if marked else None,
    )


def _mask(lesion: Volume | None) -> NDArray[np.bool_] | None:
    return None if lesion is None else np.asarray(lesion.array) > 0


def _lines(
    planes: Planes, axis: DepthAxis, where: tuple[slice | int, ...], length_mm: float
) -> tuple[tuple[NDArray, NDArray], ...]:
    """The surfaces along one B-scan, in the numbers of its axes."""
    if planes.surfaces is None:
        return ()
    depths = [
        1000 * (planes.surfaces.plane(name)[where] - axis.zero_mm) for name in EDGES if name in planes.surfaces.names
    ]
    return tuple(((np.arange(len(depth)) + 0.5) * length_mm / len(depth), depth) for depth in depths)

"""What an eye looks like in a few numbers, for telling whether it resembles those that a network was trained on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octa_kedro.io.volume import PlaneStack, Volume

LOOKS, NATIVE = "looks", "native"  # under which a stored image's facts hold these numbers
QUANTILES = (np.arange(20) + 0.5) / 20
DEPTH_BINS = 32
GREY, DEPTH = "grey levels", "depth profile"
AXES = ("x", "y", "z")


def measure_looks(image: Volume | PlaneStack) -> dict[str, list[float]]:
    """Curves that describe a processed image, by name.

    Of a volume its `grey levels` (QUANTILES of all voxels) and its `depth profile` (mean of each of DEPTH_BINS equal
    parts of its depth, the shallowest first; of each voxel where there are fewer); of en-face maps the grey levels
    of each, as ``grey levels of SLAB``.
    """
    if isinstance(image, Volume):
        means = np.asarray(image.array, np.float32).mean(axis=(0, 1), dtype=np.float64)
        parts = np.array_split(means, min(DEPTH_BINS, len(means)))
        return {GREY: _quantiles(image.array), DEPTH: _rounded([part.mean() for part in parts])}
    return {looks_of_slab(name): _quantiles(image.plane(name)) for name in image.names}


def looks_of_slab(slab: str) -> str:
    """The name of an en-face map's curve."""
    return f"{GREY} of {slab}"


def measure_native(scan: Volume) -> dict[str, float]:
    """Spacing and extent of a scan as the device made it, in millimetres, by name and axis."""
    spacing = {f"spacing_{axis}_mm": round(float(mm), 6) for axis, mm in zip(AXES, scan.spacing, strict=True)}
    fields = {f"field_{axis}_mm": round(float(mm), 4) for axis, mm in zip(AXES[:2], scan.extent_mm, strict=False)}
    return spacing | fields


def _quantiles(array: NDArray) -> list[float]:
    return _rounded(np.quantile(np.asarray(array, np.float32), QUANTILES))


def _rounded(values: Sequence[float] | NDArray) -> list[float]:
    return [round(float(value), 6) for value in values]

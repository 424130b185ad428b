"""Where the retina lies in a scan: from supplied surfaces, or estimated from the OCT volume."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing.segmentation import Squares, average_squares, smooth_surface
from octa_kedro.preprocessing.slabs import surface_plane
from octa_kedro.preprocessing.surface_search import LAYER_BORDERS, find_surfaces

MIN_THICKNESS_MM, MAX_THICKNESS_MM = 0.1, 0.9
MIN_CONTRAST = 1.5
"""Of the retina's mean grey level against the rest, in deviations of the noise; phantom eyes have 3.4 and more."""
MIN_EDGE = 0.2
"""Median rise at the ILM, relative to the brightest band; phantom eyes have 0.5 and more, noise 0.1."""
FLAT_MEDIAN_MM, FLAT_GAUSS_MM = 0.15, 0.06


def estimate_surfaces(oct_volume: Volume) -> PlaneStack:
    """Six surfaces of an OCT volume without supplied ones, as depths in millimetres.

    Good enough to flatten, to crop and to cut slabs: on phantom eyes the median error is 1 to 4 um, with the
    inner borders up to 30 um off in the foveal pit (`benchmarks/surfaces.py`). An epiretinal membrane counts as
    retina, and where the photoreceptors are gone IS/OS is placed on what rises next. DataError names an eye in
    which nothing looks like a retina.
    """
    squares = average_squares(oct_volume)
    found = find_surfaces(squares)
    _require_retina(squares, found, oct_volume.source)
    planes = [squares.enlarged(surface, oct_volume.array.shape) for surface in np.moveaxis(found, 2, 0)]
    depth_mm = np.stack(planes, axis=2) * oct_volume.spacing[2] + oct_volume.grid_affine[2, 3]
    return PlaneStack(
        depth_mm.astype(np.float32),
        oct_volume.grid_affine,
        LAYER_BORDERS,
        oct_volume.laterality,
        oct_volume.source,
        "estimated",
        oct_volume.frame,
    )


def flatten_depths(surfaces: PlaneStack, to: Literal["BM", "ILM"]) -> NDArray[np.float32]:
    """Millimetres ``[x, y]`` by which each A-scan has to move into the eye for surface `to` to become flat.

    The surface is smoothed first, so that its own errors do not tear the image, and ends at its median depth.
    """
    plane = surface_plane(surfaces, to, who="flattening")
    x, y = (float(s) for s in np.linalg.norm(surfaces.grid_affine[:3, :2], axis=0))
    smooth = smooth_surface(plane, (x, y), FLAT_MEDIAN_MM, FLAT_GAUSS_MM)
    return (np.median(smooth) - smooth).astype(np.float32)


def _require_retina(squares: Squares, found: NDArray, source: str) -> None:
    """DataError unless what lies between ILM and BM stands out, begins with an edge and is as thick as a retina."""
    thickness_mm = float(np.median(found[..., -1] - found[..., 0])) * squares.spacing_um[2] / 1000
    depth = np.arange(squares.grey.shape[2])
    inside = (depth >= found[..., :1]) & (depth <= found[..., -1:])
    noise = float(np.diff(squares.grey, axis=2).std()) / np.sqrt(2)
    contrast = float(squares.grey[inside].mean() - squares.grey[~inside].mean()) / max(noise, 1e-6)
    at_ilm = np.take_along_axis(squares.rises(), np.rint(found[..., :1]).astype(int), 2)
    edge = float(np.median(at_ilm))
    if contrast < MIN_CONTRAST or edge < MIN_EDGE or not MIN_THICKNESS_MM <= thickness_mm <= MAX_THICKNESS_MM:
        raise DataError(
            f"{source}: no retina found in the OCT volume (the best guess is {1000 * thickness_mm:.0f} um thick, "
            f"stands out by {contrast:.1f} times the noise and begins with an edge {edge:.2f} times as high as the "
            "brightest band); supply surfaces or leave the eye out"
        )

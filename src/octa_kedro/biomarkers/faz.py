"""The foveal avascular zone (FAZ) of an en-face map, and its size and shape."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, distance_transform_edt, gaussian_filter, label
from skimage.measure import find_contours, regionprops
from skimage.morphology import disk, opening

from octa_kedro.biomarkers.sampling import resample
from octa_kedro.preprocessing.fovea import places_mm

Mask = NDArray[np.bool_]

PIXEL_UM = 10.0
"""Of the pixels on which the zone is drawn, whatever the scan's sampling."""
WITHIN_MM = 0.7
"""From the map's middle, where the darkest place is taken for the fovea."""
SEARCH_UM, SIGMA_UM, OPENING_UM = 150.0, 30.0, 150.0
"""Smoothing that finds the fovea and that draws the outline; gaps in the capillary ring narrower than the third do not
let the outline leak."""
CORE_MM, NEAR_MM, REACH_MM = 0.15, 0.25, 1.0
"""Where the fovea's own grey is taken; within which the zone must begin; up to which it may go."""
PARAFOVEA_MM = (0.7, 1.2)
COARSE = 3
"""Every third pixel is enough to find the fovea."""
CAP_PERCENT = 80.0
RING_UM, ROUNDS = (40.0, 140.0), 3
"""Beyond the outline, where the grey of its border is taken anew so many times."""
DARK = 0.6
"""Of the parafoveal grey; a fovea that is no darker shows no FAZ."""


@dataclass(frozen=True)
class Faz:
    """A zone: its `mask` ``[x, y]`` on pixels of about `PIXEL_UM`, and the middle (x, y) of the zone in millimetres
    from the map's."""

    mask: Mask
    centre_mm: tuple[float, float]
    area_mm2: float
    perimeter_mm: float
    axis_ratio: float

    @property
    def circularity(self) -> float:
        """4 pi area / perimeter^2: 1 for a circle, less for any other outline."""
        return min(1.0, 4 * np.pi * self.area_mm2 / self.perimeter_mm**2)


def find_faz(plane: NDArray, spacing_um: tuple[float, float]) -> Faz | None:
    """The zone of the inner retina's map ``[x, y]``: where the smoothed map is darker than half-way between the fovea
    and the capillaries along its border. None if the fovea is not dark, or if the dark region runs on to `REACH_MM`.

    The threshold adapts to the map: at half of the step a blurred edge keeps its place. The border's grey is first that
    of the parafovea and then taken anew along the outline, since capillaries are dimmer there.
    """
    # large vessels must not light it up
    grey = resample(np.minimum(plane, np.percentile(plane, CAP_PERCENT)), spacing_um, PIXEL_UM)
    pixel = tuple(n * s / m / 1000 for n, s, m in zip(plane.shape, spacing_um, grey.shape, strict=True))
    box, distance = _around_fovea(grey, (pixel[0], pixel[1]))
    smooth = gaussian_filter(grey[box], SIGMA_UM / PIXEL_UM, mode="nearest")
    around = smooth[(distance > PARAFOVEA_MM[0]) & (distance < PARAFOVEA_MM[1])]
    if not around.size:
        return None
    floor, level = np.percentile(smooth[distance < CORE_MM], 25), np.median(around)
    if floor > DARK * level:
        return None
    mask = np.zeros(smooth.shape, bool)
    for _ in range(ROUNDS):
        dark = (smooth < (floor + level) / 2) & (distance < REACH_MM)
        piece = _piece(opening(dark, disk(round(OPENING_UM / PIXEL_UM / 2))), distance)
        if piece is None or distance[piece].max() > REACH_MM - 2 * max(pixel):
            return None
        mask, away = piece, distance_transform_edt(~piece) * PIXEL_UM
        level = np.median(smooth[(away > RING_UM[0]) & (away < RING_UM[1])])
    whole = np.zeros(grey.shape, bool)
    whole[box] = mask
    return _measured(whole, (pixel[0], pixel[1]))


def _around_fovea(grey: NDArray[np.float32], pixel_mm: tuple[float, float]) -> tuple[tuple[slice, slice], NDArray]:
    """The part of the map that can hold the zone, and the distance in millimetres of its pixels from the darkest
    place."""
    x, y = places_mm(grey.shape, pixel_mm)
    coarse = (slice(None, None, COARSE), slice(None, None, COARSE))
    dark = gaussian_filter(grey[coarse], SEARCH_UM / PIXEL_UM / COARSE, mode="nearest")
    at = np.unravel_index(np.argmin(np.where(np.hypot(x, y)[coarse] < WITHIN_MM, dark, np.inf)), dark.shape)
    middle = [COARSE * int(n) for n in at]
    reach = [round((PARAFOVEA_MM[1] + REACH_MM) / 2 / p) + 20 for p in pixel_mm]
    box = tuple(slice(max(0, m - r), m + r + 1) for m, r in zip(middle, reach, strict=True))
    offset = x[middle[0], middle[1]], y[middle[0], middle[1]]
    return (box[0], box[1]), np.hypot(x[box] - offset[0], y[box] - offset[1])


def _piece(dark: Mask, distance: NDArray) -> Mask | None:
    """The largest piece that begins near the fovea, without holes."""
    pieces, _ = label(dark)
    sizes = np.bincount(pieces[(distance < NEAR_MM) & (pieces > 0)])
    return np.asarray(binary_fill_holes(pieces == int(sizes.argmax())), bool) if sizes.size else None


def _measured(mask: Mask, pixel_mm: tuple[float, float]) -> Faz:
    found = regionprops(mask.astype(np.uint8), spacing=pixel_mm)[0]
    shorter = max(float(found.axis_minor_length), min(pixel_mm))
    middle = [(n - 1) / 2 * p for n, p in zip(mask.shape, pixel_mm, strict=True)]
    x, y = (float(c - m) for c, m in zip(found.centroid, middle, strict=True))
    return Faz(mask, (x, y), float(found.area), _perimeter(mask, pixel_mm), float(found.axis_major_length) / shorter)


def _perimeter(mask: Mask, pixel_mm: tuple[float, float]) -> float:
    """Length of the outline, which is smoothed over two pixels: steps from pixel to pixel would make it too long."""
    # a border of background closes the outline
    soft = gaussian_filter(np.pad(mask, 8).astype(float), 2.0)
    outlines = [np.hypot(*(np.diff(line, axis=0) * pixel_mm).T).sum() for line in find_contours(soft, 0.5)]
    return float(max(outlines))

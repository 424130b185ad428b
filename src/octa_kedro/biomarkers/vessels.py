"""Vessels of an en-face map: where they are, their centre lines, width and tortuosity."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve, distance_transform_edt, gaussian_filter, label
from skimage.feature import hessian_matrix, hessian_matrix_eigvals
from skimage.morphology import skeletonize

Mask = NDArray[np.bool_]

RESOLVED_UM = 20.0
"""With coarser pixels neighbouring capillaries (30 to 40 um apart) run together, and no vessel is measured."""
SIGMAS_UM = (12.0, 18.0, 27.0, 40.0)
RIDGE = 0.14
"""Contrast of a ridge, in units of the mean grey within ROUND_UM: dim parts have capillaries too. Chosen so that 10
real maps, 3 mm wide, show the published density of centre lines (18 to 20 per mm); the noise inside a FAZ makes a tenth
of its pixels ridges."""
ROUND_UM = 100.0
LOCAL_UM = 40.0
"""Deviations of the Gaussian weights of the local means that a ridge and a pixel are compared with."""
ORTHOGONAL, DIAGONAL = 0.948, 1.340
"""Lengths of a step along and across pixels: without bias on average over directions (Dorst and Smeulders 1987)."""
SEGMENT_UM = 150.0
"""Shorter pieces between two branchings say nothing of tortuosity."""
_NEIGHBOURS = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
_STEPS = (((1, 0), ORTHOGONAL), ((0, 1), ORTHOGONAL), ((1, 1), DIAGONAL), ((1, -1), DIAGONAL))


def find_vessels(grey: NDArray[np.float32], pixel_um: float, faz: Mask | None = None) -> Mask:
    """Which square pixels of a map ``[x, y]`` lie in a vessel; none inside the FAZ.

    After Chu et al. 2016 and Reif et al. 2012 (doi 10.1155/2012/509783), by two adaptive thresholds: a pixel is
    brighter than the local mean, and lies on a ridge of the Hessian matrix (at the best of several widths) whose
    contrast stands out of the local grey. Both scale with the map, whose gain therefore does not matter.
    """
    typical = float(grey.mean() if faz is None or not (~faz).any() else grey[~faz].mean())
    if typical <= 0:
        return np.zeros(grey.shape, bool)
    contrast = np.maximum.reduce([_ridge(grey, sigma / pixel_um) for sigma in SIGMAS_UM])
    around = np.maximum(gaussian_filter(grey, ROUND_UM / pixel_um), typical / 2)
    bright = gaussian_filter(grey, 0.5) > gaussian_filter(grey, LOCAL_UM / pixel_um)
    found = bright & (contrast > RIDGE * around)
    return found if faz is None else found & ~faz


def _ridge(grey: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """How strongly the map falls off across its steepest direction, times sigma^2, so that widths compare; a speck,
    which falls off in all directions, counts less."""
    matrix = hessian_matrix(grey, sigma=sigma, mode="nearest", use_gaussian_derivatives=True)
    along, across = hessian_matrix_eigvals(matrix)
    return (sigma**2 * np.maximum(-across - np.maximum(-along, 0), 0)).astype(np.float32)


def centre_lines(vessels: Mask) -> Mask:
    """The skeleton of vessels, one pixel wide (Zhang and Suen 1984)."""
    return np.asarray(skeletonize(vessels), bool)


def line_length(lines: Mask) -> NDArray[np.float64]:
    """The length in pixels that each pixel ``[x, y]`` of a skeleton adds: half of the steps to its neighbours."""
    length = np.zeros(lines.shape)
    for (dx, dy), step in _STEPS:
        here, there = _pair(lines.shape, dx, dy)
        both = lines[here] & lines[there]
        length[here] += step / 2 * both
        length[there] += step / 2 * both
    return length


def calibre_um(vessels: Mask, lines: Mask, pixel_um: float) -> float:
    """Mean width in micrometres: twice the distance from the centre line to the border; NaN without vessels.

    Of a line of even width, the distance to the centre of the next pixel outside is as long as that to the border; of
    odd width, half a pixel longer: half a pixel is taken off the width, which is right on average.
    """
    if not lines.any():
        return float("nan")
    distance = distance_transform_edt(np.pad(vessels, 1, mode="edge"))[1:-1, 1:-1]
    return float((2 * distance[lines] - 0.5).mean() * pixel_um)


def tortuosity(lines: Mask, pixel_um: float) -> float:
    """Length by distance of the ends, averaged over the pieces between branchings by their length; NaN without any.

    Pieces shorter than SEGMENT_UM and closed ones do not count.
    """
    neighbours = convolve(lines.astype(int), _NEIGHBOURS, mode="constant") * lines
    pieces, count = label(lines & (neighbours <= 2), np.ones((3, 3)))
    if not count:
        return float("nan")
    length = np.zeros(count + 1)
    ends = np.zeros(pieces.shape, int)
    for (dx, dy), step in _STEPS:
        here, there = _pair(pieces.shape, dx, dy)
        both = (pieces[here] == pieces[there]) & (pieces[here] > 0)
        length += step * np.bincount(pieces[here][both], minlength=count + 1)
        ends[here] += both
        ends[there] += both
    at = np.argwhere((ends == 1) & (pieces > 0))
    owner = pieces[tuple(at.T)]
    at, owner = at[np.argsort(owner, kind="stable")], np.sort(owner)
    two = np.flatnonzero(np.bincount(owner, minlength=count + 1) == 2)
    pairs = at[np.isin(owner, two)].reshape(-1, 2, 2)
    chord = np.hypot(*(pairs[:, 0] - pairs[:, 1]).T)
    long = (length[two] * pixel_um >= SEGMENT_UM) & (chord > 0)
    if not long.any():
        return float("nan")
    # the estimate of a straight line's length may fall short of its chord
    ratio = np.maximum(length[two][long] / chord[long], 1.0)
    return float(np.average(ratio, weights=length[two][long]))


def _pair(shape: tuple[int, ...], dx: int, dy: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of a map and of the same map moved by (dx, dy), dx >= 0."""
    rows = slice(0, shape[0] - dx), slice(dx, shape[0])
    left, right = slice(0, shape[1] - abs(dy)), slice(abs(dy), shape[1])
    columns = (left, right) if dy >= 0 else (right, left)
    return (rows[0], columns[0]), (rows[1], columns[1])

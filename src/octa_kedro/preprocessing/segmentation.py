"""Surfaces in a volume: averaged squares of A-scans, evidence of edges, and the smoothest strong surface through it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d, median_filter, uniform_filter1d, zoom

from octa_kedro.io.volume import Volume

Array = NDArray[np.float32]

SQUARE_MM = 0.06  # A-scans are averaged over squares of this size before edges are sought
STEP_MM = 0.006  # and depth over this
EDGE_UM = 8.0  # deviation of the Gaussian whose slope finds edges
BAND_UM = 20.0  # thickness of the bright band that the pigment epithelium makes
ROUNDS = 10  # of reweighting in a robust fit
NEVER = np.float32(1e3)  # a cost no path takes while there is another


@dataclass(frozen=True)
class Squares:
    """A scan averaged over squares of A-scans and steps of depth.

    `grey` is ``[x, y, z]``, 0 at the background's level and about 1 in the brightest band; `factors` are the
    voxels (x, y, z) of the scan in one of its own, `spacing_um` its voxel's edges.
    """

    grey: Array
    factors: tuple[int, int, int]
    spacing_um: tuple[float, float, float]

    def steps(self, um: float) -> int:
        """The number of depth steps nearest to a distance in micrometres, at least one."""
        return max(1, round(um / self.spacing_um[2]))

    def rises(self) -> Array:
        """Height of the step from dark to bright at each voxel, negative where it falls."""
        deviation = max(EDGE_UM / self.spacing_um[2], 1.0)  # narrower ones miss what lies between two samples
        slope = gaussian_filter1d(self.grey, deviation, axis=2, order=1, mode="nearest")
        return slope * np.float32(deviation * np.sqrt(2 * np.pi))

    def band_means(self) -> Array:
        """Mean over BAND_UM that ends at each voxel."""
        return _band_means(self.grey, self.steps(BAND_UM))

    def smoothed(self, surface: NDArray, median_mm: float, gauss_mm: float) -> NDArray[np.float64]:
        """`smooth_surface` for a surface ``[x, y]`` of one depth per square."""
        x, y, _ = self.spacing_um
        return smooth_surface(surface, (x / 1000, y / 1000), median_mm, gauss_mm)

    def enlarged(self, surface: NDArray, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """`surface` ``[x, y]`` at every A-scan of a scan of `shape`, in the scan's depth index.

        A-scans that did not fill a square take their neighbour's value.
        """
        fine = zoom(surface, self.factors[:2], order=1, grid_mode=True, mode="nearest")
        fine = np.pad(fine, [(0, n - m) for n, m in zip(shape[:2], fine.shape, strict=True)], mode="edge")
        return fine * self.factors[2] + (self.factors[2] - 1) / 2


def average_squares(volume: Volume) -> Squares:
    """The volume averaged over squares of SQUARE_MM and depths of STEP_MM, with its grey levels made relative."""
    size = (SQUARE_MM, SQUARE_MM, STEP_MM)
    factors = [min(max(1, round(mm / s)), n) for mm, s, n in zip(size, volume.spacing, volume.array.shape, strict=True)]
    grey: NDArray = volume.array
    small = grey.dtype == np.uint8 and np.prod(factors) * 255 < 2**16
    for axis in (1, 2, 0):  # first along what a stack of B-scans is stored by: whole pictures are added
        grey = _summed(grey, axis, factors[axis], np.uint16 if small else np.float32)
    spacing_um = [1000 * f * s for f, s in zip(factors, volume.spacing, strict=True)]
    squares = grey.astype(np.float32) / np.float32(np.prod(factors))
    return Squares(
        _relative(squares, spacing_um),
        (factors[0], factors[1], factors[2]),
        (spacing_um[0], spacing_um[1], spacing_um[2]),
    )


def trace_surface(cost: Array, penalty: float) -> NDArray[np.intp]:
    """Depth index ``[x, y]`` of a surface of low `cost` ``[x, y, z]`` that changes little between neighbours.

    Dynamic programming with `penalty` per step of depth between neighbours, solved exactly for each A-scan on
    a tree: all lines along x, joined by the line along y through the A-scan (Bleyer and Gelautz, VISAPP 2008).
    """
    totals = _least_totals(_least_totals(cost, 0, penalty), 1, penalty)
    return np.argmin(totals, axis=2)


def between_samples(evidence: Array, index: NDArray[np.intp]) -> NDArray[np.float64]:
    """`index` ``[x, y]`` moved to the top of the parabola through `evidence` there and at both neighbours."""
    inner = np.clip(index, 1, evidence.shape[2] - 2)
    above, at, below = (np.take_along_axis(evidence, inner[..., None] + k, 2)[..., 0] for k in (-1, 0, 1))
    bend = 2 * at - above - below
    peaked = (bend > 1e-6) & (inner == index)
    moved = np.clip((below - above) / (2 * np.where(peaked, bend, 1)), -0.5, 0.5)
    return np.where(peaked, index + moved, index).astype(np.float64)


def window_index(centre: NDArray, above: int, below: int, depth: int) -> NDArray[np.intp]:
    """Depth indices ``[x, y, k]`` from `above` over to `below` under a surface ``[x, y]``, kept inside the scan."""
    first = np.clip(np.rint(centre).astype(np.intp) - above, 0, max(depth - above - below - 1, 0))
    return first[..., None] + np.arange(min(above + below + 1, depth))


def smooth_surface(
    surface: NDArray, spacing_mm: tuple[float, float], median_mm: float, gauss_mm: float
) -> NDArray[np.float64]:
    """`surface` ``[x, y]`` by a median filter `median_mm` wide, 3 A-scans at least, then blurred by `gauss_mm`."""
    size = [2 * max(1, round(median_mm / s / 2)) + 1 for s in spacing_mm]
    # what curves away is put aside, or filters would level it at the edges of the field
    bowl = fitted_bowl(surface, order=2)
    kept = median_filter(surface - bowl, size=size, mode="nearest")
    return bowl + gaussian_filter(kept, [gauss_mm / s for s in spacing_mm], mode="nearest")


def fitted_bowl(surface: NDArray, order: int, tolerance: float = np.inf) -> NDArray[np.float64]:
    """Polynomial of x and y fitted to `surface` ``[x, y]``, robust against what lies further than `tolerance` off."""
    x, y = np.meshgrid(*(np.linspace(-1, 1, n) for n in surface.shape), indexing="ij")
    powers = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    terms = np.stack([(x**i * y**j).ravel() for i, j in powers], axis=1)
    depth, weight = surface.ravel().astype(float), np.ones(surface.size)
    for _ in range(ROUNDS if np.isfinite(tolerance) else 1):
        weighted = terms * weight[:, None]
        fitted = terms @ np.linalg.lstsq(weighted.T @ terms, weighted.T @ depth, rcond=None)[0]
        weight = 1 / (1 + ((depth - fitted) / tolerance) ** 2)  # Cauchy's
    return fitted.reshape(surface.shape)


def largest_after(values: Array, gap: int) -> Array:
    """Largest of `values` at least `gap` further along the last axis; 0 where there is none above 0."""
    running = np.maximum.accumulate(values[..., ::-1], axis=-1)[..., ::-1]
    return np.maximum(_shifted(running, -gap), np.float32(0))


def largest_before(values: Array, gap: int) -> Array:
    """Largest of `values` at least `gap` earlier along the last axis; 0 where there is none above 0."""
    return np.maximum(_shifted(np.maximum.accumulate(values, axis=-1), gap), np.float32(0))


def _shifted(values: Array, by: int) -> Array:
    """`values` moved along the last axis, with zeros for what comes in."""
    moved = np.zeros_like(values)
    if by > 0:
        moved[..., by:] = values[..., :-by]
    else:
        moved[..., :by] = values[..., -by:]
    return moved


def _summed(array: NDArray, axis: int, factor: int, kind: type[np.generic]) -> NDArray:
    """Sums, as numbers of `kind`, over runs of `factor` along an axis; what does not fill a run is left out."""
    whole = array.shape[axis] // factor * factor
    picks = [[slice(None)] * axis + [slice(start, whole, factor)] for start in range(factor)]
    total = array[tuple(picks[0])].astype(kind)
    for pick in picks[1:]:
        total += array[tuple(pick)]
    return total


def _band_means(grey: Array, width: int) -> Array:
    """Mean over the `width` voxels that end at each voxel."""
    return uniform_filter1d(grey, width, axis=2, origin=(width - 1) // 2, mode="nearest")


def _relative(grey: Array, spacing_um: list[float]) -> Array:
    """Grey levels relative to the background (0) and to the brightest band thereabouts (1)."""
    background = np.float32(np.percentile(grey[::2, ::2], 10))
    brightest = _band_means(grey, max(1, round(BAND_UM / spacing_um[2]))).max(axis=2)
    level = gaussian_filter(brightest - background, [120 / s for s in spacing_um[:2]], mode="nearest")
    return ((grey - background) / np.maximum(level, np.float32(1e-6))[..., None]).astype(np.float32, copy=False)


def _least_totals(cost: Array, axis: int, penalty: float) -> Array:
    """For every voxel the least cost of a path through it along `axis`, with `penalty` per step of depth."""
    lines = np.ascontiguousarray(np.moveaxis(cost, axis, 0))
    total = _running(lines, penalty)
    total += _running(lines[::-1], penalty)[::-1]
    total -= lines
    return np.moveaxis(total, 0, axis)


def _running(lines: Array, penalty: float) -> Array:
    """Least cost of the paths from the first line that end at each voxel of ``[line, i, z]``."""
    ramp = np.arange(lines.shape[2], dtype=np.float32) * np.float32(penalty)
    total = np.empty_like(lines)
    total[0] = lines[0]
    for k in range(1, len(lines)):
        # least of total + penalty * |z - z'| over all z', as two sweeps along the depth
        down = np.minimum.accumulate(total[k - 1] - ramp, axis=1) + ramp
        up = np.minimum.accumulate((total[k - 1] + ramp)[:, ::-1], axis=1)[:, ::-1] - ramp
        np.minimum(down, up, out=down)
        down -= down.min(axis=1, keepdims=True)  # or rounding errors would grow with the path
        np.add(lines[k], down, out=total[k])
    return total

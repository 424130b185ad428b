"""Sampling grids and random fields that the parts of the phantom share."""

import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Map = NDArray[np.float32]

BEAM_UM = 4.5
"""Standard deviation of the beam's lateral profile, from the power spectrum of real maps above 20 cycles per mm."""
RESOLVED = 0.3
"""A blur with a smaller standard deviation, in voxels, is not applied: neighbours would stay nearly independent."""
ALIASING = 0.45
"""Standard deviation, in voxels, of the blur that arises because the beam moves while it reads a voxel."""


def stream(seed: int, subject: int, part: str) -> np.random.Generator:
    """Random numbers for one part of one eye; they depend on no other part or eye, nor on the order or the process."""
    return np.random.default_rng(np.random.SeedSequence([seed, subject, zlib.crc32(part.encode())]))


@dataclass(frozen=True)
class Grid:
    """Lateral sampling of a scan of `shape` voxels (x, y, z) and `extent_mm`.

    The fovea lies `fovea_mm` from the scan's centre. Coordinates are millimetres from the fovea in a right
    eye: x towards the nose, y upwards. `shift_mm` (Y,) is how far the eye had moved along x at each B-scan; the
    whole B-scan, with its surfaces and lesions, is shifted by it.
    """

    shape: tuple[int, int, int]
    extent_mm: tuple[float, float, float]
    fovea_mm: tuple[float, float]
    shift_mm: NDArray[np.float64] | None = None
    finest_um: float = 10.0

    @property
    def voxel_um(self) -> tuple[float, float, float]:
        """Voxel edge lengths (x, y, z) in micrometres."""
        x, y, z = (1000 * e / n for e, n in zip(self.extent_mm, self.shape, strict=True))
        return x, y, z

    @property
    def factor(self) -> int:
        """Fine pixels per voxel edge: vessels are drawn at `finest_um` or finer in any scan."""
        return max(1, int(np.ceil(max(self.voxel_um[:2]) / self.finest_um - 1e-9)))

    @cached_property
    def coarse(self) -> tuple[Map, Map]:
        """Coordinates (x, y) of the A-scans."""
        return self._axes(1)

    @cached_property
    def fine(self) -> tuple[Map, Map]:
        """Coordinates (x, y) of the fine pixels."""
        return self._axes(self.factor)

    @property
    def fine_um(self) -> tuple[float, float]:
        """Edge lengths of a fine pixel in micrometres."""
        return self.voxel_um[0] / self.factor, self.voxel_um[1] / self.factor

    def fine_index(self, at: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Places (N, 2) in millimetres as fractional indices (x, y) of fine pixels, motion included."""
        y = self.fine[1]
        step = np.asarray(self.fine_um) / 1000
        row = (at[:, 1] - float(y[0, 0])) / step[1]
        shift = self.fine_shift_mm[np.clip(np.rint(row).astype(int), 0, y.shape[1] - 1)]
        return (at[:, 0] - shift - self._first_x(self.factor)) / step[0], row

    def sample(self, fine: Map) -> Map:
        """Fine map (X*f, Y*f), blurred by the beam or by a voxel if that is wider, and read at each A-scan (X, Y)."""
        f = self.factor
        beam = [BEAM_UM / pixel for pixel in self.fine_um]
        if f == 1 and max(beam) < RESOLVED:
            return fine
        blurred = ndimage.gaussian_filter(fine, [max(width, ALIASING * f) for width in beam])
        if f % 2:
            return blurred[f // 2 :: f, f // 2 :: f]
        low, high = slice(f // 2 - 1, None, f), slice(f // 2, None, f)  # a voxel's centre lies between two pixels
        return np.float32(0.25) * (blurred[low, low] + blurred[low, high] + blurred[high, low] + blurred[high, high])

    @cached_property
    def fine_shift_mm(self) -> NDArray[np.float64]:
        """How far motion has moved each fine row (Y*f,) along x."""
        shift = np.zeros(self.shape[1]) if self.shift_mm is None else self.shift_mm
        return np.repeat(shift, self.factor)

    def _first_x(self, factor: int) -> float:
        return (0.5 / (self.shape[0] * factor) - 0.5) * self.extent_mm[0] - self.fovea_mm[0]

    def _axes(self, factor: int) -> tuple[Map, Map]:
        axes = [
            ((np.arange(n * factor) + 0.5) / (n * factor) - 0.5) * extent - offset
            for n, extent, offset in zip(self.shape[:2], self.extent_mm[:2], self.fovea_mm, strict=True)
        ]
        x, y = np.meshgrid(*axes, indexing="ij")
        moved = self.fine_shift_mm[:: self.factor] if factor == 1 else self.fine_shift_mm
        return (x + moved).astype(np.float32), y.astype(np.float32)


REACH_MM = 4.0
"""Fields are drawn up to this distance from the fovea, so that all scans of an eye show the same fields."""


def smooth_field(rng: np.random.Generator, at: tuple[Map, Map], correlation_mm: float) -> Map:
    """Gaussian field of mean 0 and standard deviation 1 (over many draws), correlated over `correlation_mm`.

    `at` are coordinates (x, y) in millimetres from the fovea, of a `Grid` or of single places (N,); the field at a
    place does not depend on which other places are asked for.
    """
    nodes = int(np.ceil(2 * REACH_MM / correlation_mm)) + 4
    white = rng.standard_normal((nodes, nodes), dtype=np.float32)
    shift = (rng.uniform(-0.5, 0.5, 2) + nodes / 2).astype(np.float32)
    x, y = (axis / np.float32(correlation_mm) + offset for axis, offset in zip(at, shift, strict=True))
    # between nodes of white noise, a cubic spline has about 0.8 of their standard deviation
    return _spline(white / np.float32(0.8), x, y)


def _spline(values: Map, x: Map, y: Map) -> Map:
    """Cubic spline through `values` (N, N), read at the fractional indices `x` and `y`.

    On a scan's grid rows and columns are interpolated one after the other, ten times as fast as point by point;
    columns (B-scans) with the same shift by a movement of the eye are read together.
    """
    if x.ndim != 2:
        return ndimage.map_coordinates(values, np.stack([x, y]), order=3, mode="nearest", output=np.float32)
    coefficients = ndimage.spline_filter(values, order=3, output=np.float32, mode="nearest")
    across = _weighted(coefficients.T, y[0])
    field = np.empty(x.shape, np.float32)
    starts, group = np.unique(x[0], return_inverse=True)
    for number in range(len(starts)):
        columns = np.flatnonzero(group == number)
        field[:, columns] = _weighted(np.ascontiguousarray(across[columns].T), x[:, columns[0]])
    return field


def _weighted(coefficients: Map, at: Map) -> Map:
    """A cubic B-spline with `coefficients` (N, M), read along axis 0 at fractional indices `at` (K,): (K, M)."""
    first = np.floor(at).astype(np.intp)
    t = (at - first)[:, None]
    # https://en.wikipedia.org/wiki/B-spline, uniform and cubic
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    blended = np.zeros((len(at), coefficients.shape[1]), np.float32)
    for step, weight in enumerate(weights, start=-1):
        row = np.clip(first + step, 0, len(coefficients) - 1)
        blended += (weight / np.float32(6)) * coefficients[row]
    return blended


def grain_noise(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    voxel_um: tuple[float, ...],
    grain_um: tuple[float, ...],
) -> Map:
    """Gaussian noise (X, Y, ...) of standard deviation 1, blurred by `grain_um` on axes whose voxels resolve it."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    for axis, (size, voxel) in enumerate(zip(grain_um, voxel_um, strict=True)):
        if size > RESOLVED * voxel:
            noise = ndimage.gaussian_filter1d(noise, size / voxel, axis=axis, mode="wrap", truncate=3.0)
    noise /= np.float32(noise.std())
    return noise


def mesh(rng: np.random.Generator, at: tuple[Map, Map], spacing_mm: float, line_width: float = 0.28) -> Map:
    """Net of thin lines, 0 between and 1 on them: the zero crossings of two smooth fields."""
    net = np.zeros(at[0].shape, np.float32)
    for _ in range(2):
        noise = smooth_field(rng, at, spacing_mm)
        np.maximum(net, np.exp(-((noise / np.float32(line_width)) ** 2)), out=net)
    return net


@dataclass(frozen=True)
class Outline:
    """Closed wavy line: its radius, relative to its mean, as a sum of waves round the circle."""

    amplitudes: tuple[float, ...]
    phases: tuple[float, ...]

    def __call__(self, angle: NDArray) -> NDArray:
        """Relative radius in the direction `angle` (radians)."""
        radius = np.ones_like(angle)
        for order, (amplitude, phase) in enumerate(zip(self.amplitudes, self.phases, strict=True), 2):
            radius += angle.dtype.type(amplitude) * np.cos(order * angle + angle.dtype.type(phase))
        return np.maximum(radius, angle.dtype.type(0.4))


def draw_outline(rng: np.random.Generator, irregularity: float) -> Outline:
    """A random outline; the amplitudes of its waves are about `irregularity` and fall with the wave number."""
    orders = np.arange(2, 8)
    amplitudes = irregularity * rng.standard_normal(len(orders)) / np.sqrt(orders - 1)
    return Outline(tuple(amplitudes.tolist()), tuple(rng.uniform(0, 2 * np.pi, len(orders)).tolist()))


def outline(rng: np.random.Generator, angle: Map, irregularity: float) -> Map:
    """Radius of a new outline in the direction `angle`."""
    return draw_outline(rng, irregularity)(angle)


def edge(distance: Map, width: float) -> Map:
    """Soft step from 1 (distance well below 0) to 0 (well above), `width` wide."""
    return (0.5 * (1 - np.tanh(2 * distance / np.float32(width)))).astype(np.float32)

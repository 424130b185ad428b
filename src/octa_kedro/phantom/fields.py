"""Sampling grids and random fields that the parts of the phantom share."""

import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Map = NDArray[np.float32]


def stream(seed: int, subject: int, part: str) -> np.random.Generator:
    """Random numbers of one part of one eye, independent of every other part, eye, order and process."""
    return np.random.default_rng(np.random.SeedSequence([seed, subject, zlib.crc32(part.encode())]))


@dataclass(frozen=True)
class Grid:
    """Lateral sampling of a scan of `shape` voxels (x, y, z) and `extent_mm`.

    The fovea lies `fovea_mm` from the scan's centre. Coordinates are millimetres from the fovea in a right
    eye: x towards the nose, y upwards.
    """

    shape: tuple[int, int, int]
    extent_mm: tuple[float, float, float]
    fovea_mm: tuple[float, float]
    finest_um: float = 15.0

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

    def sample(self, fine: Map) -> Map:
        """Fine map (X*f, Y*f) seen through the beam: blurred a little, then read at each A-scan (X, Y)."""
        f = self.factor
        if f == 1:
            return fine
        return ndimage.gaussian_filter(fine, 0.3 * f)[f // 2 :: f, f // 2 :: f]

    def _axes(self, factor: int) -> tuple[Map, Map]:
        axes = [
            ((np.arange(n * factor) + 0.5) / (n * factor) - 0.5) * extent - offset
            for n, extent, offset in zip(self.shape[:2], self.extent_mm[:2], self.fovea_mm, strict=True)
        ]
        x, y = np.meshgrid(*axes, indexing="ij")
        return x.astype(np.float32), y.astype(np.float32)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], correlation_px: float) -> Map:
    """Gaussian field of zero mean and unit deviation (over many draws), correlated over `correlation_px`."""
    step = max(1.0, correlation_px)
    nodes = [int(np.ceil(n / step)) + 4 for n in shape]
    noise = rng.standard_normal(nodes, dtype=np.float32)
    if step == 1.0:
        return noise[: shape[0], : shape[1]]
    starts = rng.uniform(1, 2, 2)
    at = np.meshgrid(*(s + np.arange(n) / step for s, n in zip(starts, shape, strict=True)), indexing="ij")
    # a cubic spline through white nodes has about 0.8 of their deviation between them
    return ndimage.map_coordinates(noise, at, order=3, mode="nearest").astype(np.float32) / np.float32(0.8)


def mesh(rng: np.random.Generator, shape: tuple[int, int], correlation_px: float) -> Map:
    """Net of thin lines, 0 between and 1 on them: the zero crossings of two smooth Gaussian fields."""
    net = np.zeros(shape, np.float32)
    for _ in range(2):
        noise = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), correlation_px, mode="wrap")
        noise /= noise.std()
        np.maximum(net, np.exp(-((noise / np.float32(0.28)) ** 2)), out=net)
    return net


def outline(rng: np.random.Generator, angle: Map, irregularity: float) -> Map:
    """Radius, relative to its mean, of a closed wavy line in the direction `angle` (radians)."""
    radius = np.ones_like(angle)
    for order in range(2, 8):
        amplitude = irregularity * rng.standard_normal() / np.sqrt(order - 1)
        radius += np.float32(amplitude) * np.cos(order * angle + np.float32(rng.uniform(0, 2 * np.pi)))
    return np.maximum(radius, np.float32(0.4))


def edge(distance: Map, width: float) -> Map:
    """Soft step from 1 (distance well below 0) to 0 (well above), `width` wide."""
    return (0.5 * (1 - np.tanh(2 * distance / np.float32(width)))).astype(np.float32)

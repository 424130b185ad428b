"""Voxels in the order of a map's evidence, block by block, and random orders of the same blocks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Ranking:
    """Blocks of voxels from most to least evidence: `place` ``(D, H, W)`` is each voxel's block in that order, -1
    where the voxel is not ranked; `covered` is the number of voxels in the first 0, 1, 2, ... blocks."""

    place: NDArray[np.int64]
    covered: NDArray[np.int64]

    def first(self, share: float) -> tuple[Mask, float]:
        """The voxels ``(D, H, W)`` of the first blocks that hold `share` of all ranked voxels, and the share they hold:
        whole blocks, so it may be a little more."""
        blocks = int(np.searchsorted(self.covered, share * self.covered[-1] - 1e-6))
        return (self.place >= 0) & (self.place < blocks), float(self.covered[blocks] / self.covered[-1])

    def reversed(self) -> "Ranking":
        """From least to most evidence."""
        sizes = np.diff(self.covered)[::-1]
        place = np.where(self.place >= 0, len(sizes) - 1 - self.place, -1)
        return Ranking(place, np.concatenate([[0], np.cumsum(sizes)]))


@dataclass(frozen=True)
class Removal:
    """How voxels are ranked and taken away. Blocks are in voxels ``(D, H, W)``: single voxels would cost nothing more
    in forward passes, but their random ranking, a fine dust, takes hardly anything from the network."""

    block: tuple[int, int, int] = (4, 4, 4)
    draws: int = 3
    seed: int = 0


def rank_blocks(
    heat: NDArray[np.floating], mask: Mask, block: tuple[int, int, int] = (1, 1, 1), *, seed: int = 0
) -> Ranking:
    """Blocks of a map ``(D, H, W)`` by the mean of their voxels inside `mask`; equal ones in random order.

    DataError if the map is not on the mask's grid, is not finite, or nothing is inside the mask.
    """
    if heat.shape != mask.shape:
        raise DataError(f"a map of {heat.shape} voxels cannot rank an image of {mask.shape}; make it on the same grid")
    if not mask.any() or not np.isfinite(heat[mask]).all():
        raise DataError("a map is ranked by its voxels inside the mask, but there are none or they are not finite")
    number = np.zeros(mask.shape, np.int64)
    for axis, (count, size) in enumerate(zip(mask.shape, block, strict=True)):
        index = (np.arange(count) // size).reshape([-1 if a == axis else 1 for a in range(3)])
        number = number * -(-count // size) + index
    sizes = np.bincount(number[mask])
    sums = np.bincount(number[mask], heat[mask].astype(np.float64))
    used = np.flatnonzero(sizes)
    used = np.random.default_rng(seed).permutation(used)  # before a stable sort: what is equal stays in random order
    order = used[np.argsort(-sums[used] / sizes[used], kind="stable")]
    place_of = np.full(number.max() + 1, -1, np.int64)
    place_of[order] = np.arange(len(order))
    return Ranking(np.where(mask, place_of[number], -1), np.concatenate([[0], np.cumsum(sizes[order])]))


def random_rankings(mask: Mask, removal: Removal) -> list[Ranking]:
    """`removal.draws` random orders of the same blocks."""
    flat = np.zeros(mask.shape, np.float32)  # all equal, so in random order
    return [rank_blocks(flat, mask, removal.block, seed=removal.seed + 1 + draw) for draw in range(removal.draws)]

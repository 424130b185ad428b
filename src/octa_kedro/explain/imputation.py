"""Noisy linear imputation in 3D: removed voxels filled in from those around them, so that no hole's shape is seen."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import cg

from octa_kedro.errors import DataError

PRECISION = 1e-5
"""Of the solution, relative to the right side: far below the noise that is added."""


def impute(
    image: NDArray[np.float32],
    removed: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
    *,
    noise: float = 0.01,
    seed: int = 0,
) -> NDArray[np.float32]:
    """`image` ``(C, D, H, W)`` with the voxels `removed` ``(D, H, W)`` filled in.

    Each removed voxel becomes the mean of its 6 neighbours (fewer at the border of the voxels `allowed`, beyond which
    nothing is looked at), which is a sparse linear system of the removed voxels alone; then normal noise of `noise`
    times the deviation of the channel's allowed voxels is added. Rong et al. 2022 (ICML, "A Consistent and Efficient
    Evaluation Strategy for Attribution Methods"), section 4.3, with the 8 neighbours of a pixel replaced by the 6
    of a voxel. A part without any neighbour that is left is set to the mean of all that are. DataError if none is.
    """
    if (removed & ~allowed).any():
        raise ValueError("voxels to remove lie outside those that may be looked at")
    known = allowed & ~removed
    if not known.any():
        raise DataError("every voxel is to be removed: nothing is left to fill in from; remove a smaller share")
    result = image.copy()
    if not removed.any():
        return result
    rng = np.random.default_rng(seed)
    system = _System(removed, allowed)
    for channel, values in enumerate(image):
        filled = system.solve(values, float(values[known].mean()))
        filled += noise * float(values[allowed].std()) * rng.standard_normal(len(filled))
        result[channel][removed] = filled
    return result


class _System:
    """The linear system of some removed voxels: degree of each, links among them, and links to known voxels."""

    def __init__(self, removed: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> None:
        number = np.full(removed.shape, -1, np.int64)
        self.count = int(removed.sum())
        number[removed] = np.arange(self.count)
        flat = np.arange(removed.size).reshape(removed.shape)
        rows, others, voxels = [], [], []
        for here, there in _neighbours():
            linked = removed[here] & allowed[there]
            rows.append(number[here][linked])
            others.append(number[there][linked])
            voxels.append(flat[there][linked])
        row, other, voxel = np.concatenate(rows), np.concatenate(others), np.concatenate(voxels)
        among = other >= 0
        self.links = csr_matrix((np.ones(among.sum()), (row[among], other[among])), (self.count, self.count))
        self.known_rows, self.known_voxels = row[~among], voxel[~among]
        self.degree = np.bincount(row, minlength=self.count).astype(np.float64)
        parts, part = connected_components(self.links, directed=False)
        self.reached = np.isin(part, np.unique(part[self.known_rows])) if parts else np.zeros(0, bool)

    def solve(self, values: NDArray[np.float32], mean: float) -> NDArray[np.float64]:
        """The removed voxels' values from `values` ``(D, H, W)``, in the order of a boolean index."""
        right = np.bincount(self.known_rows, values.ravel()[self.known_voxels].astype(np.float64), self.count)
        solution = np.full(self.count, mean)
        where = self.reached
        if not where.any():
            return solution
        degree = self.degree[where]
        matrix = diags(degree) - self.links[where][:, where]  # symmetric and positive definite
        start = np.full(int(where.sum()), mean)
        found, failed = cg(
            matrix, right[where], x0=start, rtol=PRECISION, atol=0.0, M=diags(1 / degree), maxiter=10_000
        )
        if failed:
            raise ArithmeticError(f"filling in {len(start)} voxels did not converge in 10 000 rounds")
        solution[where] = found
        return solution


def _neighbours() -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """For each of the 6 directions, the slices of all voxels that have a neighbour there, and of that neighbour."""
    pairs = []
    for axis in range(3):
        low, high = [slice(None)] * 3, [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        pairs += [(tuple(low), tuple(high)), (tuple(high), tuple(low))]
    return pairs

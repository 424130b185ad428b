"""Which point of a scan a point of the reference frame is: affine maps and smooth bending, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from octa_kedro.errors import DataError
from octa_kedro.messages.words import first_words

MAX_ROUNDS, SETTLED_MM = 100, 1e-6
"""Of the fixed-point iteration that undoes bending. It converges where neighbouring points move by less than their
distance apart: any bending that is far from folding."""


LEAST_DETERMINANT = 1e-9
AGAIN = "run data_processing again"


def _identity() -> NDArray[np.float64]:
    return np.eye(4)


@dataclass(frozen=True, eq=False)
class Displacement:
    """Shifts in millimetres ``[x, y, z, 3]`` at the nodes of a coarse lattice in the target frame.

    Linear between nodes; beyond the lattice the value at its rim holds.
    """

    shifts: NDArray[np.float64]
    origin_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]

    def at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shifts ``(N, 3)`` at `points` ``(N, 3)``."""
        index = ((points - np.asarray(self.origin_mm)) / np.asarray(self.spacing_mm)).T
        parts = [map_coordinates(self.shifts[..., axis], index, order=1, mode="nearest") for axis in range(3)]
        return np.stack(parts, axis=1)

    def nodes(self) -> NDArray[np.float64]:
        """Points ``(N, 3)`` of the lattice, in millimetres, in the order of `shifts`."""
        axes = [
            o + s * np.arange(n) for o, s, n in zip(self.origin_mm, self.spacing_mm, self.shifts.shape, strict=False)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)

    def least_stretch(self) -> float:
        """Smallest determinant of the bending's Jacobian at a node; at 0 and below space is folded."""
        slopes = [np.gradient(self.shifts, step, axis=axis) for axis, step in enumerate(self.spacing_mm)]
        jacobian = np.stack(slopes, axis=-1) + np.eye(3)  # [..., component, axis]
        return float(np.linalg.det(jacobian).min())


@dataclass(frozen=True, eq=False)
class Transform:
    """Maps points of the target (reference) frame to points of the scan, both in millimetres.

    A point p goes to ``matrix @ (p + displacement(p))``; no displacement makes it affine.
    """

    matrix: NDArray[np.float64] = field(default_factory=_identity)
    displacement: Displacement | None = None

    @property
    def is_aligned(self) -> bool:
        """Whether it only shifts and (positively) scales the axes, so that voxel rows stay voxel rows."""
        scales = np.diag(self.matrix)[:3]
        straight = np.allclose(self.matrix[:3, :3], np.diag(scales), rtol=0, atol=1e-12)
        return self.displacement is None and bool(straight and (scales > 0).all())

    def apply(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points ``(N, 3)`` of the scan that are at `points` ``(N, 3)`` of the target frame."""
        moved = points if self.displacement is None else points + self.displacement.at(points)
        return moved @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    def inverse(self) -> Self:
        """From the scan to the target frame; ValueError if the transform bends, see `invert_points`."""
        if self.displacement is not None:
            raise ValueError("a bending transform has no closed inverse; use invert_points")
        return type(self)(inverse_of(self.matrix))

    def invert_points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Target points ``(N, 3)`` that `apply` takes to `points`, within `SETTLED_MM`.

        Bending is undone by fixed-point iteration, ``q <- matrix^-1 @ p - displacement(q)``. DataError where that
        does not converge.
        """
        straight = type(self)(self.matrix).inverse().apply(points)
        if self.displacement is None:
            return straight
        found = straight - self.displacement.at(straight)
        for _ in range(MAX_ROUNDS):
            nearer = straight - self.displacement.at(found)
            if np.abs(nearer - found).max(initial=0) < SETTLED_MM:
                return nearer
            found = nearer
        raise DataError("the bending of this registration cannot be undone; use a simpler registration.method")

    def to_json(self) -> dict[str, Any]:
        """Plain data that JSON can hold; every digit is kept."""
        bending = self.displacement
        return {
            "matrix": self.matrix.tolist(),
            "displacement": None
            if bending is None
            else {
                "origin_mm": list(bending.origin_mm),
                "spacing_mm": list(bending.spacing_mm),
                "shifts": bending.shifts.tolist(),
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The transform that `to_json` wrote; DataError if it is none, or cannot be inverted."""
        try:
            matrix, bending = np.asarray(data["matrix"], float), data["displacement"]
            if bending is not None:
                x, y, z = map(float, bending["origin_mm"])
                dx, dy, dz = map(float, bending["spacing_mm"])
                bending = Displacement(np.asarray(bending["shifts"], float), (x, y, z), (dx, dy, dz))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a stored transform ({first_words(error)}); {AGAIN}") from error
        if problem := _problem_of(matrix) or (bending and _problem_of_bending(bending)):
            raise DataError(f"not a stored transform ({problem}); {AGAIN}")
        return cls(matrix, bending)


def _problem_of(matrix: NDArray[np.float64]) -> str:
    if matrix.shape != (4, 4):
        return f"matrix of shape {matrix.shape}"
    if not np.isfinite(matrix).all() or not np.array_equal(matrix[3], (0, 0, 0, 1)):
        return "a matrix with values that are not finite, or whose last row is not 0 0 0 1"
    return "" if abs(np.linalg.det(matrix)) > LEAST_DETERMINANT else "a matrix without an inverse"


def _problem_of_bending(bending: Displacement) -> str:
    if bending.shifts.ndim != 4 or bending.shifts.shape[3] != 3 or bending.shifts.size == 0:
        return f"displacement of shape {bending.shifts.shape}"
    if not np.isfinite(bending.shifts).all() or not np.isfinite([*bending.origin_mm, *bending.spacing_mm]).all():
        return "a displacement with values that are not finite"
    return "" if min(bending.spacing_mm) > 0 else f"a lattice with the spacing {bending.spacing_mm}"


def inverse_of(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse matrix, in double precision."""
    return np.asarray(np.linalg.inv(matrix), np.float64)


def translation(shift_mm: tuple[float, float, float]) -> Transform:
    """The transform that moves points by `shift_mm`."""
    matrix = np.eye(4)
    matrix[:3, 3] = shift_mm
    return Transform(matrix)

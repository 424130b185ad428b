"""Whether an en-face map lies on its volume as it is said to, or turned or mirrored."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.preprocessing.geometry import apply_weights, axis_weights

STATED = "as stated"
ORIENTATIONS: dict[str, Callable[[NDArray], NDArray]] = {
    STATED: lambda plane: plane,
    "x reversed": lambda plane: plane[::-1],
    "y reversed": lambda plane: plane[:, ::-1],
    "x and y reversed": lambda plane: plane[::-1, ::-1],
    "x and y exchanged": lambda plane: plane.T,
    "x and y exchanged, then x reversed": lambda plane: plane.T[::-1],
    "x and y exchanged, then y reversed": lambda plane: plane.T[:, ::-1],
    "x and y exchanged, then both reversed": lambda plane: plane.T[::-1, ::-1],
}
"""What would have to be done to a map ``[x, y]`` to lay it on the volume."""
MARGIN = 0.1
MIN_CORRELATION = 0.2
"""Subject 10225 of OCTA-500: .71 in the right orientation, at most .07 in any other."""


@dataclass(frozen=True)
class OrientationReport:
    """Pearson correlation of a map with the volume's projection in each of the eight `ORIENTATIONS`.

    `best` has the largest; `warning` says why nothing can be told, and is empty otherwise. Correlations are NaN
    where one of the two is constant.
    """

    correlations: dict[str, float]
    best: str
    warning: str = ""

    @property
    def agrees(self) -> bool:
        """Whether no other orientation fits better than the stated one by `MARGIN` or more."""
        if self.warning:
            return True
        return self.correlations[self.best] - self.correlations[STATED] < MARGIN


def check_orientation(projection: NDArray, supplied: NDArray, *, what: str) -> OrientationReport:
    """How well `supplied` ``[x, y]`` fits `projection` ``[x, y]`` of the volume, in each of eight orientations.

    The map is resized to the projection's grid, since both show the same field. DataError names `what` if a map
    is no plane or holds NaN or infinite values.
    """
    for plane in (projection, supplied):
        if plane.ndim != 2 or not plane.size or not np.isfinite(plane).all():
            raise DataError(f"{what}: an en-face map [x, y] of finite numbers expected, got shape {plane.shape}")
    turned = {name: _resized(turn(supplied), projection.shape) for name, turn in ORIENTATIONS.items()}
    correlations = {name: _correlation(projection, plane) for name, plane in turned.items()}
    if any(np.isnan(value) for value in correlations.values()):
        return OrientationReport(correlations, STATED, f"{what}: a constant map, so its orientation cannot be told")
    best = max(correlations, key=lambda name: correlations[name])
    warning = ""
    if correlations[best] < MIN_CORRELATION:
        warning = (
            f"{what}: agrees with the volume's projection in no orientation (r = {correlations[best]:.2f} at most), "
            "so it cannot be told whether it lies as stated"
        )
    return OrientationReport(correlations, best, warning)


def require_oriented(projection: NDArray, supplied: NDArray, *, what: str) -> OrientationReport:
    """The report of `check_orientation`; DataError if another orientation clearly fits better than the stated one."""
    report = check_orientation(projection, supplied, what=what)
    if not report.agrees:
        raise DataError(
            f"{what}: agrees with the volume's projection when {report.best} (r = "
            f"{report.correlations[report.best]:.2f}), not as stated (r = {report.correlations[STATED]:.2f}); it was "
            "turned or mirrored, or the B-scans are numbered the other way round"
        )
    return report


def _resized(plane: NDArray, shape: tuple[int, ...]) -> NDArray[np.float64]:
    if plane.shape == shape:
        return plane.astype(float)
    edges = [np.linspace(0, n_in, n_out + 1) for n_in, n_out in zip(plane.shape, shape, strict=True)]
    return apply_weights(plane.astype(float), [axis_weights(n, e) for n, e in zip(plane.shape, edges, strict=True)])


def _correlation(one: NDArray, other: NDArray) -> float:
    """Pearson's r; NaN if either is constant."""
    a, b = one - one.mean(dtype=float), other - other.mean(dtype=float)
    norm = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / norm if norm > 0 else float("nan")

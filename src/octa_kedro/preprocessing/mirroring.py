"""Left eyes mirrored, so that temporal and nasal lie at the same ends of x in all eyes."""

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from octa_kedro.io.volume import PlaneStack, Volume

Eye = TypeVar("Eye", Volume, PlaneStack)


def mirror(eye: Eye) -> Eye:
    """A left eye (laterality OS) mirrored along x about the middle of its scan, any other as it is.

    Afterwards x runs temporal to nasal in every eye's frame. A view of the same voxels, each of which stays where it
    was in the world (`io.volume`): the frame is turned with them. The laterality stays, which says whose eye it is:
    mirror once, after reading.
    """
    if not is_mirrored(eye):
        return eye
    return replace(eye, array=eye.array[::-1], frame=eye.frame.after(flip_of(eye.array.shape, eye.grid_affine)))


def flip_of(shape: tuple[int, ...], grid_affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix ``(4, 4)`` that flips x about the middle of a scan of `shape` voxels with a diagonal affine."""
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = 2 * grid_affine[0, 3] + (shape[0] - 1) * grid_affine[0, 0]
    return flip


def is_mirrored(eye: Volume | PlaneStack) -> bool:
    """Whether `mirror` flips this eye."""
    return eye.laterality == "OS"

"""Left eyes mirrored, so that temporal and nasal lie at the same ends of x in all eyes."""

from dataclasses import replace
from typing import TypeVar

from octa_kedro.io.volume import PlaneStack, Volume

Eye = TypeVar("Eye", Volume, PlaneStack)


def mirror(eye: Eye) -> Eye:
    """A left eye (laterality OS) mirrored along x about the middle of its scan, any other as it is.

    Afterwards x runs temporal to nasal in every eye (the frame of `io.volume`). A view of the same voxels; the
    affine stays the scan's, and so does the laterality, which says whose eye it is: mirror once, after reading.
    """
    return replace(eye, array=eye.array[::-1]) if is_mirrored(eye) else eye


def is_mirrored(eye: Volume | PlaneStack) -> bool:
    """Whether `mirror` flips this eye."""
    return eye.laterality == "OS"

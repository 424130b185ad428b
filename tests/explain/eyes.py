"""Tiny eyes with known anatomy, and maps with known peaks."""

import numpy as np

from octa_kedro.io.volume import PlaneStack, Volume, scan_affine

SHAPE = (8, 6, 20)
AFFINE = scan_affine(SHAPE, (3.0, 3.0, 1.0))  # depth steps of 50 um


def volume(array: np.ndarray, modality: str = "gradcam") -> Volume:
    return Volume(array, AFFINE, modality)


def heat_at(*peaks: tuple[int, int, int]) -> Volume:
    """Zero but at `peaks`, of which the first is the highest."""
    array = np.zeros(SHAPE, np.float32)
    for value, peak in enumerate(reversed(peaks), start=1):
        array[peak] = value
    return volume(array)


def box(*slices: slice) -> np.ndarray:
    """A mask that is 1 in the box."""
    array = np.zeros(SHAPE, np.uint8)
    array[slices] = 1
    return array


def flat_surfaces(*depths_mm: float) -> PlaneStack:
    """ILM, OPL and BM at these depths, everywhere."""
    planes = np.stack([np.full(SHAPE[:2], d, np.float32) for d in depths_mm], axis=2)
    return PlaneStack(planes, AFFINE, ("ILM", "OPL_ONL", "BM"))

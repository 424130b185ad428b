"""Lesion masks: what is one, and what is something else that a file holds."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError

log = logging.getLogger(__name__)

ROUNDING = 1e-3
"""How far from whole numbers the values of a mask may lie, such as after scaling or interpolation."""
MOST_LABELS = 32
"""More different numbers than this are grey values, not labels of lesions."""
LARGEST_LABEL = 255
MUCH = 0.5


def as_mask(path: Path, array: NDArray) -> NDArray[np.uint8]:
    """The mask (0 and 1) of `as_labels`."""
    return (as_labels(path, array) != 0).astype(np.uint8)


def as_labels(path: Path, array: NDArray) -> NDArray[np.uint8]:
    """Labels as 8-bit numbers: 0 outside of lesions, whole numbers from 1 on within, one for each kind of lesion.

    DataError if there are other values (probabilities, negative ones, grey values, NaN), or no voxel lies outside. A
    lesion of more than half of the voxels is warned about: a mask may be inverted.
    """
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise DataError(f"{path}: mask with NaN or infinite values; write 0 where there is no lesion")
        labels = np.rint(array)
        off = np.abs(array - labels)
        if off.max() > ROUNDING:
            raise DataError(
                f"{path}: mask with values between whole numbers, such as {array.flat[off.argmax()]:.4g}; write 1 "
                "where the lesion is and 0 elsewhere (of probabilities, choose a threshold)"
            )
        array = labels
    mask = array != 0
    found = np.unique(array[mask])
    if len(found) and found[0] < 0:
        raise DataError(
            f"{path}: mask with the value {found[0]:g}; write 0 where there is no lesion, and 1 where it is"
        )
    if len(found) and found[-1] > LARGEST_LABEL:
        raise DataError(f"{path}: mask with the value {found[-1]:g}; number kinds of lesion from 1 to {LARGEST_LABEL}")
    if len(found) > MOST_LABELS:
        raise DataError(f"{path}: holds {len(found)} different values, as a scan does and no mask; name the mask")
    if mask.all():
        raise DataError(f"{path}: no voxel of the mask is 0, so all of the scan would be lesion; write 0 outside of it")
    if (share := mask.mean()) > MUCH:
        log.warning("%s: %.0f %% of the scan are lesion by this mask; look whether it is inverted", path, 100 * share)
    return array.astype(np.uint8)

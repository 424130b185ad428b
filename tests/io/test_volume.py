"""What is no usable volume is refused by its name."""

import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.volume import Volume, require_usable, scan_affine

SHAPE = (4, 5, 6)
AFFINE = scan_affine(SHAPE, (3.0, 3.0, 2.0))


def filled(value: float, kind: type = np.float32) -> np.ndarray:
    array = np.arange(120).reshape(SHAPE).astype(kind)
    array[1, 2, 3] = value
    return array


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32, np.float64])
def test_a_volume_with_two_values_passes_as_it_is(kind: type):
    array = np.zeros(SHAPE, kind)
    array[-1, -1, -1] = 1
    volume = Volume(array, AFFINE, "OCT", source="a.nii")
    assert require_usable(volume) is volume


@pytest.mark.parametrize(
    ("array", "affine", "words"),
    [
        (filled(np.nan), AFFINE, "NaN or infinite"),
        (filled(-np.inf), AFFINE, "NaN or infinite"),
        (np.full(SHAPE, 7, np.uint8), AFFINE, "every voxel is 7,"),
        (np.zeros(SHAPE, np.float32), AFFINE, "every voxel is 0,"),
        (np.zeros((4, 0, 6), np.uint8), AFFINE, "at least one voxel"),
        (np.zeros((4, 5), np.uint8), AFFINE, "3 axes"),
        (filled(1), np.diag([0.1, 0, 0.1, 1]), r"voxels measure \(0.1, 0.0, 0.1\) mm"),
        (filled(1), np.diag([0.1, np.nan, 0.1, 1]), "voxels measure"),
        (filled(1, np.complex64), AFFINE, "real numbers"),
    ],
)
def test_what_shows_nothing_is_named(array: np.ndarray, affine: np.ndarray, words: str):
    with pytest.raises(DataError, match=f"a.nii: .*{words}"):
        require_usable(Volume(array, affine, "OCT", source="a.nii"))

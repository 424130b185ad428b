"""En-face maps cut into patches and put together."""

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from octa_kedro.errors import DataError
from octa_kedro.preprocessing.intensity_config import IntensityConfig
from octa_kedro.preprocessing.patch_config import PatchConfig
from octa_kedro.preprocessing.patches import join_patches, match_contrast, split_patches

PLAIN = PatchConfig(n=2, size=2, match_contrast=False)
WHOLE = IntensityConfig(lower=0, upper=100)


def smooth_map(nx: int, ny: int) -> np.ndarray:
    x, y = np.meshgrid(np.arange(nx) / nx, np.arange(ny) / ny, indexing="ij")
    return 40 + 20 * np.sin(5 * x + 1) + 15 * np.cos(7 * y)


def test_patches_go_by_row_from_superior_and_column_along_x():
    plane = np.arange(16, dtype=np.float32).reshape(4, 4)  # value 4 x + y
    patches = split_patches(plane, PLAIN)
    assert PLAIN.names == ("r1c1", "r1c2", "r2c1", "r2c2")
    np.testing.assert_array_equal(patches[0], [[2, 3], [6, 7]])
    np.testing.assert_array_equal(patches[1], [[10, 11], [14, 15]])
    np.testing.assert_array_equal(patches[2], [[0, 1], [4, 5]])
    np.testing.assert_array_equal(patches[3], [[8, 9], [12, 13]])


def test_coarser_patches_average_pixels():
    plane = np.arange(16.0).reshape(4, 4)
    patches = split_patches(plane, PatchConfig(n=2, size=1, match_contrast=False))
    np.testing.assert_allclose(patches.ravel(), [4.5, 12.5, 2.5, 10.5])


@pytest.mark.parametrize(("n", "size", "shape"), [(2, 2, (4, 4)), (3, 5, (15, 15)), (1, 8, (8, 8)), (4, 3, (12, 12))])
def test_joined_patches_are_the_map(n: int, size: int, shape: tuple[int, int]):
    plane = np.random.default_rng(0).random(shape, np.float32)
    patches = split_patches(plane, PatchConfig(n=n, size=size, match_contrast=False))
    assert patches.shape == (n * n, size, size)
    np.testing.assert_allclose(join_patches(patches, shape), plane, rtol=1e-6)


@pytest.mark.parametrize(("shape", "size"), [((304, 304), 100), ((101, 75), 60), ((60, 60), 100)])
def test_a_map_of_any_size_comes_back_to_its_grid(shape: tuple[int, int], size: int):
    plane = smooth_map(*shape)
    patches = split_patches(plane, PatchConfig(n=2, size=size, match_contrast=False))
    joined = join_patches(patches, shape)
    assert joined.shape == shape
    assert np.abs(joined - plane).max() < 1.5  # of a range of 70


def test_patches_of_explanations_may_be_coarse():
    coarse = np.stack([np.full((2, 2), value) for value in (1.0, 2.0, 3.0, 4.0)])
    joined = join_patches(coarse, (8, 8))
    assert [joined[0, 7], joined[7, 7], joined[0, 0], joined[7, 0]] == [1, 2, 3, 4]


def test_contrast_is_that_of_the_definition():
    plane = smooth_map(64, 64)
    greys = np.rint(255 * (plane - plane.min()) / (plane.max() - plane.min())).astype(np.uint8)
    expected = cv2.createCLAHE(clipLimit=256 / greys.mean(), tileGridSize=(4, 4)).apply(greys) / 255
    result = match_contrast(plane, PatchConfig(intensity=WHOLE))
    np.testing.assert_allclose(result, expected, atol=1.01 / 255)


def test_contrast_makes_a_dull_map_like_a_brilliant_one():
    plane = np.random.default_rng(1).gamma(2, 10, (80, 80))
    dull = 20 + 0.3 * plane
    config = PatchConfig(intensity=WHOLE.model_copy(update={"below": "lower"}))
    np.testing.assert_allclose(match_contrast(dull, config), match_contrast(plane, config), atol=2 / 255)
    flat, rich = match_contrast(plane, config), (plane - plane.min()) / np.ptp(plane)
    assert flat.std() > 1.3 * rich.std()
    assert flat.max() > 0.95


def test_bad_maps_are_named():
    with pytest.raises(DataError, match=r"eye 4: a map of shape \(1, 9\)"):
        split_patches(np.ones((1, 9)), PLAIN, what="eye 4")
    with pytest.raises(DataError, match="eye 4: is constant"):
        split_patches(np.ones((9, 9)), PatchConfig(), what="eye 4")
    with pytest.raises(DataError, match="not n x n"):
        join_patches(np.ones((3, 4, 4)), (8, 8))
    with pytest.raises(ValidationError, match="size"):
        PatchConfig(size=0)

"""Holes filled in from what is around them."""

import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.explain.imputation import impute

SHAPE = (7, 9, 11)
EVERYWHERE = np.ones(SHAPE, bool)


def test_a_linear_ramp_is_filled_in_exactly():
    z, y, x = np.indices(SHAPE)
    image = np.stack([z + 2 * y + 3 * x, 5.0 - x]).astype(np.float32)
    removed = np.zeros(SHAPE, bool)
    removed[2:5, 3:6, 3:8] = True  # a linear function is the mean of its 6 neighbours
    holed = np.where(removed, np.float32(-99), image)
    np.testing.assert_allclose(impute(holed, removed, EVERYWHERE, noise=0), image, atol=1e-3)


def test_agrees_with_the_system_written_out():
    rng = np.random.default_rng(1)
    image, allowed = rng.random((1, 4, 3, 5), np.float32), rng.random((4, 3, 5)) > 0.2
    removed = allowed & (rng.random((4, 3, 5)) > 0.5)
    filled = impute(image, removed, allowed, noise=0)[0]
    for voxel in np.argwhere(removed):
        steps = [voxel + sign * step for step in np.eye(3, dtype=int) for sign in (1, -1)]
        steps = [tuple(s) for s in steps if (s >= 0).all() and (s < allowed.shape).all() and allowed[tuple(s)]]
        if steps:
            assert filled[tuple(voxel)] == pytest.approx(np.mean([filled[s] for s in steps]), abs=1e-4)
    np.testing.assert_array_equal(filled[~removed], image[0][~removed])


def test_what_may_not_be_looked_at_does_not_bleed_in():
    image = np.full((1, *SHAPE), 1000, np.float32)
    allowed, removed = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    allowed[2:5] = True
    image[0, 2:5] = 1
    removed[2:5, 2:5, 2:8] = True
    np.testing.assert_allclose(impute(image, removed, allowed)[0, 2:5], 1, atol=1e-4)


def test_an_enclosed_part_takes_the_mean():
    image, allowed, removed = np.ones((1, *SHAPE), np.float32), EVERYWHERE.copy(), np.zeros(SHAPE, bool)
    image[0, 4:] = 3
    allowed[3] = False  # cuts the volume in two
    removed[:3] = True  # and one of them goes
    np.testing.assert_allclose(impute(image, removed, allowed, noise=0)[0, :3], 3)


def test_noise_has_the_size_asked_for():
    image = np.random.default_rng(0).normal(0, 2, (1, 20, 20, 20)).astype(np.float32)
    removed = np.zeros((20, 20, 20), bool)
    removed[::2, ::2, ::2] = True  # no two are neighbours
    plain = impute(image, removed, removed | True, noise=0)
    noisy = impute(image, removed, removed | True, noise=0.1)
    assert (noisy - plain)[0][removed].std() == pytest.approx(0.2, rel=0.1)


def test_nothing_left_is_refused():
    image = np.ones((1, *SHAPE), np.float32)
    with pytest.raises(DataError, match="nothing is left to fill in from"):
        impute(image, EVERYWHERE, EVERYWHERE)
    assert (impute(image, ~EVERYWHERE, EVERYWHERE) == image).all()

"""Evidence stays in the tissue."""

import numpy as np

from octa_kedro.explain.smoothing import blur_in_plane, smooth, tissue

RNG = np.random.default_rng(0)


def retina() -> np.ndarray:
    """A volume ``(C, D, H, W)`` whose retina lies between two tilted planes, black outside, with dark voxels inside."""
    depth = np.arange(30)[:, None, None]
    top = 8 + np.arange(20)[None, :, None] * 0.2 + np.zeros((1, 1, 24))
    image = np.where((depth >= top) & (depth < top + 10), RNG.uniform(0.2, 1, (30, 20, 24)), 0)
    image[12:14, 5:15, 5:15] = 0
    return image[None].astype(np.float32)


def test_dark_voxels_inside_the_retina_are_tissue_and_black_ones_around_it_are_not():
    inside = tissue(retina(), masked=True)
    assert inside[12:14, 5:15, 5:15].all()
    assert inside.sum() == 10 * 20 * 24
    assert tissue(retina(), masked=False).all()
    assert tissue(np.zeros((2, 8, 8)), masked=True).all()


def test_a_constant_stays_what_it_is_up_to_the_border_of_the_tissue():
    inside = tissue(retina(), masked=True)
    np.testing.assert_allclose(smooth(np.full(inside.shape, 3.0), inside, (2, 2, 2))[inside], 3, rtol=1e-5)


def test_nothing_bleeds_out_and_nothing_outside_bleeds_in():
    inside = tissue(retina(), masked=True)
    array = np.where(inside, RNG.random(inside.shape), 100)
    smoothed = smooth(array, inside, (2, 2, 2))
    assert not smoothed[~inside].any()
    assert smoothed[inside].max() <= 1


def test_blurring_in_plane_keeps_the_layers_and_loses_what_is_local():
    layers = np.repeat(np.linspace(0.1, 1, 30), 20 * 24).reshape(1, 30, 20, 24)
    spot = layers.copy()
    spot[0, 15, 10, 12] += 1
    np.testing.assert_allclose(blur_in_plane(layers, tissue(layers, masked=True), (8, 8)), layers, rtol=1e-4)
    assert blur_in_plane(spot, tissue(spot, masked=True), (8, 8))[0, 15, 10, 12] < layers[0, 15, 10, 12] + 0.02

"""Tools that find surfaces in volumes, by hand."""

from itertools import product

import numpy as np
import pytest

from octa_kedro.io.volume import Volume, scan_affine
from octa_kedro.preprocessing.segmentation import (
    Squares,
    average_squares,
    between_samples,
    fitted_bowl,
    largest_after,
    largest_before,
    smooth_surface,
    trace_surface,
    window_index,
)


def cheapest(cost: np.ndarray, penalty: float) -> tuple[int, ...]:
    """The best of all paths through ``cost[place, depth]``, tried one by one."""
    places, depths = cost.shape

    def total(path: tuple[int, ...]) -> float:
        return sum(cost[i, z] for i, z in enumerate(path)) + penalty * float(np.abs(np.diff(path)).sum())

    return min(product(range(depths), repeat=places), key=total)


@pytest.mark.parametrize("penalty", [0.0, 0.2, 1.0, 5.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_path_is_as_cheap_as_the_best_of_all(penalty: float, axis: int):
    cost = np.random.default_rng(4).random((6, 5)).astype(np.float32)
    found = trace_surface(np.expand_dims(cost, 1 - axis), penalty)
    assert tuple(found.ravel()) == cheapest(cost, penalty)


def test_a_surface_bridges_a_false_edge_from_both_sides():
    cost = np.zeros((7, 7, 10), np.float32)
    cost[:, :, 3] = -1
    cost[3, 3, 3], cost[3, 3, 8] = 0, -1.5  # a stronger edge, but far from all neighbours
    assert (trace_surface(cost, 0.25) == 3).all()
    assert trace_surface(cost, 0.01)[3, 3] == 8


def test_a_step_wider_than_a_line_is_followed():
    cost = np.zeros((6, 5, 12), np.float32)
    cost[:3, :, 2] = cost[3:, :, 9] = -2
    np.testing.assert_array_equal(trace_surface(cost, 0.1)[:, 0], [2, 2, 2, 9, 9, 9])


def test_the_top_of_a_parabola_lies_between_samples():
    z = np.arange(6.0)
    evidence = np.stack([-((z - top) ** 2) for top in (2.3, 1.6, 0.0, 5.0)]).astype(np.float32)[:, None]
    found = between_samples(evidence, evidence.argmax(axis=2))
    np.testing.assert_allclose(found[:, 0], [2.3, 1.6, 0, 5], atol=1e-5)


def test_windows_stay_inside_the_scan():
    index = window_index(np.array([[0.0, 5.4, 9.0]]), 2, 1, 10)
    np.testing.assert_array_equal(index[0], [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]])
    assert window_index(np.zeros((1, 1)), 20, 20, 10).tolist() == [[list(range(10))]]


def test_largest_on_either_side_by_hand():
    values = np.array([[[1, -2, 3, 0, 2]]], np.float32)
    assert largest_after(values, 1).tolist() == [[[3, 3, 2, 2, 0]]]
    assert largest_after(values, 2).tolist() == [[[3, 2, 2, 0, 0]]]
    assert largest_before(values, 1).tolist() == [[[0, 1, 1, 3, 3]]]
    assert largest_before(-values, 3).tolist() == [[[0, 0, 0, 0, 2]]]


def test_a_tilted_bowl_is_not_levelled_at_its_edges_and_outliers_go():
    x, y = np.meshgrid(np.linspace(-3, 3, 30), np.linspace(-3, 3, 25), indexing="ij")
    bowl = 5 * x - 2 * y + 3 * x**2 + y**2 + x * y
    np.testing.assert_allclose(smooth_surface(bowl, (0.2, 0.24), 0.6, 0.3), bowl, atol=1e-6)
    spiked = bowl.copy()
    spiked[11, 7] += 40
    assert np.abs(smooth_surface(spiked, (0.2, 0.24), 0.6, 0.3) - bowl).max() < 1


def test_a_robust_bowl_ignores_a_dome():
    x, y = np.meshgrid(np.linspace(-1, 1, 30), np.linspace(-1, 1, 30), indexing="ij")
    bowl = 20 * x + 8 * y**2
    domed = bowl - 30 * (np.hypot(x - 0.3, y) < 0.4)
    assert np.abs(fitted_bowl(domed, 4, 4.0) - bowl).max() < 3
    assert np.abs(fitted_bowl(domed, 4) - bowl).max() > 8


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_squares_are_means_whatever_the_layout(kind: type):
    array = np.random.default_rng(0).integers(0, 250, (9, 8, 14)).astype(kind)
    volume = Volume(array, scan_affine(array.shape, (0.18, 0.24, 0.042)), "OCT")  # 20 x 30 x 3 um
    squares = average_squares(volume)
    assert squares.factors == (3, 2, 2)
    assert squares.spacing_um == pytest.approx((60, 60, 6))
    means = array.astype(float).reshape(3, 3, 4, 2, 7, 2).mean(axis=(1, 3, 5))
    # relative grey levels: the same for all up to a gain per square
    background = np.percentile(means[::2, ::2], 10)
    gain = squares.grey / (means - background)
    np.testing.assert_allclose(gain, np.broadcast_to(gain[..., :1], gain.shape), rtol=1e-3)
    turned = np.ascontiguousarray(array.transpose(1, 2, 0)).transpose(2, 0, 1)
    np.testing.assert_allclose(average_squares(volume.with_array(turned)).grey, squares.grey, rtol=1e-6)


def test_enlarging_keeps_depths_and_fills_the_rest():
    squares = Squares(np.zeros((3, 4, 7), np.float32), (3, 2, 2), (60, 60, 6))
    surface = np.full((3, 4), 2.0)
    fine = squares.enlarged(surface, (10, 9, 14))
    assert fine.shape == (10, 9)
    np.testing.assert_allclose(fine, 4.5)  # step 2 is made of voxels 4 and 5
    ramp = np.arange(3.0)[:, None] + np.zeros((3, 4))
    np.testing.assert_allclose(squares.enlarged(ramp, (9, 8, 14))[[1, 4, 7], 0], [0.5, 2.5, 4.5])


def test_a_step_rises_by_its_height_where_it_is():
    grey = np.zeros((1, 1, 40), np.float32)
    grey[..., 20:] = 0.8
    rises = Squares(grey, (1, 1, 1), (60, 60, 6)).rises()[0, 0]
    assert between_samples(rises[None, None], np.array([[20]]))[0, 0] == pytest.approx(19.5, abs=0.05)
    assert rises.max() == pytest.approx(0.8, rel=0.1)
    assert rises[:10] == pytest.approx(0, abs=1e-4)

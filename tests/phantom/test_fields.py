import numpy as np
import pytest
from scipy import ndimage

from octa_kedro.phantom.fields import BEAM_UM, Grid, edge, smooth_field, stream


def places(count: int, reach_mm: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.random.default_rng(11).uniform(-reach_mm, reach_mm, (2, count)).astype(np.float32)
    return x, y


def a_grid(shift_mm: np.ndarray | None = None) -> Grid:
    return Grid((30, 40, 96), (3.0, 6.0, 2.0), (0.1, -0.07), shift_mm)


def test_field_at_a_place_does_not_depend_on_the_others():
    x, y = places(500)
    together = smooth_field(np.random.default_rng(3), (x, y), 0.2)
    alone = [smooth_field(np.random.default_rng(3), (x[i : i + 1], y[i : i + 1]), 0.2)[0] for i in (0, 100, 499)]
    np.testing.assert_allclose(alone, together[[0, 100, 499]], atol=1e-5)


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("correlation_mm", [0.05, 0.5])
def test_field_on_a_grid_is_that_of_its_places(correlation_mm: float, moved: bool):
    x, y = a_grid(np.where(np.arange(40) > 30, 0.2, 0.0) if moved else None).coarse
    whole = smooth_field(np.random.default_rng(3), (x, y), correlation_mm)
    alone = smooth_field(np.random.default_rng(3), (x.ravel(), y.ravel()), correlation_mm)
    # where the spline ends, 4 mm from the fovea, the two continue it in ways of their own
    np.testing.assert_allclose(whole.ravel(), alone, atol=0.02)


@pytest.mark.parametrize("correlation_mm", [0.05, 0.5, 2.0])
def test_field_has_zero_mean_and_unit_deviation_over_draws(correlation_mm: float):
    at = places(100)
    values = np.stack([smooth_field(np.random.default_rng(i), at, correlation_mm) for i in range(100)])
    assert abs(values.mean()) < 0.15
    assert 0.85 < np.sqrt(np.square(values).mean()) < 1.15


def test_field_is_smooth_over_its_correlation_length():
    x = np.arange(-2, 2, 0.01, np.float32)
    field = smooth_field(np.random.default_rng(0), (x, 0 * x), 0.5)

    def likeness(lag: int) -> float:
        return float(np.corrcoef(field[:-lag], field[lag:])[0, 1])

    assert likeness(5) > 0.95
    assert abs(likeness(150)) < 0.6


def test_random_numbers_of_each_part_of_each_eye_are_its_own():
    first = {stream(1, 10001, "vessels").random(), stream(1, 10001, "octa").random(), stream(1, 10002, "octa").random()}
    assert len(first) == 3
    assert stream(1, 10001, "octa").random() in first


def test_fine_pixels_are_no_wider_than_asked():
    assert max(a_grid().fine_um) <= 10
    assert a_grid().fine[0].shape == (30 * a_grid().factor, 40 * a_grid().factor)


@pytest.mark.parametrize("moved", [False, True])
def test_fine_index_inverts_fine_coordinates(moved: bool):
    grid = a_grid(np.linspace(-0.3, 0.4, 40) if moved else None)
    i, j = np.random.default_rng(0).integers(0, grid.fine[0].shape, (200, 2)).T
    x, y = grid.fine_index(np.stack([grid.fine[0][i, j], grid.fine[1][i, j]], 1).astype(float))
    np.testing.assert_allclose(x, i, atol=1e-3)
    np.testing.assert_allclose(y, j, atol=1e-3)


def test_motion_moves_whole_bscans():
    shift = np.where(np.arange(40) == 7, 0.2, 0.0)
    moved = a_grid(shift).coarse[0] - a_grid().coarse[0]
    np.testing.assert_allclose(moved, np.broadcast_to(shift, (30, 40)), atol=1e-6)


def test_sampling_keeps_the_mean():
    grid = a_grid()
    rng = np.random.default_rng(0)
    fine = 1 + ndimage.gaussian_filter(rng.random(grid.fine[0].shape, dtype=np.float32), grid.factor)
    assert grid.sample(fine).shape == (30, 40)
    np.testing.assert_allclose(grid.sample(fine).mean(), fine.mean(), rtol=0.01)


def test_sampling_reads_each_a_scan_where_it_lies():
    grid = a_grid()
    for fine, coarse, pixel in zip(grid.fine, grid.coarse, grid.fine_um, strict=True):
        off = (grid.sample(fine) - coarse)[2:-2, 2:-2]
        assert np.abs(off).max() < 0.6 * pixel / 1000


def test_sampling_blurs_by_the_beam_where_voxels_resolve_it():
    fine = Grid((101, 101, 96), (0.505, 0.505, 2.0), (0.0, 0.0))
    point = np.zeros(fine.fine[0].shape, np.float32)
    point[50, 50] = 1
    spread = fine.sample(point)
    x = fine.coarse[0] * 1000
    np.testing.assert_allclose(np.sqrt((spread * x**2).sum() / spread.sum()), BEAM_UM, rtol=0.02)
    coarse = Grid((101, 101, 96), (2.02, 2.02, 2.0), (0.0, 0.0), finest_um=20.0)
    np.testing.assert_array_equal(coarse.sample(point), point)


def test_edge_is_a_soft_step():
    step = edge(np.array([-1, -0.05, 0, 0.05, 1], np.float32), 0.1)
    np.testing.assert_allclose(step[[0, 2, 4]], [1, 0.5, 0], atol=1e-6)
    assert step[0] > step[1] > step[2] > step[3] > step[4]

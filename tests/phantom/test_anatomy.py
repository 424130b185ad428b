import numpy as np
import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.phantom.anatomy import Anatomy, draw_anatomy
from octa_kedro.phantom.eye_config import AnatomyConfig
from octa_kedro.phantom.fields import Grid


def an_anatomy(seed: int, grid: Grid | None = None, **changes: object) -> Anatomy:
    grid = grid or a_grid()
    return draw_anatomy(np.random.default_rng(seed), grid, AnatomyConfig().model_copy(update=changes))


def a_grid(lateral: int = 48, extent: float = 3.0) -> Grid:
    return Grid((lateral, lateral, 192), (extent, extent, 2.0), (0.0, 0.0))


@pytest.mark.parametrize("seed", range(5))
def test_layers_are_as_thick_as_a_retinas(seed: int):
    layers = np.diff(an_anatomy(seed).surfaces_um, axis=0)
    assert layers.min() > 0
    parafovea = np.hypot(*a_grid().coarse) > 0.9
    low, high = AnatomyConfig().thickness_um
    assert 0.85 * low < np.median(layers.sum(0)[parafovea]) < 1.15 * high


@pytest.mark.parametrize("seed", range(5))
def test_retina_is_thinnest_in_the_pit(seed: int):
    surfaces = an_anatomy(seed).surfaces_um
    thickness, r = surfaces[5] - surfaces[0], np.hypot(*a_grid().coarse)
    depth = np.median(thickness[r > 0.9]) - thickness[r < 0.1].mean()
    assert 0.6 * AnatomyConfig().pit_depth_um[0] < depth < 1.5 * AnatomyConfig().pit_depth_um[1]
    inner = surfaces[1] - surfaces[0]
    assert inner[r < 0.1].mean() < 0.3 * np.median(inner[r > 0.9])


def test_cones_are_longest_in_the_pit():
    outer, r = np.mean([np.diff(an_anatomy(s).surfaces_um, axis=0)[2] for s in range(5)], 0), np.hypot(*a_grid().coarse)
    assert outer[r < 0.15].mean() > outer[r > 1].mean()


def test_retina_is_thicker_towards_the_nose():
    inner = np.mean([np.diff(an_anatomy(s, a_grid(64, 6.0)).surfaces_um[:2], axis=0)[0] for s in range(5)], 0)
    assert inner[-20:].mean() > inner[:20].mean() + 5


def test_area_of_the_faz_lies_in_its_range():
    grid = a_grid()
    pixel = np.prod(grid.fine_um) / 1e6
    area = [float((np.hypot(*grid.fine) < an_anatomy(s).faz_radius_mm).sum() * pixel) for s in range(30)]
    low, high = AnatomyConfig().faz_area_mm2
    # a wavy outline encloses a little more than the circle of its mean radius
    assert 0.95 * low < min(area) < low + 0.4 * (high - low)
    assert high - 0.4 * (high - low) < max(area) < 1.2 * high


@pytest.mark.parametrize("count", [0, 5])
def test_watershed_zones_are_as_many_and_as_wide_as_asked(count: int):
    sparse = an_anatomy(1, sparse_places=(count, count), sparse_diameter_mm=(0.4, 0.5)).sparse
    assert sparse.shape == (count, 3)
    r = np.hypot(sparse[:, 0], sparse[:, 1])
    assert ((r > 0.45) & (r < 1.3)).all()
    assert ((sparse[:, 2] >= 0.2) & (sparse[:, 2] <= 0.25)).all()


def test_watershed_zones_are_the_same_in_every_scan():
    np.testing.assert_array_equal(an_anatomy(1).sparse, an_anatomy(1, a_grid(64, 6.0)).sparse)


def test_faz_radius_of_a_direction_is_the_maps():
    grid, anatomy = a_grid(), an_anatomy(0)
    np.testing.assert_allclose(anatomy.faz_radius(np.arctan2(grid.fine[1], grid.fine[0])), anatomy.faz_radius_mm, 1e-4)


def test_both_fields_of_view_show_the_same_retina():
    narrow, wide = an_anatomy(2, a_grid(48, 3.0)), an_anatomy(2, a_grid(96, 6.0))
    np.testing.assert_allclose(wide.surfaces_um[:, 24:72, 24:72], narrow.surfaces_um, atol=0.05)


def test_tilt_and_curvature_are_those_asked_for():
    flat = an_anatomy(1, tilt_um_per_mm=(0.0, 0.0), curvature_um_per_mm2=(0.0, 0.0)).surfaces_um[5]
    tilted = an_anatomy(1, tilt_um_per_mm=(20.0, 20.0), curvature_um_per_mm2=(0.0, 0.0)).surfaces_um[5]
    bowl = an_anatomy(1, tilt_um_per_mm=(0.0, 0.0), curvature_um_per_mm2=(10.0, 10.0)).surfaces_um[5]
    x, y = a_grid().coarse
    np.testing.assert_allclose(flat, flat[0, 0], atol=0.01)
    np.testing.assert_allclose(tilted - flat, 20 * (x + y), atol=0.01)
    np.testing.assert_allclose(bowl - flat, -10 * (x**2 + y**2), atol=0.01)


def test_eyes_differ():
    first, second = an_anatomy(0), an_anatomy(1)
    assert np.abs(first.surfaces_um - second.surfaces_um).mean() > 1
    assert first.faz_mean_mm != second.faz_mean_mm


def test_retina_that_leaves_the_scan_is_refused():
    with pytest.raises(ConfigError, match="curvature_um_per_mm2"):
        an_anatomy(0, curvature_um_per_mm2=(400.0, 400.0))


def test_a_layer_without_thickness_is_refused():
    with pytest.raises(ConfigError, match="without thickness"):
        an_anatomy(0, a_grid(48, 6.0), inner_um=5.0)

"""The foveal avascular zone of drawn maps."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from octa_kedro.biomarkers.faz import find_faz
from octa_kedro.biomarkers.perfusion import nonperfused
from octa_kedro.preprocessing.fovea import places_mm


def map_with(pixel_um: float, axes_mm: tuple[float, float], at: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """3 mm of capillaries (grey 50, speckled) round a dark ellipse (grey 5)."""
    n = round(3000 / pixel_um)
    x, y = places_mm((n, n), (pixel_um / 1000, pixel_um / 1000))
    inside = ((x - at[0]) / axes_mm[0]) ** 2 + ((y - at[1]) / axes_mm[1]) ** 2 < 1
    speckle = np.random.default_rng(0).uniform(0.6, 1.4, (n, n))
    return gaussian_filter(np.where(inside, 5.0, 50.0) * speckle, 10 / pixel_um).astype(np.float32)


@pytest.mark.parametrize("pixel_um", [10.0, 40.0])
@pytest.mark.parametrize("radius", [0.2, 0.35])
def test_a_circle_has_its_area_perimeter_and_shape(pixel_um: float, radius: float):
    faz = find_faz(map_with(pixel_um, (radius, radius)), (pixel_um, pixel_um))
    assert faz is not None
    assert faz.area_mm2 == pytest.approx(np.pi * radius**2, abs=0.02)
    assert faz.perimeter_mm == pytest.approx(2 * np.pi * radius, rel=0.1)
    assert faz.circularity > 0.93
    assert faz.axis_ratio == pytest.approx(1, abs=0.08)


def test_an_ellipse_off_the_middle_is_found_with_its_axes():
    faz = find_faz(map_with(10.0, (0.4, 0.25), at=(0.3, -0.2)), (10.0, 10.0))
    assert faz is not None
    assert faz.axis_ratio == pytest.approx(1.6, rel=0.08)
    assert faz.centre_mm == pytest.approx((0.3, -0.2), abs=0.03)
    assert faz.circularity < 0.95


def test_pixels_need_not_be_square():
    plane = map_with(10.0, (0.35, 0.35))[:, ::3]
    faz = find_faz(plane, (10.0, 30.0))
    assert faz is not None
    assert faz.area_mm2 == pytest.approx(np.pi * 0.35**2, abs=0.03)


def test_no_zone_where_nothing_is_dark_or_where_the_dark_has_no_border():
    assert find_faz(map_with(10.0, (1e-6, 1e-6)), (10.0, 10.0)) is None
    assert find_faz(map_with(10.0, (0.4, 1.4)), (10.0, 10.0)) is None


def test_a_dark_patch_is_not_perfused_and_the_faz_does_not_count():
    pixel = 20.0
    grey = map_with(pixel, (0.3, 0.3))
    x, y = places_mm(grey.shape, (pixel / 1000, pixel / 1000))
    faz = np.hypot(x, y) < 0.33
    assert not nonperfused(grey, pixel, faz).any()
    patch = np.hypot(x - 0.9, y) < 0.2
    found = nonperfused(np.where(patch, 5, grey).astype(np.float32), pixel, faz)
    assert found.sum() * (pixel / 1000) ** 2 == pytest.approx(np.pi * 0.2**2, rel=0.2)
    assert (found & ~patch).sum() < 0.2 * patch.sum()


def test_patches_smaller_than_the_smallest_do_not_count_nor_does_an_empty_map():
    pixel = 20.0
    grey = np.full((100, 100), 50, np.float32)
    grey[40:44, 40:44] = 0
    assert not nonperfused(grey, pixel).any()
    assert not nonperfused(np.zeros((50, 50), np.float32), pixel).any()

"""Vessels that were drawn are found, and measured as they were drawn."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from octa_kedro.biomarkers.vessels import calibre_um, centre_lines, find_vessels, line_length, tortuosity

PIXEL = 10.0


def stripes(width: int, gap: int = 20) -> np.ndarray:
    """Eight bands of `width` pixels along x, with half a gap beside the first and the last."""
    period = width + gap
    return np.tile((np.arange(8 * period) + gap // 2) % period >= gap, (8 * period, 1))


def test_a_map_of_stripes_is_found_again_whatever_its_gain():
    drawn = stripes(4)
    rng = np.random.default_rng(0)
    grey = gaussian_filter(np.where(drawn, 100.0, 20.0) * rng.uniform(0.8, 1.2, drawn.shape), 0.7).astype(np.float32)
    found = find_vessels(grey, PIXEL)
    assert (found == drawn)[20:-20, 20:-20].mean() > 0.95
    np.testing.assert_array_equal(found, find_vessels(0.01 * grey, PIXEL))


def test_there_are_no_vessels_in_the_faz_nor_in_an_empty_map():
    grey = np.where(stripes(4), 100, 20).astype(np.float32)
    zone = np.zeros(grey.shape, bool)
    zone[80:120, 80:120] = True
    assert not find_vessels(grey, PIXEL, zone)[zone].any()
    assert find_vessels(grey, PIXEL, zone).any()
    assert not find_vessels(np.zeros((40, 40), np.float32), PIXEL).any()


@pytest.mark.parametrize("width", [3, 4, 7, 8])
def test_calibre_is_the_width_to_half_a_pixel(width: int):
    bands = stripes(width)
    assert calibre_um(bands, centre_lines(bands), PIXEL) == pytest.approx(PIXEL * width, abs=0.51 * PIXEL)


@pytest.mark.parametrize("angle", [0, 10, 22.5, 45, 70])
def test_length_of_a_line_depends_little_on_its_direction(angle: float):
    lines = np.zeros((400, 400), bool)
    t = np.linspace(0, 300, 3000)
    lines[
        np.rint(20 + t * np.cos(np.radians(angle))).astype(int), np.rint(20 + t * np.sin(np.radians(angle))).astype(int)
    ] = True
    assert line_length(centre_lines(lines)).sum() == pytest.approx(300, rel=0.06)


def test_a_straight_line_is_not_tortuous_and_a_half_circle_is():
    straight, bent = np.zeros((200, 200), bool), np.zeros((200, 200), bool)
    straight[20:180, 60] = True
    assert tortuosity(straight, PIXEL) == 1.0
    angle = np.linspace(0, np.pi, 2000)
    bent[np.rint(100 + 60 * np.cos(angle)).astype(int), np.rint(100 + 60 * np.sin(angle)).astype(int)] = True
    assert tortuosity(centre_lines(bent), PIXEL) == pytest.approx(np.pi / 2, rel=0.05)


def test_branches_count_apart_and_short_ones_do_not_count():
    lines = np.zeros((200, 200), bool)
    lines[20:180, 60] = True
    lines[100, 60:160] = True
    assert tortuosity(lines, PIXEL) == 1.0  # as one piece from end to end it would be bent
    short = np.zeros((40, 40), bool)
    short[10:20, 10] = True
    assert np.isnan(tortuosity(short, PIXEL))
    assert np.isnan(tortuosity(np.zeros((10, 10), bool), PIXEL))
    assert np.isnan(calibre_um(np.zeros((10, 10), bool), np.zeros((10, 10), bool), PIXEL))

"""The measures that compare phantom and real maps, on maps whose answer is known."""

import importlib
import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
measures = importlib.import_module("enface_statistics")


def speckled_map(field_mm: float, pixels: int, faz_radius_mm: float) -> np.ndarray:
    """Bright grain with a dark disc a little off the centre and one vessel 60 um wide, all drawn by hand."""
    rng = np.random.default_rng(0)
    grey = rng.gamma(4, 20, (pixels, pixels))
    rows, columns = (np.indices(grey.shape) + 0.5) * field_mm / pixels - field_mm / 2
    dark = np.hypot(rows - 0.1, columns + 0.05) < faz_radius_mm
    grey[dark] = rng.gamma(2, 5, int(dark.sum()))
    grey[np.abs(columns + field_mm / 3) < 0.03] = 250
    return np.clip(grey, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("field_mm", "pixels"), [(3.0, 304), (6.0, 400)])
@pytest.mark.parametrize("radius_mm", [0.25, 0.4])
def test_faz_area_in_mm2_whatever_the_field_of_view(field_mm: float, pixels: int, radius_mm: float) -> None:
    found = measures.find_faz(speckled_map(field_mm, pixels, radius_mm), field_mm)
    assert found.mean() * field_mm**2 == pytest.approx(math.pi * radius_mm**2, rel=0.1)


def test_large_vessel_is_found_and_grain_is_not() -> None:
    large = measures.find_vessels(speckled_map(3.0, 304, 0.3), 3.0).large
    assert large[:, 47:54].mean() > 0.9
    large[:, 40:61] = False
    assert large.mean() < 0.001


def test_power_lies_in_the_band_of_the_stripes() -> None:
    place_mm = np.arange(300) / 100
    stripes = np.tile(128 + 100 * np.sin(2 * np.pi * 8 * place_mm), (300, 1)).astype(np.uint8)
    shares = measures.power_spectrum(stripes, 3.0)
    assert shares["power in 6-12 per mm, %"] > 99


def test_map_without_a_fovea_has_no_faz() -> None:
    grain = np.random.default_rng(0).gamma(4, 20, (304, 304)).clip(0, 255).astype(np.uint8)
    assert math.isnan(measures.enface_statistics(grain, 3.0)["FAZ area, mm2"])

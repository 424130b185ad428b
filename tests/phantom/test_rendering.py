from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from octa_kedro.phantom.band import Band
from octa_kedro.phantom.eye_config import SignalConfig
from octa_kedro.phantom.fields import Grid
from octa_kedro.phantom.flow import draw_flow
from octa_kedro.phantom.reflectivity import layer_brightness
from octa_kedro.phantom.rendering import draw_transmission, render_octa
from octa_kedro.phantom.vessels import Vasculature
from tests.phantom.slab_eye import BESIDE, VESSEL, clear_media, flat_band, vessels

EVEN: dict[str, Any] = {
    "depth_gain_sd": 0.0,
    "shading": (0.0, 0.0),
    "column": (0.01, 0.01),
    "motion_lines": (0, 0),
    "speckle": (0.1, 0.1),
    "gain": (45.0, 45.0),
    "noise_flow": (0.12, 0.12),
    "noise_floor": (0.8, 0.8),
    "tail": (0.4, 0.4),
    "tail_decay_um": (150.0, 150.0),
    "outer_artefact": (0.4, 0.4),
    "outer_patchiness": (0.0, 0.0),
}
"""A scanner whose draws are fixed, so that two scans differ in what a test changes."""


def scan(seen: Vasculature | None = None, band: Band | None = None, seed: int = 0, **changes: Any) -> NDArray:
    band, seen = band or flat_band(), seen or vessels()
    config = SignalConfig().model_copy(update=EVEN | changes)
    rng, flow, brightness = np.random.default_rng(seed), draw_flow(band, seen).flow, layer_brightness(band)
    made = render_octa(rng, band, flow, vessels=seen, brightness=brightness, transmission=clear_media(), config=config)
    return made.astype(float)


def depths(top_um: float, bottom_um: float, below: tuple[int, int] = (0, 0)) -> slice:
    """Voxels from `top_um` under one surface to `bottom_um` under another."""
    band = flat_band()
    step, s = band.grid.voxel_um[2], band.surfaces_um[:, 0, 0]
    return slice(int(np.ceil((s[below[0]] + top_um) / step)), int((s[below[1]] + bottom_um) / step))


SUPERFICIAL, DEEP = depths(40, -10, (0, 1)), depths(-30, -5, (2, 2))
NUCLEAR, OUTER, SHEET = depths(20, -15, (2, 3)), depths(0, 0, (3, 5)), depths(5, 30, (5, 5))


@pytest.mark.parametrize("seed", range(3))
def test_vitreous_is_black(seed: int):
    assert not scan(seed=seed)[:, :, : depths(-35, 0).start].any()


@pytest.mark.parametrize("seed", range(3))
def test_outer_nuclear_layer_is_darker_than_the_plexuses_and_the_choriocapillaris(seed: int):
    made = scan(seed=seed)[BESIDE]
    nuclear = made[..., NUCLEAR].mean()
    for bright in (SUPERFICIAL, DEEP, SHEET):
        assert nuclear < 0.5 * made[..., bright].mean()


def test_scanner_draws_keep_the_outer_nuclear_layer_dark():
    for seed in range(5):
        made = scan(seed=seed, **{name: getattr(SignalConfig(), name) for name in EVEN})[BESIDE]
        assert made[..., NUCLEAR].mean() < 0.8 * made[..., SUPERFICIAL].mean()


def test_a_large_vessel_casts_a_tail_on_the_bright_layers_below():
    made = scan()[..., OUTER]
    assert made[VESSEL].mean() > 1.25 * made[BESIDE].mean()


def test_no_tail_without_projection():
    made = scan(tail=(0.0, 0.0), outer_artefact=(0.0, 0.0))[..., OUTER]
    assert made[VESSEL].mean() == pytest.approx(made[BESIDE].mean(), rel=0.1)


def test_a_tail_fades_with_depth():
    short, long = (scan(tail_decay_um=(um, um), outer_artefact=(0.0, 0.0))[VESSEL] for um in (60.0, 240.0))
    assert long[..., OUTER].mean() > 1.3 * short[..., OUTER].mean()


def test_more_gain_is_brighter():
    dim, bright = (scan(gain=(gain, gain))[..., SUPERFICIAL].mean() for gain in (25.0, 50.0))
    assert 1.5 * dim < bright < 2.2 * dim


def test_the_ceiling_is_never_exceeded():
    made = scan(gain=(3000.0, 3000.0), octa_ceiling=90.0)
    assert made.max() == 90


def test_noise_below_the_floor_is_black():
    low, high = ((scan(noise_floor=(floor, floor)) == 0).mean() for floor in (0.2, 5.0))
    assert high > low + 0.02


def test_still_tissue_shows_noise_where_it_reflects():
    none = {"large": 0.0, "superficial": 0.0, "deep": 0.0, "choriocapillaris": 0.0}
    made = scan(vessels(**none), outer_artefact=(0.0, 0.0))
    assert made[..., OUTER].mean() > 1.5 * made[..., NUCLEAR].mean()
    assert made[..., OUTER].mean() > 1


def test_no_more_noise_flow_no_noise():
    none = {"large": 0.0, "superficial": 0.0, "deep": 0.0, "choriocapillaris": 0.0}
    assert not scan(vessels(**none), outer_artefact=(0.0, 0.0), noise_flow=(0.0, 0.0)).any()


def test_movements_brighten_a_few_whole_bscans():
    def outliers(lines: int) -> list[int]:
        rows = [scan(seed=seed, motion_lines=(lines, lines))[..., SUPERFICIAL].mean((0, 2)) for seed in range(3)]
        return [int((row > 1.12 * np.median(row)).sum()) for row in rows]

    assert max(outliers(0)) <= 1
    assert 3 <= max(outliers(6)) <= 7


def test_shading_is_uneven_over_millimetres():
    plain, shaded = (scan(shading=(s, s))[..., SUPERFICIAL].mean(2) for s in (0.0, 0.3))
    shading = np.log(shaded / plain)
    assert shading.std() > 0.1
    for one, other in ((shading[1:], shading[:-1]), (shading[:, 1:], shading[:, :-1])):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.8


def test_gain_along_depth_differs_between_eyes():
    ratio = []
    for seed in range(6):
        made = scan(seed=seed, depth_gain_sd=0.3)[BESIDE]
        ratio.append(made[..., DEEP].mean() / made[..., SUPERFICIAL].mean())
    assert np.std(np.log(ratio)) > 0.1


def test_speckle_of_the_same_eye_differs_between_scans():
    first, second = scan(seed=0), scan(seed=1)
    assert (first != second)[..., SUPERFICIAL].mean() > 0.5
    np.testing.assert_array_equal(scan(seed=0), first)


@pytest.mark.parametrize("plexus", ["superficial", "deep", "choriocapillaris"])
def test_less_flow_is_darker_at_its_depth(plexus: str):
    depth = {"superficial": SUPERFICIAL, "deep": DEEP, "choriocapillaris": SHEET}[plexus]
    usual = vessels()
    poor = scan(replace(usual, **{plexus: 0.3 * getattr(usual, plexus)}))
    assert poor[BESIDE][..., depth].mean() < 0.8 * scan(usual)[BESIDE][..., depth].mean()


def test_opacities_take_light_away_and_nothing_else():
    grid = flat_band().grid
    clear = draw_transmission(np.random.default_rng(0), grid, SignalConfig().model_copy(update={"opacities": (0, 0)}))
    cloudy = draw_transmission(np.random.default_rng(0), grid, SignalConfig().model_copy(update={"opacities": (9, 9)}))
    assert (clear == 1).all()
    assert (cloudy > 0).all()
    assert cloudy.max() <= 1
    assert cloudy.min() < 0.9


def test_both_fields_of_view_have_the_same_opacities():
    narrow, wide = (Grid((n, n, 96), (mm, mm, 2.0), (0.1, 0.0)) for n, mm in ((40, 3.0), (80, 6.0)))
    config = SignalConfig().model_copy(update={"opacities": (9, 9)})
    seen = [draw_transmission(np.random.default_rng(1), grid, config) for grid in (narrow, wide)]
    np.testing.assert_allclose(seen[1][20:60, 20:60], seen[0], atol=1e-3)

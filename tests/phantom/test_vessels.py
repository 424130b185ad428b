from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from octa_kedro.phantom.anatomy import Anatomy, draw_anatomy
from octa_kedro.phantom.eye_config import AnatomyConfig, VesselConfig
from octa_kedro.phantom.fields import Grid
from octa_kedro.phantom.lesions.model import Congestion, Lesions
from octa_kedro.phantom.vessels import SPARED_RADIUS_UM, Vasculature, draw_vessels

SPARSE = VesselConfig(spacing_um=(90.0, 90.0), deep_spacing_um=(90.0, 90.0), terminal_radius_um=3.2)
"""Wide nets grow fast; wide tips make for many large vessels."""
SECTOR = Congestion(apex_mm=(0.0, 0.0), angle=np.pi / 2, half_width=0.45 * np.pi, dilation=1.6, tortuosity_mm=0.0)


def a_grid(lateral: int = 150, extent: float = 3.0, finest_um: float = 20.0) -> Grid:
    """By default one fine pixel per A-scan, so that maps are not blurred."""
    return Grid((lateral, lateral, 96), (extent, extent, 2.0), (0.05, -0.1), finest_um=finest_um)


def an_anatomy(grid: Grid, seed: int = 1) -> Anatomy:
    return draw_anatomy(np.random.default_rng(seed), grid, AnatomyConfig())


def vessels(grid: Grid, seed: int = 3, lesions: Lesions | None = None, config: VesselConfig = SPARSE) -> Vasculature:
    lesions = lesions or Lesions.none(grid)
    return draw_vessels(np.random.default_rng(seed), grid, an_anatomy(grid), lesions, config)


@cache
def healthy() -> Vasculature:
    return vessels(a_grid())


@cache
def in_both_fields() -> tuple[Vasculature, Vasculature]:
    return vessels(a_grid(50, 3.0, 10.0)), vessels(a_grid(100, 6.0, 10.0))


def closed() -> Vasculature:
    none = Lesions.none(a_grid())
    kept = {name: np.zeros_like(getattr(none, name)) for name in vars(none) if name.startswith("kept_")}
    return vessels(a_grid(), lesions=replace(none, **kept))


@cache
def congested(dilation: float = 1.6, tortuosity_mm: float = 0.0) -> Vasculature:
    sector = replace(SECTOR, dilation=dilation, tortuosity_mm=tortuosity_mm)
    return vessels(a_grid(), lesions=replace(Lesions.none(a_grid()), congestion=sector))


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_maps_are_finite_and_of_the_grids_shape():
    for values in vars(healthy()).values():
        assert values.shape == (150, 150)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert values.min() >= 0


@pytest.mark.parametrize("seed", range(3))
def test_large_vessels_avoid_the_faz(seed: int):
    grid = a_grid()
    inside = np.hypot(*grid.coarse) < 0.7 * an_anatomy(grid).faz_radius_mm
    made = vessels(grid, seed)
    assert made.large.max() > 1
    assert not made.large[inside].any()


@pytest.mark.parametrize("plexus", ["superficial", "deep"])
def test_capillaries_avoid_the_faz(plexus: str):
    grid = a_grid()
    flow, r = getattr(healthy(), plexus), np.hypot(*grid.coarse)
    inside, around = r < 0.6 * an_anatomy(grid).faz_radius_mm, (r > 0.7) & (r < 1.2)
    assert flow[inside].mean() < 0.15 * flow[around].mean()


def test_deep_plexus_ends_farther_from_the_fovea():
    grid = a_grid()
    rim = np.abs(np.hypot(*grid.coarse) - an_anatomy(grid).faz_radius_mm) < 0.03
    around = np.hypot(*grid.coarse) > 0.7
    superficial, deep = (
        np.mean([m[rim].mean() / m[around].mean() for m in maps])
        for maps in zip(*((v.superficial, v.deep) for v in (vessels(grid, s) for s in range(3))), strict=True)
    )
    assert deep < superficial


def test_large_radius_is_that_of_wide_vessels():
    made = healthy()
    assert (made.large_radius_um[made.large > 0] > 8).all()
    assert not made.large_radius_um[made.large == 0].any()


@pytest.mark.parametrize("plexus", ["large", "superficial", "deep", "choroid_um"])
def test_both_fields_of_view_show_the_same_vessels(plexus: str):
    narrow, wide = in_both_fields()
    assert likeness(getattr(wide, plexus)[25:75, 25:75], getattr(narrow, plexus)) > 0.9


def test_a_finer_grid_shows_the_same_large_vessels():
    coarse, fine = in_both_fields()[0].large, vessels(a_grid(150, finest_um=10.0)).large
    assert likeness(fine.reshape(50, 3, 50, 3).mean((1, 3)), coarse) > 0.6


def test_equal_seeds_give_equal_vessels_and_others_do_not():
    again, other = vessels(a_grid()), vessels(a_grid(), seed=4)
    for name, values in vars(healthy()).items():
        np.testing.assert_array_equal(getattr(again, name), values)
        assert likeness(getattr(other, name), values) < 0.6


def test_closed_capillaries_have_no_flow():
    made = closed()
    for name in ("superficial", "deep", "connecting", "choriocapillaris"):
        assert getattr(healthy(), name).max() > 0
        assert not getattr(made, name).any()


def test_large_vessels_outlast_the_capillaries_round_them():
    made = closed()
    wide = healthy().large_radius_um > SPARED_RADIUS_UM
    assert wide.any()
    np.testing.assert_array_equal(made.large[wide], healthy().large[wide])
    assert not made.large[~wide].any()


def test_capillaries_dim_only_where_flow_is_taken():
    none, grid = Lesions.none(a_grid()), a_grid()
    left = grid.fine[0] < 0
    kept = replace(none, kept_deep=np.where(left, 0.5, 1).astype(np.float32))
    whole = SPARSE.model_copy(update=dict.fromkeys(("sparse_loss", "foveal_dimming", "peripheral_dimming"), (0.0, 0.0)))
    before, made = vessels(grid, config=whole), vessels(grid, lesions=kept, config=whole)
    np.testing.assert_array_equal(made.superficial, before.superficial)
    np.testing.assert_allclose(made.deep, before.deep * np.where(left, 0.5, 1), rtol=1e-6)


def test_a_place_poor_in_capillaries_has_few_to_lose():
    none, grid = Lesions.none(a_grid()), a_grid()
    made = vessels(grid, lesions=replace(none, kept_deep=np.full_like(none.kept_deep, 0.5)))
    assert (made.deep <= healthy().deep + 1e-6).all()
    assert (made.deep >= 0.5 * healthy().deep - 1e-6).all()
    # the middle of a watershed zone keeps less than half in health
    poor = made.deep >= 0.99 * healthy().deep
    assert 0.01 < poor.mean() < 0.5


def test_congestion_widens_veins_in_its_sector_and_nowhere_else():
    grid, made = a_grid(), congested()
    share = SECTOR.share(*grid.coarse)
    inside, outside = share > 0.98, share < 1e-4
    before = healthy().large_radius_um
    gain = made.large_radius_um - before
    assert gain[inside].min() > -0.1 * before.max()
    assert (made.large > 0)[inside].sum() > 1.15 * (healthy().large > 0)[inside].sum()
    assert made.large_radius_um[inside].sum() > 1.3 * before[inside].sum()
    # a vessel is drawn as wide as its class is on average, so that a border pixel may change anywhere
    assert (np.abs(gain[outside]) > 0.1).mean() < 0.01


def test_congestion_makes_veins_wind_in_its_sector_and_nowhere_else():
    made = congested(dilation=1.0, tortuosity_mm=0.06)
    share = SECTOR.share(*a_grid().coarse)
    # well outside, since what winds at the border may reach out
    inside, outside = share > 0.98, share < 1e-6
    vessel, moved = healthy().large > 0, (made.large > 0) != (healthy().large > 0)
    assert moved[inside].sum() > 0.2 * vessel[inside].sum()
    assert not moved[outside].any()


def test_congestion_spares_the_deep_plexus_and_the_choroid():
    for name in ("deep", "choriocapillaris", "choroid_um"):
        np.testing.assert_array_equal(getattr(congested(), name), getattr(healthy(), name))


def test_capillaries_thin_out_in_watershed_zones_and_nowhere_else():
    full, thin = (
        vessels(a_grid(), config=SPARSE.model_copy(update={"sparse_loss": (loss, loss)})) for loss in (0.0, 0.8)
    )
    x, y = a_grid().coarse
    away = np.min([np.hypot(x - at[0], y - at[1]) - at[2] for at in an_anatomy(a_grid()).sparse], axis=0)
    # the superficial map holds arterioles too, which keep their flow
    for name, left in (("superficial", 0.6), ("deep", 0.4)):
        before, after = getattr(full, name), getattr(thin, name)
        assert after[away < -0.15].sum() < left * before[away < -0.15].sum()
        np.testing.assert_allclose(after[away > 0.6], before[away > 0.6], atol=0.01)
    np.testing.assert_array_equal(thin.large, full.large)


def test_capillaries_dim_towards_the_faz():
    even, dim = (
        vessels(a_grid(), config=SPARSE.model_copy(update={"foveal_dimming": (share, share)})) for share in (0.0, 0.5)
    )
    away = np.hypot(*a_grid().coarse) - an_anatomy(a_grid()).faz_radius_mm
    rim, far = (away > 0) & (away < 0.05), away > 1
    assert 0.45 < dim.superficial[rim].sum() / even.superficial[rim].sum() < 0.6
    np.testing.assert_allclose(dim.superficial[far], even.superficial[far], atol=0.01)


def test_capillaries_dim_in_the_periphery_and_nowhere_else():
    grid = a_grid(150, 6.0, 40.0)
    even, dim = (
        vessels(grid, config=SPARSE.model_copy(update={"peripheral_dimming": (share, share)})) for share in (0.0, 0.6)
    )
    r = np.hypot(*grid.coarse)
    for name in ("superficial", "deep"):
        before, after = getattr(even, name), getattr(dim, name)
        np.testing.assert_allclose(after[r < 1.2], before[r < 1.2], atol=0.01)
    np.testing.assert_allclose(dim.deep[r > 3.3].sum() / even.deep[r > 3.3].sum(), 0.4, rtol=0.02)
    np.testing.assert_array_equal(dim.large, even.large)


def test_finer_nets_cover_more():
    fine = vessels(a_grid(), config=SPARSE.model_copy(update={"spacing_um": (50.0, 50.0), "diffuse": (0.0, 0.0)}))
    coarse = vessels(a_grid(), config=SPARSE.model_copy(update={"diffuse": (0.0, 0.0)}))
    assert fine.superficial.mean() > 1.15 * coarse.superficial.mean()

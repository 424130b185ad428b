from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import KDTree

from octa_kedro.phantom.arcades import DISC_MM, draw_trunks
from octa_kedro.phantom.eye_config import VesselConfig
from octa_kedro.phantom.growth import Tree, grow_deep, grow_retinal
from octa_kedro.phantom.tissue import REACH_MM, scatter

FAZ_MM, SPACING_MM = 0.35, 0.09
CUBIC = VesselConfig(murray_exponent=(3.0, 3.0))


def faz(angle: NDArray) -> NDArray:
    return np.full_like(angle, FAZ_MM)


@cache
def superficial(spacing_mm: float = SPACING_MM, seed: int = 1) -> Tree:
    rng = np.random.default_rng(seed)
    return grow_retinal(rng, draw_trunks(rng, CUBIC), faz, spacing_mm, CUBIC)


@cache
def deep(spacing_mm: float = SPACING_MM) -> tuple[Tree, NDArray]:
    return grow_deep(np.random.default_rng(2), superficial(), faz, spacing_mm, CUBIC)


def plexus(name: str, spacing_mm: float = SPACING_MM) -> Tree:
    return superficial(spacing_mm) if name == "superficial" else deep(spacing_mm)[0]


def length_mm(tree: Tree) -> float:
    child = tree.parent >= 0
    return float(np.hypot(*(tree.at[child] - tree.at[tree.parent[child]]).T).sum())


both = pytest.mark.parametrize("name", ["superficial", "deep"])


@both
def test_parents_stand_before_their_children(name: str):
    parent = plexus(name).parent
    assert (parent < np.arange(len(parent))).all()
    assert parent.min() == -1


@both
def test_tips_are_the_nodes_without_children(name: str):
    tree = plexus(name)
    children = np.bincount(tree.parent[tree.parent >= 0], minlength=len(tree.parent))
    np.testing.assert_array_equal(tree.tip, children == 0)


@both
def test_children_are_of_their_parents_kind(name: str):
    tree = plexus(name)
    child = tree.parent >= 0
    np.testing.assert_array_equal(tree.vein[child], tree.vein[tree.parent[child]])


@both
def test_arteries_and_veins_share_the_tissue(name: str):
    assert 0.2 < plexus(name).vein.mean() < 0.8


def test_branches_stay_in_the_field():
    trunks = draw_trunks(np.random.default_rng(1), CUBIC)
    branches = superficial().at[sum(len(course) for course, _ in trunks) :]
    # one that leaves its vessel forwards at the border turns back within a few steps
    assert np.abs(branches).max() < REACH_MM + 0.7
    assert (np.abs(branches).max(0) > REACH_MM - 0.5).all()


def test_vessels_enter_from_the_side_of_the_disc():
    tree = superficial()
    assert (tree.at[tree.parent < 0, 0] > 2).all()
    assert np.abs(tree.at).max() < 2 * DISC_MM


@both
def test_no_vessel_crosses_the_faz(name: str):
    r = np.hypot(*plexus(name).at.T)
    assert r.min() > FAZ_MM - 2 * SPACING_MM
    assert (r < FAZ_MM - 0.5 * SPACING_MM).sum() < 0.002 * len(r)


@both
def test_capillaries_encircle_the_faz(name: str):
    at = plexus(name).at
    near = at[np.hypot(*at.T) < FAZ_MM + SPACING_MM]
    angle = np.sort(np.arctan2(near[:, 1], near[:, 0]))
    assert np.diff(angle, append=angle[0] + 2 * np.pi).max() * FAZ_MM < 3 * SPACING_MM


@both
def test_all_tissue_outside_the_faz_is_supplied(name: str):
    points = scatter(np.random.default_rng(9), SPACING_MM)
    points = points[(np.hypot(*points.T) > FAZ_MM + SPACING_MM) & (np.abs(points).max(1) < REACH_MM - 0.3)]
    distance, _ = KDTree(plexus(name).at).query(points)
    assert np.percentile(distance, 99) < SPACING_MM
    assert distance.max() < 1.6 * SPACING_MM


@pytest.mark.parametrize("exponent", [2.5, 3.0])
def test_radii_follow_murrays_law(exponent: float):
    config = VesselConfig(murray_exponent=(exponent, exponent), vein_ratio=1.3)
    rng = np.random.default_rng(4)
    tree = grow_retinal(rng, draw_trunks(rng, config), faz, 0.3, config)
    power = (tree.radius_um / np.where(tree.vein, 1.3, 1.0)) ** exponent
    child = tree.parent >= 0
    of_children = np.bincount(tree.parent[child], power[child], minlength=len(power))
    np.testing.assert_allclose(power[~tree.tip], of_children[~tree.tip], rtol=1e-6)
    np.testing.assert_allclose(power[tree.tip], config.terminal_radius_um**exponent)


@both
def test_joins_lead_from_a_tip_to_another_branch(name: str):
    tree = plexus(name)
    tip, partner = tree.joins.T
    assert len(tip) > 0.5 * tree.tip.sum()
    assert tree.tip[tip].all()
    forebear = tip
    for _ in range(5):
        assert (partner != forebear).all()
        forebear = np.where(forebear >= 0, tree.parent[forebear], -1)
    assert np.hypot(*(tree.at[tip] - tree.at[partner]).T).max() < 2 * SPACING_MM


def test_finer_nets_have_more_vessels():
    assert length_mm(superficial(0.06)) > 1.2 * length_mm(superficial(0.09)) > 1.5 * length_mm(superficial(0.2))
    assert length_mm(deep(0.06)[0]) > 1.3 * length_mm(deep(0.09)[0])


def test_branches_leave_their_vessel_forwards():
    tree = superficial()
    child = np.flatnonzero(tree.parent >= 0)
    child = child[tree.parent[tree.parent[child]] >= 0]
    way = tree.at[child] - tree.at[tree.parent[child]]
    before = tree.at[tree.parent[child]] - tree.at[tree.parent[tree.parent[child]]]
    forwards = (way * before).sum(1) / np.hypot(*way.T) / np.hypot(*before.T)
    branching = np.bincount(tree.parent[child], minlength=len(tree.at))[tree.parent[child]] > 1
    assert forwards[branching].mean() > 0.5
    assert (forwards < 0).mean() < 0.05


def test_deep_plexus_hangs_from_vessels_that_dive_from_tips_above():
    tree, dives = deep()
    above = {tuple(at) for at in superficial().at[superficial().tip]}
    assert {tuple(at) for at in dives} <= above
    np.testing.assert_array_equal(tree.at[tree.parent < 0], dives)
    per_mm2 = len(dives) / (2 * REACH_MM) ** 2
    low, high = CUBIC.connecting
    assert 0.8 * low < per_mm2 < 1.2 * high


def test_equal_seeds_grow_equal_trees_and_others_do_not():
    again = superficial.__wrapped__(0.2)
    for name in ("at", "parent", "vein", "radius_um", "tip", "joins"):
        np.testing.assert_array_equal(getattr(again, name), getattr(superficial(0.2), name))
    other = superficial(0.2, seed=5)
    assert other.at.shape != again.at.shape or (other.at != again.at).any()


def test_arcades_pass_above_and_below_the_macula_as_artery_and_vein():
    for seed in range(5):
        trunks = draw_trunks(np.random.default_rng(seed), CUBIC)
        arcades = [(course, vein) for course, vein in trunks if course[:, 0].min() < 0]
        for side in (1, -1):
            kinds = [vein for course, vein in arcades if side * course[len(course) // 2, 1] > 0]
            assert sorted(kinds) == [False, True]
        assert all(np.hypot(*course.T).min() > FAZ_MM for course, _ in trunks)

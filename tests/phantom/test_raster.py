from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from octa_kedro.phantom.fields import Grid, Map
from octa_kedro.phantom.growth import Tree
from octa_kedro.phantom.raster import calibre, coverage, keep, lines_of, spots

NO_JOINS = np.zeros((0, 2), np.intp)


def a_grid(shift_mm: NDArray | None = None) -> Grid:
    """1 x 1 mm on pixels of 5 um."""
    return Grid((200, 200, 96), (1.0, 1.0, 2.0), (0.0, 0.0), shift_mm)


def vessel(start: tuple[float, float], end: tuple[float, float], radius_um: float, pieces: int = 1) -> Tree:
    """A straight vessel that is drawn in so many pieces."""
    nodes = pieces + 1
    at = np.linspace(start, end, nodes)
    flags = np.zeros(nodes, bool)
    return Tree(at, np.arange(nodes) - 1, flags, np.full(nodes, float(radius_um)), flags, NO_JOINS)


def covered_um2(tree: Tree, grid: Grid) -> float:
    return float(coverage(lines_of(tree, tree.at, tree.radius_um, grid), grid).sum() * np.prod(grid.fine_um))


def widths(tree: Tree, grid: Grid) -> Map:
    return calibre(lines_of(tree, tree.at, tree.radius_um, grid), grid)


@cache
def upright(radius_um: float) -> Map:
    return widths(vessel((0.1, -0.6), (0.1, 0.6), radius_um), a_grid())


@pytest.mark.parametrize("end", [(0.3, -0.3), (0.3, 0.2), (-0.3, 0.31)])
@pytest.mark.parametrize("radius_um", [4.0, 8.0])
def test_coverage_adds_up_to_the_area_of_the_vessel(end: tuple[float, float], radius_um: float):
    start = (-0.3, -0.3)
    length = 1000 * np.hypot(end[0] - start[0], end[1] - start[1])
    assert covered_um2(vessel(start, end, radius_um), a_grid()) == pytest.approx(2 * radius_um * length, rel=0.02)


def test_coverage_does_not_depend_on_the_length_of_the_pieces():
    whole, pieces = (covered_um2(vessel((-0.3, 0), (0.3, 0), 4.0, n), a_grid()) for n in (1, 40))
    assert pieces == pytest.approx(whole, rel=0.02)


def test_coverage_does_not_depend_on_the_sampling():
    tree = vessel((-0.3, -0.2), (0.3, 0.1), 5.0)
    coarse = Grid((20, 30, 96), (1.0, 1.0, 2.0), (0.05, 0.0))
    assert covered_um2(tree, coarse) == pytest.approx(covered_um2(tree, a_grid()), rel=0.01)


def test_coverage_lies_along_the_vessel():
    tree = vessel((-0.3, 0.1), (0.3, 0.1), 4.0)
    grid = a_grid()
    canvas = coverage(lines_of(tree, tree.at, tree.radius_um, grid), grid)
    x, y = grid.fine
    assert canvas[(np.abs(y - 0.1) > 0.05) | (np.abs(x) > 0.35)].max() < 1e-3 * canvas.max()
    assert (canvas * y).sum() / canvas.sum() == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize("radius_um", [12, 20, 34, 60])
def test_calibre_paints_vessels_as_wide_as_they_are(radius_um: float):
    painted = (upright(radius_um) > 0).sum(0) * a_grid().fine_um[0]
    assert np.abs(painted - 2 * radius_um).max() <= 1.5 * a_grid().fine_um[0]


def test_calibre_tells_the_radius():
    canvas = upright(20)
    np.testing.assert_allclose(canvas[canvas > 0], 20)


def test_calibre_leaves_out_capillaries():
    assert not upright(6).any()


def test_the_widest_vessel_wins_where_two_cross():
    grid = a_grid()
    wide, thin = vessel((-0.6, 0), (0.6, 0), 40), vessel((0, -0.6), (0, 0.6), 13)
    at, radius = np.concatenate([wide.at, thin.at]), np.concatenate([wide.radius_um, thin.radius_um])
    flags = np.zeros(4, bool)
    tree = Tree(at, np.array([-1, 0, -1, 2]), flags, radius, flags, NO_JOINS)
    canvas = widths(tree, grid)
    assert canvas[100, 100] == 40
    assert canvas[100, 150] == 13


def test_a_vessel_outside_the_field_leaves_no_trace():
    tree = vessel((0.7, -0.6), (0.7, 0.6), 30)
    assert covered_um2(tree, a_grid()) == 0
    assert not widths(tree, a_grid()).any()


@pytest.mark.parametrize(
    "side",
    [
        (0, -1),
        (0, 1),
        (-1, 0),
        (1, 0),
    ],
)
def test_half_of_a_wide_vessel_shows_at_the_border(side: tuple[int, int]):
    middle, along = 0.51 * np.array(side), 0.6 * np.array(side[::-1])
    tree = vessel(tuple(middle - along), tuple(middle + along), 30)
    assert (widths(tree, a_grid()) > 0).sum() >= 3 * 200


def test_motion_moves_a_vessel_in_the_bscans_it_befell():
    aside = np.arange(200) >= 120
    grid, still = a_grid(np.where(aside, 0.1, 0.0)), a_grid()
    tree = vessel((0.0, -0.6), (0.0, 0.6), 15)
    for draw in (calibre, coverage):
        at = [(draw(lines_of(tree, tree.at, tree.radius_um, g), g) * still.coarse[0]) for g in (grid, still)]
        weight = draw(lines_of(tree, tree.at, tree.radius_um, still), still).sum(0)
        moved = (at[0].sum(0) - at[1].sum(0)) / weight
        np.testing.assert_allclose(moved[:110], 0, atol=1e-3)
        np.testing.assert_allclose(moved[130:], -0.1, atol=0.01)


def test_joins_are_drawn_too():
    flags = np.zeros(2, bool)
    joined = Tree(
        np.array([[-0.2, 0], [0.2, 0]]), np.array([-1, -1]), flags, np.full(2, 4.0), flags, np.array([[0, 1]])
    )
    assert covered_um2(joined, a_grid()) == pytest.approx(2 * 4 * 400, rel=0.02)


def test_spots_peak_at_one_where_they_lie():
    grid = a_grid()
    canvas = spots(np.array([[0.1, -0.2], [3.0, 0.0]]), 6.0, grid)
    peak = np.unravel_index(canvas.argmax(), canvas.shape)
    assert canvas.max() == pytest.approx(1, abs=0.1)
    assert (grid.fine[0][peak], grid.fine[1][peak]) == pytest.approx((0.1, -0.2), abs=0.006)
    assert canvas[:, 100:].max() < 1e-3


def test_chosen_points_only_are_kept():
    tree = vessel((-0.3, 0), (0.3, 0), 4.0)
    lines = lines_of(tree, tree.at, tree.radius_um, a_grid())
    assert (keep(lines, lines.at[:, 0] > 0).at[:, 0] > 0).all()

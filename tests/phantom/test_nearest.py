"""Compiled neighbours are those that a k-d tree and a comparison of all with all give."""

import numpy as np
import pytest
from scipy.spatial import KDTree

from octa_kedro.phantom.nearest import approach, partners


@pytest.mark.parametrize("cell_mm", [0.03, 0.2, 1.0, 9.0])
@pytest.mark.parametrize("count", [1, 7, 400])
def test_points_learn_of_nearer_nodes_in_cells_of_any_width(count: int, cell_mm: float) -> None:
    rng = np.random.default_rng(count)
    # nodes in a corner, so that many points lie outside their cells
    points, nodes = rng.uniform(-3, 3, (500, 2)), rng.uniform(0.5, 2, (count, 2))
    distance, nearest = rng.uniform(0, 2, 500), np.full(500, -7)
    distance[::3] = np.inf
    before = distance.copy()
    approach(points, distance, nearest, nodes, first=100, cell_mm=cell_mm)
    away, which = KDTree(nodes).query(points)
    nearer = away < before
    assert 0 < nearer.sum() < len(points)
    np.testing.assert_allclose(distance, np.where(nearer, away, before), rtol=1e-12)
    np.testing.assert_array_equal(nearest, np.where(nearer, 100 + which, -7))


def test_no_nodes_change_nothing() -> None:
    distance, nearest = np.ones(3), np.zeros(3, np.intp)
    approach(np.zeros((3, 2)), distance, nearest, np.empty((0, 2)), first=5, cell_mm=0.1)
    assert (distance == 1).all()
    assert (nearest == 0).all()


def test_a_tip_finds_the_nearest_node_of_another_branch() -> None:
    rng = np.random.default_rng(3)
    nodes = rng.uniform(-1, 1, (300, 2))
    parent = np.array([-1, *(rng.integers(0, node) for node in range(1, 300))])
    tips = np.arange(150, 300)
    generations, reach = 4, 0.12
    expected = []
    for tip in tips:
        kin, forebear = set(), tip
        while forebear >= 0 and len(kin) < generations:
            kin.add(forebear)
            forebear = parent[forebear]
        away = np.hypot(*(nodes - nodes[tip]).T)
        away[list(kin)] = np.inf
        expected.append(away.argmin() if away.min() < reach else -1)
    found = partners(nodes, parent, tips, reach, generations)
    np.testing.assert_array_equal(found, expected)
    assert 0 < (found >= 0).sum() < len(tips)

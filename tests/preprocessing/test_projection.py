"""Volumes projected between surfaces."""

import numpy as np
import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.preprocessing import projection
from octa_kedro.preprocessing.projection import project, project_mean

SHAPE = (7, 9, 40)
LAYOUTS = {
    "columns together": (0, 1, 2),
    "as a NIfTI file lies": (2, 1, 0),
    "as a stack of B-scans lies": (1, 2, 0),
    "B-scans along x": (0, 2, 1),
}


def laid_out(array: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """The same array with its axes in `order` in memory."""
    return np.ascontiguousarray(array.transpose(order)).transpose(np.argsort(order))


def by_hand(array: np.ndarray, top: np.ndarray, bottom: np.ndarray, method: str) -> np.ndarray:
    result = np.zeros(array.shape[:2])
    for x, y in np.ndindex(result.shape):
        column = [float(v) for z, v in enumerate(array[x, y]) if top[x, y] <= z < bottom[x, y]]
        if column:
            result[x, y] = {"sum": sum, "max": max, "mean": lambda c: sum(c) / len(c)}[method](column)
    return result


def test_by_hand():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    top, bottom = np.zeros((2, 3)), np.full((2, 3), 4.0)
    top[0, 0], bottom[0, 0] = 1, 3
    # column (0, 0) is 0 1 2 3, of which 1 2 count; column (1, 2) is 20 21 22 23
    for method, first, last in (("mean", 1.5, 21.5), ("max", 2, 23), ("sum", 3, 86)):
        result = project(array, top, bottom, method)
        assert (result[0, 0], result[1, 2]) == (first, last)
    np.testing.assert_array_equal(project_mean(array, top, bottom), project(array, top, bottom, "mean"))
    assert (project(array, bottom, top) == 0).all()


@pytest.mark.parametrize("method", ["mean", "max", "sum"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_every_layout_and_type_gives_the_same(dtype: str, layout: str, method: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(projection, "BLOCK", 3 * 9 * 40)  # several blocks, the last one smaller
    rng = np.random.default_rng(1)
    array = rng.integers(0 if dtype[0] == "u" else -90, 90, SHAPE).astype(dtype)
    top, bottom = (np.round(rng.uniform(*span, SHAPE[:2]), 1) for span in ((-5, 30), (10, 45)))
    result = project(laid_out(array, LAYOUTS[layout]), top, bottom, method)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, by_hand(array, top, bottom, method), rtol=1e-6)


def test_infinite_edges_reach_to_the_ends_and_unknown_ones_give_nothing():
    array = np.random.default_rng(2).integers(0, 256, SHAPE).astype(np.uint8)
    everywhere = np.full(SHAPE[:2], np.inf)
    np.testing.assert_allclose(project(array, -everywhere, everywhere), array.mean(2), rtol=1e-6)
    gap = everywhere.copy()
    gap[2, 3] = np.nan
    result = project(array, -everywhere, gap, "max")
    assert result[2, 3] == 0
    assert (np.delete(result.ravel(), 2 * 9 + 3) == np.delete(array.max(2).ravel(), 2 * 9 + 3)).all()


def test_bytes_add_up_beyond_sixteen_bits():
    array = np.full((2, 2, 700), 255, np.uint8)
    assert (project(array, np.zeros((2, 2)), np.full((2, 2), 600.0), "sum") == 600 * 255).all()


def test_values_outside_the_slab_do_not_count():
    array = np.full((1, 1, 5), -3.0, np.float32)
    array[0, 0, [0, 4]] = np.nan, 9
    edges = np.ones((1, 1)), np.full((1, 1), 4.0)
    assert [project(array, *edges, m)[0, 0] for m in ("mean", "max", "sum")] == [-3, -3, -9]


def test_surfaces_on_voxel_centres_always_give_the_same_number_of_voxels():
    # Depths in millimetres and back: rounding of the last digit must not move an edge.
    spacing, first = 2 / 640, 1 / 640
    index = np.arange(200, 600).reshape(20, 20)
    array = np.broadcast_to(np.arange(640, dtype=np.float32), (20, 20, 640))
    top = ((index * spacing + first) - first) / spacing
    np.testing.assert_allclose(project(array, top, top + 40.0), index + 19.5, rtol=1e-6)


def test_unknown_method_is_named():
    with pytest.raises(ConfigError, match="'median' is unknown"):
        project(np.ones(SHAPE), np.zeros(SHAPE[:2]), np.ones(SHAPE[:2]), "median")

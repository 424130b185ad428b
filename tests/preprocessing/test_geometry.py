"""Crop and resample: what lies where, in millimetres."""

import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.io.volume import scan_affine
from octa_kedro.preprocessing.geometry import Grid, axis_weights, processing_grid, resample, resample_nearest, scan_box


def grid_of(affine, shape, out, **changes) -> Grid:
    wanted = {"field_mm": None, "depth_mm": None, "centre_depth_mm": None} | changes
    return processing_grid(scan_box(shape, affine), out, **wanted)


def test_scan_box_is_the_whole_scan():
    box = scan_box((30, 20, 40), scan_affine((30, 20, 40), (3, 3, 2)))
    assert box.origin_mm == pytest.approx((0, 0, 0))
    assert box.extent_mm == pytest.approx((3, 3, 2))


@pytest.mark.parametrize(("size", "field"), [((40, 40, 64), 6.0), ((30, 30, 64), 3.0)])
@pytest.mark.parametrize("out", [(24, 20, 48), (60, 50, 90)])
def test_a_landmark_keeps_its_place_in_millimetres(size, field, out):
    affine = scan_affine(size, (field, field, 2.0))
    centre = np.array([field / 2 + 0.6, field / 2 - 0.45, 1.1])
    mm = np.stack(
        np.meshgrid(*(np.diag(affine)[a] * np.arange(size[a]) + affine[a, 3] for a in range(3)), indexing="ij")
    )
    blob = np.exp(-(((mm - centre[:, None, None, None]) / np.array([0.3, 0.3, 0.1])[:, None, None, None]) ** 2).sum(0))
    grid = grid_of(affine, size, out, field_mm=(3.0, 3.0), depth_mm=0.9, centre_depth_mm=1.0)
    result = resample(blob, affine, grid)
    assert result.shape == out
    weights = result / result.sum()
    found = [float((weights.sum(tuple({0, 1, 2} - {a})) * np.arange(out[a])).sum()) for a in range(3)]
    back = (grid.affine @ [*found, 1])[:3]
    assert np.abs(back - centre).max() < 0.02


def test_six_mm_eye_is_cropped_to_its_centre():
    array = np.zeros((8, 8, 4), np.float32)
    array[2:6, 2:6] = 1
    affine = scan_affine(array.shape, (6, 6, 2))
    result = resample(array, affine, grid_of(affine, array.shape, (4, 4, 4), field_mm=(3.0, 3.0)))
    np.testing.assert_allclose(result, 1)
    larger = resample(array, affine, grid_of(affine, array.shape, (8, 8, 4)))
    np.testing.assert_allclose(larger, array)


def test_shrinking_averages_and_keeps_the_mean():
    array = np.random.default_rng(0).random((12, 9, 6)).astype(np.float32)
    affine = scan_affine(array.shape, (3, 3, 2))
    result = resample(array, affine, grid_of(affine, array.shape, (4, 3, 2)))
    np.testing.assert_allclose(result, array.reshape(4, 3, 3, 3, 2, 3).mean((1, 3, 5)), rtol=1e-5)
    uneven = resample(array, affine, grid_of(affine, array.shape, (5, 4, 5)))
    assert uneven.mean() == pytest.approx(array.mean(), rel=1e-5)


def test_axis_weights_by_hand():
    np.testing.assert_allclose(
        axis_weights(3, np.array([0, 1.5, 3.0])), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]], atol=1e-6
    )
    np.testing.assert_allclose(
        axis_weights(2, np.array([0, 0.5, 1, 1.5, 2])), [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]
    )


def test_beyond_the_scan_is_zero():
    array = np.ones((4, 4, 10), np.float32)
    affine = scan_affine(array.shape, (3, 3, 2))
    result = resample(array, affine, grid_of(affine, array.shape, (4, 4, 10), depth_mm=2.0, centre_depth_mm=0.4))
    np.testing.assert_allclose(result[0, 0], [0, 0, 0, 1, 1, 1, 1, 1, 1, 1], atol=1e-6)


def test_labels_stay_labels():
    array = np.zeros((10, 10, 20), np.uint8)
    array[4:7, 2:5, 8:12] = 1
    affine = scan_affine(array.shape, (3, 3, 2))
    grid = grid_of(affine, array.shape, (23, 17, 31))
    result = resample_nearest(array, affine, grid)
    assert set(np.unique(result)) == {0, 1}
    share = [m.mean() for m in (array, result)]
    assert share[0] == pytest.approx(share[1], rel=0.15)
    outside = grid_of(affine, array.shape, (10, 10, 20), depth_mm=2.0, centre_depth_mm=-0.9)
    assert resample_nearest(np.ones_like(array), affine, outside)[..., :10].sum() == 0


def test_a_field_larger_than_the_scan_is_refused():
    with pytest.raises(DataError, match=r"3\.00 mm wide, geometry|3\.00 mm wide"):
        grid_of(scan_affine((10, 10, 10), (3, 3, 2)), (10, 10, 10), (5, 5, 5), field_mm=(6.0, 6.0))


def test_a_grid_outside_the_scan_is_refused():
    affine = scan_affine((10, 10, 10), (3, 3, 2))
    with pytest.raises(DataError, match="outside the scan"):
        resample(
            np.ones((10, 10, 10)), affine, grid_of(affine, (10, 10, 10), (5, 5, 5), depth_mm=0.5, centre_depth_mm=5.0)
        )


def test_rotated_axes_are_refused():
    affine = scan_affine((10, 10, 10), (3, 3, 2))
    affine[0, 1] = 0.1
    with pytest.raises(DataError, match="not along the world's"):
        scan_box((10, 10, 10), affine)

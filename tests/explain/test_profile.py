"""Evidence per depth and per slab."""

import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.explain.profile import EDGES, SLAB_NAMES, evidence_by_depth, evidence_by_slab, slab_at, slab_labels
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.preprocessing.slabs import slab_mask

SHAPE = (3, 2, 10)
AFFINE = scan_affine(SHAPE, (0.3, 0.2, 0.1))  # voxels 10 um deep, centres at 5, 15, ... um


def flat(depths_mm: dict[str, float]) -> PlaneStack:
    planes = np.stack([np.full(SHAPE[:2], d) for d in depths_mm.values()], axis=2)
    return PlaneStack(planes, AFFINE, tuple(depths_mm))


SURFACES = flat({"ILM": 0.02, "IPL_INL": 0.04, "OPL_ONL": 0.05, "BM": 0.08})  # 2, 2, 1, 3 and 2 voxels


def volume(array) -> Volume:
    return Volume(np.asarray(array, np.float32), AFFINE, "map")


def test_shares_and_means_per_slab_are_those_counted_by_hand():
    array = np.zeros(SHAPE)
    array[0, 0, 4] = 3  # IPL-OPL, 6 voxels
    array[1, 1, 6] = 1  # OPL-BM, 18 voxels
    found = evidence_by_slab(volume(array), SURFACES)
    np.testing.assert_allclose(found.share, [0, 0, 0.75, 0.25, 0])
    np.testing.assert_allclose(found.mean, [0, 0, 3 / 6, 1 / 18, 0])
    np.testing.assert_allclose(found.volume, [0.2, 0.2, 0.1, 0.3, 0.2])
    assert found.unknown == 0


def test_slabs_have_the_borders_of_slab_mask():
    rng = np.random.default_rng(0)
    planes = np.sort(rng.uniform(0, 0.1, (*SHAPE[:2], 4)), axis=2)
    planes[0, 0] = [0.02, 0.035, 0.035, 0.085]  # on voxel centres, and one slab without depth
    surfaces = PlaneStack(planes, AFFINE, EDGES)
    labels = slab_labels(surfaces, volume(np.ones(SHAPE)))
    for slab, name in {"SVP": "ILM-IPL", "DVP": "IPL-OPL", "OPL_BM": "OPL-BM"}.items():
        np.testing.assert_array_equal(labels == SLAB_NAMES.index(name), slab_mask(surfaces, slab, SHAPE, AFFINE))


def test_a_missing_surface_leaves_its_two_slabs_unknown():
    surfaces = SURFACES.only(("ILM", "IPL_INL", "BM"))
    found = evidence_by_slab(volume(np.ones(SHAPE)), surfaces)
    np.testing.assert_allclose(found.share, [0.2, 0.2, np.nan, np.nan, 0.2])
    assert found.unknown == pytest.approx(0.4)


def test_without_surfaces_every_slab_is_unknown():
    found = evidence_by_slab(volume(np.ones(SHAPE)), None)
    assert np.isnan([*found.share, *found.mean, *found.volume]).all()
    assert found.unknown == 1
    assert slab_at(None, volume(np.ones(SHAPE)), (0, 0, 0)) == ""


def test_an_a_scan_whose_surface_is_nan_counts_as_unknown():
    planes = SURFACES.array.copy()
    planes[0, 0, 1] = np.nan
    found = evidence_by_slab(volume(np.ones(SHAPE)), PlaneStack(planes, AFFINE, EDGES))
    assert found.unknown == pytest.approx(1 / 6)
    assert found.share.sum() == pytest.approx(5 / 6)


def test_an_empty_map_has_no_shares():
    heat = volume(np.zeros(SHAPE))
    assert np.isnan(evidence_by_slab(heat, SURFACES).share).all()
    assert np.isnan(evidence_by_depth(heat, SURFACES).share).all()
    assert (evidence_by_slab(heat, SURFACES).mean == 0).all()


def test_depth_is_counted_from_each_a_scans_own_ilm():
    ilm = np.linspace(0.005, 0.055, 6).reshape(3, 2)
    array = np.zeros(SHAPE)
    for x, y in np.ndindex(3, 2):
        array[x, y, round((ilm[x, y] + 0.03 - 0.005) / 0.01)] = 2  # 30 um below the ILM everywhere
    found = evidence_by_depth(volume(array), PlaneStack(ilm[..., None], AFFINE, ("ILM",)))
    assert found.zero == "ILM"
    assert found.depth_um[np.argmax(found.share)] == pytest.approx(30)
    assert found.share.max() == pytest.approx(1)
    assert np.nanmax(found.mean) == 2


def test_without_an_ilm_depth_is_counted_from_the_first_voxel():
    array = np.zeros(SHAPE)
    array[:, :, 7] = 1
    found = evidence_by_depth(volume(array), None)
    assert found.zero == "first voxel"
    np.testing.assert_allclose(found.depth_um, np.arange(10) * 10)
    np.testing.assert_allclose(found.share, np.arange(10) == 7)


def test_a_scans_without_an_ilm_count_at_no_depth():
    ilm = np.full((*SHAPE[:2], 1), 0.015)
    ilm[0] = np.nan
    found = evidence_by_depth(volume(np.ones(SHAPE)), PlaneStack(ilm, AFFINE, ("ILM",)))
    assert found.share.sum() == pytest.approx(4 / 6)
    with pytest.raises(DataError, match="unknown in every A-scan"):
        evidence_by_depth(volume(np.ones(SHAPE)), PlaneStack(ilm * np.nan, AFFINE, ("ILM",)))


def test_surfaces_on_another_grid_are_refused():
    surfaces = PlaneStack(np.ones((4, 2, 1)), AFFINE, ("ILM",))
    for score in (evidence_by_slab, evidence_by_depth):
        with pytest.raises(DataError, match="resample"):
            score(volume(np.ones(SHAPE)), surfaces)


def test_the_slab_of_a_voxel_has_its_name():
    assert slab_at(SURFACES, volume(np.ones(SHAPE)), (2, 1, 5)) == "OPL-BM"

"""Slabs by name, their voxels, and stray parts of masks."""

import numpy as np
import pytest

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.release import SURFACES
from octa_kedro.io.volume import PlaneStack, scan_affine
from octa_kedro.preprocessing.projection import project_mean
from octa_kedro.preprocessing.slab_names import SLABS, find_slab
from octa_kedro.preprocessing.slabs import remove_stray, slab_edges, slab_mask

SHAPE = (3, 2, 20)
AFFINE = scan_affine(SHAPE, (3.0, 2.0, 2.0))  # voxel z has its centre at (z + 0.5) / 10 mm
DEPTHS = dict(zip(SURFACES, (0.4, 0.6, 0.8, 1.0, 1.1, 1.2), strict=True))


def flat(**depth_mm: float) -> PlaneStack:
    planes = [np.full(SHAPE[:2], depth) for depth in depth_mm.values()]
    return PlaneStack(np.stack(planes, axis=2), AFFINE, tuple(depth_mm), source="eye 2")


@pytest.mark.parametrize(
    ("slab", "upper", "lower"),
    [
        ("SVP", 0.4, 0.6),
        ("SRL", 0.4, 0.6),
        ("DVP", 0.6, 0.8),
        ("DRL", 0.6, 0.8),
        ("outer_retina", 0.8, 1.2),
        ("choriocapillaris", 1.2, 1.23),
        ("ILM_OPL", 0.4, 0.8),
        ("OPL_BM", 0.8, 1.2),
        ("ILM_BM", 0.4, 1.2),
        ("FULL", -np.inf, np.inf),
    ],
)
def test_edges_of_every_slab(slab: str, upper: float, lower: float):
    top, bottom = slab_edges(flat(**DEPTHS), slab)
    assert top.shape == bottom.shape == SHAPE[:2]
    np.testing.assert_allclose(top, upper)
    np.testing.assert_allclose(bottom, lower)


def test_every_slab_is_tested_above():
    assert set(SLABS) == {
        *("SVP", "SRL", "DVP", "DRL", "outer_retina", "choriocapillaris", "ILM_OPL", "OPL_BM", "ILM_BM", "FULL")
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("IML_OPL", "'IML_OPL' is unknown; did you mean ILM_OPL"),
        ("svp", "did you mean SVP"),
        ("Choriocapilaris", "did you mean choriocapillaris"),
        ("xyz", "choose from SVP, SRL"),
    ],
)
def test_an_unknown_slab_brings_the_nearest_names(name: str, words: str):
    with pytest.raises(ConfigError, match=words):
        find_slab(name)


def test_a_missing_surface_is_named_with_slab_and_what_there_is():
    with pytest.raises(DataError, match="eye 2: slab SVP needs surface IPL_INL, but there are only ILM, OPL_ONL, BM"):
        slab_edges(flat(ILM=0.4, OPL_ONL=0.6, BM=0.8), "SVP")


def test_mask_by_hand():
    # ILM_OPL is 0.4 to 0.8 mm: the voxels whose centres are 0.45, 0.55, 0.65 and 0.75 mm
    mask = slab_mask(flat(**DEPTHS), "ILM_OPL", SHAPE, AFFINE)
    assert mask.shape == SHAPE
    assert np.flatnonzero(mask[1, 1]).tolist() == [4, 5, 6, 7]
    # an edge on a voxel's centre: the upper one counts as inside, the lower one does not
    edged = slab_mask(flat(ILM=0.45, BM=0.75), "ILM_BM", SHAPE, AFFINE)
    assert np.flatnonzero(edged[2, 0]).tolist() == [4, 5, 6]
    assert slab_mask(flat(**DEPTHS), "FULL", SHAPE, AFFINE).all()


def test_mask_holds_the_voxels_that_are_projected():
    array = np.random.default_rng(0).integers(0, 90, SHAPE).astype(np.uint8)
    surfaces = flat(**DEPTHS)
    for slab in SLABS:
        top, bottom = ((edge - AFFINE[2, 3]) / AFFINE[2, 2] for edge in slab_edges(surfaces, slab))
        mask = slab_mask(surfaces, slab, SHAPE, AFFINE)
        expected = np.where(mask, array, 0).sum(axis=2) / np.maximum(mask.sum(axis=2), 1)
        np.testing.assert_allclose(project_mean(array, top, bottom), expected, rtol=1e-5)


def test_surfaces_of_another_scan_are_refused():
    with pytest.raises(DataError, match="eye 2: surfaces of "):
        slab_mask(flat(**DEPTHS), "SVP", (4, 2, 20), AFFINE)


def column(*voxels: int) -> np.ndarray:
    mask = np.zeros(40, np.uint8)
    mask[list(voxels)] = 7
    return mask


def test_stray_voxels_by_hand():
    mask = np.zeros((2, 3, 40), np.uint8)
    mask[0, 0] = column(5, 6, 7, 18, 19)  # 18 is 11 below 7: stray, and all below
    mask[0, 1] = column(5, 6, 7, 17, 18, 30, 31)  # 17 is 10 below 7: kept; 30 is 12 below 18: stray
    mask[0, 2] = column(5, 20, 22, 35)  # all below the first gap, however near to each other
    mask[1, 1] = column(39)  # a column that begins late has no gap above it
    mask[1, 2] = column(*range(40))
    before = mask.copy()
    kept = remove_stray(mask)
    expected = before.copy()
    expected[0, 0], expected[0, 1], expected[0, 2] = column(5, 6, 7), column(5, 6, 7, 17, 18), column(5)
    np.testing.assert_array_equal(kept, expected)
    np.testing.assert_array_equal(mask, before)
    assert kept.dtype == mask.dtype


def test_the_gap_is_a_parameter_and_bool_masks_stay_bool():
    mask = column(0, 4, 5)[None, None].astype(bool)
    assert np.flatnonzero(remove_stray(mask, gap_voxels=3)).tolist() == [0]
    kept = remove_stray(mask, gap_voxels=4)
    assert kept.dtype == bool
    assert np.flatnonzero(kept).tolist() == [0, 4, 5]

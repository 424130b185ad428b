"""Scores of one map against slabs and a lesion, by hand."""

import math

import numpy as np
import pytest

from octa_kedro.errors import DataError
from octa_kedro.explain.localisation import peak_voxel, score_findings, score_map, scored_voxels
from octa_kedro.io.volume import PlaneStack, Volume
from tests.explain.eyes import AFFINE, SHAPE, box, flat_surfaces, heat_at, volume


@pytest.fixture
def surfaces() -> PlaneStack:
    """ILM at .2 mm, OPL at .4 mm, BM at .6 mm, all 100 um deeper in the last column of A-scans."""
    stack = flat_surfaces(0.2, 0.4, 0.6)
    stack.array[-1] += 0.1
    return stack


def test_scores_by_hand(surfaces: PlaneStack):
    lesion = heat_at((2, 3, 9))
    scores = score_map(heat_at((2, 3, 9), (4, 4, 5)), surfaces, lesion, "OPL_BM")
    assert scores["peak_in_slab"] == 1
    assert scores["peak_z_mm"] == pytest.approx(9.5 * 0.05)
    assert scores["peak_below_ilm_mm"] == pytest.approx(9.5 * 0.05 - 0.2)
    assert scores["slab_share_of_retina"] == pytest.approx(0.5)
    assert scores["mass_in_slab"] == pytest.approx(2 / 3)
    assert scores["peak_in_lesion"] == 1
    assert scores["mass_in_lesion"] == pytest.approx(2 / 3)
    assert scores["lesion_share_of_grid"] == pytest.approx(1 / 960)
    assert scores["lesion_mm3"] == pytest.approx(3 / 8 * 3 / 6 * 0.05)
    assert scores["lesion_outside_retina"] == 0
    assert scores["voxel_ap"] == 1  # the lesion's voxel is ranked first
    assert scores["prevalence"] == pytest.approx(1 / (8 * 6 * 8))  # of 8 voxels of retina in an A-scan
    assert scores["centre_in_slab"] == 1  # the centre of the grid is voxel 10
    assert score_map(heat_at((2, 3, 5)), surfaces, lesion, "OPL_BM")["peak_in_slab"] == 0
    assert score_map(heat_at((7, 3, 9)), surfaces, lesion, "OPL_BM")["peak_in_slab"] == 0


def test_what_cannot_be_said_is_nan(surfaces: PlaneStack):
    empty = score_map(heat_at(), surfaces, volume(box(slice(2))), "OPL_BM")
    assert empty.pop("peak_value") == 0
    assert all(math.isnan(v) for v in empty.values())
    bare = score_map(heat_at((1, 1, 1)), None, None, None)
    assert math.isnan(bare["peak_in_slab"])
    assert math.isnan(bare["mass_in_lesion"])
    assert math.isnan(bare["voxel_ap"])
    assert bare["peak_x_mm"] == pytest.approx(1.5 * 3 / 8)
    constant = score_map(volume(np.ones(SHAPE)), None, volume(box(slice(2))), None)
    assert math.isnan(constant["dice_otsu"])
    assert constant["voxel_ap"] == pytest.approx(constant["prevalence"])


def test_a_slab_below_the_retina_has_no_share_of_it(surfaces: PlaneStack):
    scores = score_map(heat_at((2, 3, 12)), surfaces, None, "choriocapillaris")
    assert scores["peak_in_slab"] in (0, 1)
    assert math.isnan(scores["slab_share_of_retina"])


def test_the_peak_of_a_plateau_is_its_voxel_nearest_to_its_centroid():
    array = np.zeros(SHAPE)
    array[2:5, 1:4, 3:8] = 7
    assert peak_voxel(array) == (3, 2, 5)
    ring = np.zeros((5, 5, 1))
    ring[1:4, 1:4] = 1
    ring[2, 2] = 0  # the centroid is no part of the plateau
    peak = peak_voxel(ring)
    assert ring[peak] == 1
    assert abs(peak[0] - 2) + abs(peak[1] - 2) == 1


def test_distance_to_the_centroid_is_in_millimetres():
    array = np.zeros((9, 9, 1))
    array[[0, 8, 4, 4, 1], [4, 4, 0, 8, 4]] = 1  # centroid (3.4, 4): 2.4 voxels along x, or about 4 along y
    assert peak_voxel(array, (1.0, 1.0, 1.0)) == (1, 4, 0)
    assert peak_voxel(array, (10.0, 0.1, 1.0)) in {(4, 0, 0), (4, 8, 0)}


def test_a_lesion_below_the_retina_is_scored_with_voxels_beside_it(surfaces: PlaneStack):
    below = box(slice(2, 4), slice(2, 4), slice(12, 14))  # BM lies between voxels 11 and 12
    scores = score_map(heat_at((2, 2, 12)), surfaces, volume(below), None)
    assert scores["lesion_outside_retina"] == 1
    domain = scored_voxels(heat_at(), surfaces, below > 0)
    assert domain[below > 0].all()
    assert domain[0, 0].tolist() == [4 <= z <= 13 for z in range(20)]
    assert 0 < scores["prevalence"] < 0.05


def test_a_lesion_where_surfaces_are_unknown_is_kept(surfaces: PlaneStack):
    surfaces.array[0] = np.nan
    lesion = box(slice(0, 1), slice(0, 1), slice(5, 7))
    domain = scored_voxels(heat_at(), surfaces, lesion > 0)
    assert domain[0].sum() == 2
    assert domain[1:].any()


def test_without_surfaces_the_whole_grid_is_scored():
    scores = score_map(heat_at((2, 2, 12)), None, volume(box(slice(4))), None)
    assert scores["prevalence"] == pytest.approx(0.5)
    assert math.isnan(scores["lesion_outside_retina"])


@pytest.mark.parametrize(
    ("lesion", "words"),
    [
        (volume(np.ones((8, 6, 10))), "one grid"),
        (Volume(box(slice(2)), AFFINE + 0.5, "lesion"), "lie elsewhere"),
        (volume(np.full(SHAPE, 0.5)), "no whole numbers"),
        (volume(np.full(SHAPE, -1)), "negative"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_by_name(lesion: Volume, words: str):
    for score in (lambda: score_map(heat_at(), None, lesion, None, subject="eye_7"),
                  lambda: score_findings(heat_at((1, 1, 1)), None, lesion, subject="eye_7")):  # fmt: skip
        with pytest.raises(DataError, match=f"eye_7: .*{words}"):
            score()


def test_surfaces_of_another_grid_are_refused(surfaces: PlaneStack):
    moved = PlaneStack(surfaces.array, surfaces.affine + 1, surfaces.names)
    with pytest.raises(DataError, match="eye_7: its surfaces"):
        score_map(heat_at((1, 1, 1)), moved, None, "OPL_BM", subject="eye_7")


@pytest.mark.parametrize(("value", "words"), [(np.nan, "NaN"), (-1.0, "negative")])
def test_a_map_with_impossible_values_is_refused(value: float, words: str):
    with pytest.raises(DataError, match=f"eye_7: .*{words}"):
        score_map(volume(np.full(SHAPE, value)), None, None, None, subject="eye_7")


def test_findings_are_scored_apart():
    mask = box(slice(0, 1)) + 5 * box(slice(6, 8))
    heat = heat_at((0, 0, 0))
    heat.array[:2] += 1  # marks the first finding, and as many voxels of no finding
    first, second = score_findings(heat, None, volume(mask), {5: "neovascular"})
    assert [first["finding"], second["finding"]] == ["1", "neovascular"]
    assert [first["peak_in_finding"], second["peak_in_finding"]] == [1, 0]
    assert first["prevalence"] == pytest.approx(1 / 6)  # one of 8 columns, 2 of which are of the other finding
    assert first["mass_in_finding"] == pytest.approx(121 / 241)
    assert second["mass_in_finding"] == 0
    assert first["voxel_ap"] > 0.5 > second["voxel_ap"]

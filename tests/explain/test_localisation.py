"""Scores of maps against slabs and lesions, by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from octa_kedro.explain.localisation import format_hits, score_map, summarise_hits
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine

SHAPE = (8, 6, 20)
AFFINE = scan_affine(SHAPE, (3.0, 3.0, 1.0))  # depth steps of 50 um


def heat_at(*peaks: tuple[int, int, int]) -> Volume:
    array = np.zeros(SHAPE, np.float32)
    for value, peak in enumerate(reversed(peaks), start=1):
        array[peak] = value
    return Volume(array, AFFINE, "gradcam")


@pytest.fixture
def surfaces() -> PlaneStack:
    """ILM at .2 mm, OPL at .4 mm, BM at .6 mm, all 100 um deeper in the last column of A-scans."""
    planes = np.stack([np.full(SHAPE[:2], d, np.float32) for d in (0.2, 0.4, 0.6)], axis=2)
    planes[-1] += 0.1
    return PlaneStack(planes, AFFINE, ("ILM", "OPL_ONL", "BM"))


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
    assert scores["centre_in_slab"] == 1  # the centre of the grid is voxel 10
    assert score_map(heat_at((2, 3, 5)), surfaces, lesion, "OPL_BM")["peak_in_slab"] == 0
    assert score_map(heat_at((7, 3, 9)), surfaces, lesion, "OPL_BM")["peak_in_slab"] == 0


def test_what_cannot_be_said_is_nan(surfaces: PlaneStack):
    empty = score_map(heat_at(), surfaces, None, "OPL_BM")
    assert empty.pop("peak_value") == 0
    assert all(math.isnan(v) for v in empty.values())
    bare = score_map(heat_at((1, 1, 1)), None, None, None)
    assert math.isnan(bare["peak_in_slab"])
    assert math.isnan(bare["mass_in_lesion"])
    assert bare["peak_x_mm"] == pytest.approx(1.5 * 3 / 8)


def test_a_slab_below_the_retina_has_no_share_of_it(surfaces: PlaneStack):
    scores = score_map(heat_at((2, 3, 12)), surfaces, None, "choriocapillaris")
    assert scores["peak_in_slab"] in (0, 1)
    assert math.isnan(scores["slab_share_of_retina"])


def test_summary_counts_correct_diseased_eyes_only():
    rows = pd.DataFrame(
        {
            "model": "training_3d",
            "part": ["out_of_fold"] * 4 + ["held_out"],
            "disease": ["CNV", "CNV", "CNV", "NORMAL", "CNV"],
            "target": [1, 1, 1, 0, 1],
            "correct": [True, True, False, True, True],
            "peak_in_slab": [1.0, 0.0, 1.0, math.nan, 1.0],
            "slab_share_of_retina": [0.4, 0.6, 0.5, math.nan, 0.5],
            "centre_in_slab": [0.0, 1.0, 1.0, math.nan, 1.0],
            "mass_in_lesion": 0.1,
            "lesion_share_of_grid": 0.01,
        }
    )
    summary = summarise_hits(rows, {"training_3d": 0.067}).set_index("part")
    assert summary.loc["out_of_fold", ["n", "hits"]].tolist() == [2, 1]
    assert summary.loc["all", ["n", "hits"]].tolist() == [3, 2]
    # Wilson (1927) for 2 of 3.
    assert summary.loc["all", "low"] == pytest.approx(0.2077, abs=1e-3)
    assert summary.loc["all", "high"] == pytest.approx(0.9385, abs=1e-3)
    assert summary.loc["all", "chance_slab_share"] == pytest.approx(0.5)
    text = format_hits(summary.reset_index())
    assert "2 of 3 correctly classified eyes" in text
    assert "cells 0.067 mm deep" in text
    assert "nothing to score" in format_hits(summarise_hits(rows.iloc[:0], {}))

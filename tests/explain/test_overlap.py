"""Overlap of a map and a mask, against hand-computed values and independent libraries."""

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from octa_kedro.explain.overlap import (
    CANDIDATES,
    dice_curve,
    otsu_threshold,
    overlap_scores,
    scale_to_unit,
    voxel_precision,
)

LESION = np.array([True, True, False, False, False])
UNIT = np.array([1.0, 0.2, 0.6, 0.0, 0.4])


def test_overlap_by_hand():
    scores = overlap_scores(UNIT, LESION, 0.4)  # marks voxels 0, 2 and 4
    assert scores == pytest.approx({"iou": 1 / 4, "dice": 2 / 5, "ioa": 1 / 3, "wioa": 1.0 / 2.0})


def test_an_undefined_overlap_is_nan():
    scores = overlap_scores(UNIT, LESION, 1.5)  # marks nothing
    assert math.isnan(scores["ioa"])
    assert math.isnan(scores["wioa"])
    assert scores["dice"] == 0


def test_otsu_parts_two_groups():
    rng = np.random.default_rng(0)
    values = np.r_[rng.normal(0.2, 0.02, 900), rng.normal(0.8, 0.02, 100)]
    assert 0.2 < otsu_threshold(values) < 0.8
    assert ((values >= otsu_threshold(values)).sum()) == 100
    assert math.isnan(otsu_threshold(np.ones(5)))


def test_otsu_maximises_the_variance_between_groups():
    values = np.random.default_rng(1).gamma(2, size=3000)
    edges = np.histogram(values, 256)[1]
    centres = (edges[:-1] + edges[1:]) / 2
    binned = centres[np.clip(np.digitize(values, edges) - 1, 0, 255)]
    between = []
    for centre in centres[:-1]:
        low, high = binned[binned <= centre], binned[binned > centre]
        between.append(len(low) * len(high) * (low.mean() - high.mean()) ** 2)
    assert otsu_threshold(values) == pytest.approx(centres[int(np.argmax(between))])


@pytest.mark.parametrize("decimals", [8, 1])  # 1: many ties
def test_average_precision_equals_scikit_learns(decimals: int):
    rng = np.random.default_rng(2)
    heat = rng.random((6, 7, 8)).round(decimals)
    lesion = rng.random(heat.shape) < heat * 0.3
    domain = rng.random(heat.shape) < 0.7
    precision, prevalence = voxel_precision(heat, lesion, domain)
    assert precision == pytest.approx(average_precision_score(lesion[domain], heat[domain]))
    assert prevalence == pytest.approx(lesion[domain].mean())


def test_average_precision_needs_both_kinds_of_voxels():
    everywhere = np.ones(5, bool)
    assert math.isnan(voxel_precision(UNIT, ~everywhere, everywhere)[0])
    assert math.isnan(voxel_precision(UNIT, everywhere, everywhere)[0])


def test_the_dice_curve_is_dice_at_every_threshold():
    rng = np.random.default_rng(3)
    unit = scale_to_unit(rng.random((5, 5, 5)))
    lesion = rng.random((5, 5, 5)) < 0.2
    expected = [overlap_scores(unit, lesion, threshold)["dice"] for threshold in CANDIDATES]
    assert dice_curve(unit, lesion) == pytest.approx(np.array(expected))


def test_a_constant_map_has_no_scale():
    assert scale_to_unit(np.full((2, 2), 3.0)) is None
    assert scale_to_unit(np.array([2.0, 4.0, 3.0])).tolist() == [0, 1, 0.5]

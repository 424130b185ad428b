"""Likeness of maps against figures worked out otherwise."""

import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from octa_kedro.errors import DataError
from octa_kedro.explain.similarity import similarity, spearman, ssim

RNG = np.random.default_rng(0)
A = RNG.random((6, 7, 9)).round(1)
B = (A + RNG.random(A.shape)).round(1)
EVERYWHERE = np.ones(A.shape, bool)


def test_rank_correlation_within_the_mask():
    mask = RNG.random(A.shape) > 0.5
    assert spearman(A, B, mask) == pytest.approx(spearmanr(A[mask], B[mask]).statistic)
    assert spearman(A, np.exp(A), EVERYWHERE) == pytest.approx(1)
    assert spearman(A, -A, EVERYWHERE) == pytest.approx(-1)


def test_structural_similarity_written_out_for_one_voxel():
    mask = np.zeros((13, 15, 17), bool)
    mask[6, 7, 8] = mask[5, 7, 8] = mask[6, 9, 8] = True
    a, b = np.zeros(mask.shape), np.zeros(mask.shape)
    a[mask], b[mask] = [0, 0.4, 1], [0.2, 0, 1]
    places, values = np.argwhere(mask), []
    for centre in places:
        weight = np.exp(-((places - centre) ** 2).sum(1) / (2 * 1.5**2))
        weight /= weight.sum()
        (ma, mb) = weight @ a[mask], weight @ b[mask]
        va, vb = weight @ (a[mask] - ma) ** 2, weight @ (b[mask] - mb) ** 2
        both = weight @ ((a[mask] - ma) * (b[mask] - mb))
        top = (2 * ma * mb + 1e-4) * (2 * both + 9e-4)
        values.append(top / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4)))
    assert ssim(a, b, mask) == pytest.approx(np.mean(values), rel=1e-6)


def test_scale_does_not_matter_and_outside_does_not_count():
    mask = RNG.random(A.shape) > 0.5
    outside = np.where(mask, B, 1e6)
    assert similarity(A, outside, mask) == pytest.approx(similarity(A, B, mask))
    assert ssim(A, 5 * A - 3, EVERYWHERE) == pytest.approx(1)


def test_an_empty_map_has_no_likeness():
    assert all(math.isnan(v) for v in similarity(A, np.zeros_like(A), EVERYWHERE).values())


def test_maps_of_different_grids_or_not_finite_are_refused():
    with pytest.raises(DataError, match="one grid"):
        similarity(A, B[1:], EVERYWHERE)
    with pytest.raises(DataError, match="not finite"):
        similarity(A, B * np.nan, EVERYWHERE)

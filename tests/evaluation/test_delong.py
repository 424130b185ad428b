"""The variance of AUROCs against all pairs counted one by one, and against published figures."""

import math

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import chi2

from octa_kedro.errors import DataError
from octa_kedro.evaluation.delong import delong, difference_test, logit_interval, perfect_bound


def by_all_pairs(target: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUROCs and covariance as DeLong et al. write them, in O(n^2)."""
    ours, theirs = scores[:, target == 1], scores[:, target == 0]
    won = (ours[:, :, None] > theirs[:, None, :]) + 0.5 * (ours[:, :, None] == theirs[:, None, :])
    of_ours, of_theirs = np.cov(won.mean(axis=2)), np.cov(won.mean(axis=1))
    return won.mean(axis=(1, 2)), of_ours / ours.shape[1] + of_theirs / theirs.shape[1]


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_the_count_of_all_pairs(seed: int):
    rng = np.random.default_rng(seed)
    target = rng.permutation(np.arange(60) % 3 == 0).astype(int)
    scores = np.round(rng.normal(size=(4, 60)) + target, seed % 3)  # with ties
    found = delong(target, scores)
    auroc, covariance = by_all_pairs(target, scores)
    np.testing.assert_allclose(found.value, auroc, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.covariance, covariance, rtol=0, atol=1e-10)


def test_it_gives_published_figures():
    # 109 CT images rated 1 .. 5 (Hanley and McNeil 1982, table 1); figures of Stata's manual, roctab, example 1.
    ratings = np.repeat(np.tile([1, 2, 3, 4, 5], 2), [33, 6, 6, 11, 2, 3, 2, 2, 11, 33])
    found = delong(np.repeat([0, 1], [58, 51]), ratings)
    auroc, error = found.value[0], math.sqrt(found.covariance[0, 0])
    assert (round(auroc, 4), round(error, 4)) == (0.8932, 0.0307)
    assert round(auroc - 1.959964 * error, 5) == 0.83295


OVARIAN = """
    30 58 10 0  32 63 5 1  39 68 3 1  28 48 6 0  32 58 3 1  9 40 5 0   25 57 8 0  16 56 5 1  38 57 5 1  37 67 6 1
    32 54 4 1   38 66 6 1  41 66 5 1  36 57 5 1  43 70 4 1  36 67 4 0  23 44 6 1  42 76 4 0  40 66 6 0  35 58 6 1
    38 68 7 1   30 47 8 0  45 74 5 1  37 74 5 1  31 66 6 1  41 82 6 1  43 70 5 1  43 65 4 1  32 51 5 1  26 47 6 1
    33 68 6 0   17 40 7 0  37 61 5 1  33 63 7 1  42 77 6 1  35 62 5 1  29 57 9 0  21 48 7 1  28 62 8 0  40 70 7 1
    33 57 6 1   37 69 5 1  36 66 5 1
"""
"""Albumin, total protein (both times 10), Krebs-Goplerud score and outcome: the 43 patients of DeLong et al.'s own
example of whom all is known, as in SAS/STAT User's Guide, The LOGISTIC Procedure, "Comparing ROC curves"."""


def test_it_gives_the_figures_of_delongs_own_example():
    albumin, protein, score, outcome = np.array(OVARIAN.split(), dtype=int).reshape(-1, 4).T
    found = delong(outcome, [albumin, -score, protein])
    assert found.value.round(4).tolist() == [0.7366, 0.7258, 0.6478]
    assert np.sqrt(np.diag(found.covariance)).round(4).tolist() == [0.0927, 0.1028, 0.1000]
    # Both compared with the score: chi square with two degrees of freedom, and its p.
    contrast = np.array([[1, -1, 0], [0, -1, 1]])
    apart = contrast @ found.value
    statistic = apart @ np.linalg.solve(contrast @ found.covariance @ contrast.T, apart)
    assert (round(statistic, 4), round(chi2.sf(statistic, 2), 4)) == (2.534, 0.2817)


def test_copies_of_an_eye_say_nothing_new():
    rng = np.random.default_rng(0)
    target, scores = np.arange(30) % 2, rng.normal(size=(2, 30)) + np.arange(30) % 2
    alone = delong(target, scores)
    patients = [str(i) for i in range(30)] * 2
    twice = delong(np.tile(target, 2), np.tile(scores, 2), patients)
    np.testing.assert_allclose(twice.covariance, alone.covariance)
    assert delong(np.tile(target, 2), np.tile(scores, 2)).covariance[0, 0] < 0.6 * alone.covariance[0, 0]


def test_patients_with_an_eye_of_each_class_make_the_interval_narrower():
    rng = np.random.default_rng(1)
    target, common = np.arange(80) % 2, np.repeat(rng.normal(size=40), 2)
    scores = common + 0.5 * rng.normal(size=80) + target
    patients = [str(i // 2) for i in range(80)]
    assert delong(target, scores, patients).covariance[0, 0] < 0.7 * delong(target, scores).covariance[0, 0]


def test_a_model_does_not_differ_from_itself():
    rng = np.random.default_rng(2)
    target, scores = np.arange(20) % 2, rng.normal(size=20)
    difference, error = delong(target, [scores, 2 * scores]).difference(0, 1)
    assert (difference, error, difference_test(difference, error)) == (0, 0, 1)


def test_one_eye_of_a_class_has_an_auroc_and_no_variance():
    found = delong([1, 0, 0], [0.5, 0.2, 0.7])
    assert found.value == pytest.approx([0.5])
    assert np.isnan(found.covariance).all()
    assert np.isnan(delong([1, 1], [0.5, 0.2]).value).all()
    assert math.isnan(difference_test(*delong([1, 0, 0], [[0.5, 0.2, 0.7]] * 2).difference(0, 1)))


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(DataError, match="not finite"):
        delong([0, 1], [0.1, math.nan])


def test_the_logit_interval_is_symmetric_in_logits_and_within_bounds():
    low, high = logit_interval(0.95, 0.03**2)
    assert (logit(low) + logit(high)) / 2 == pytest.approx(logit(0.95))
    assert 0 < low < 0.95 < high < 1
    assert all(math.isnan(bound) for bound in logit_interval(1.0, 0.0))


def test_the_bound_of_a_perfect_auroc_uses_each_patient_once():
    # 8 against 4 eyes are four independent pairs: x^4 = .05.
    assert perfect_bound([1] * 8 + [0] * 4, [str(i) for i in range(12)]) == pytest.approx(0.05**0.25)
    assert perfect_bound([1, 1, 0, 0], ["a", "a", "b", "b"]) == pytest.approx(0.05)
    assert perfect_bound([1, 0, 1, 0], ["a", "a", "b", "b"]) == pytest.approx(0.05)
    assert math.isnan(perfect_bound([1, 0], ["a", "a"]))

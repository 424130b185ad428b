"""Shares of eyes: which eyes a metric counts, and what the eyes of one patient are worth."""

import math

import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import DataError
from octa_kedro.evaluation.proportions import (
    CLUSTERED,
    WILSON,
    effective_number,
    proportion_interval,
    proportions,
    wilson_interval,
)
from octa_kedro.evaluation.scores import all_metrics, judge_binary, judge_multiclass

ALONE = pd.Series(np.arange(40).astype(str))
PAIRS = pd.Series((np.arange(40) // 2).astype(str))


def hits(number: int) -> np.ndarray:
    """The first `number` of 40 eyes."""
    return np.arange(40) < number


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_agrees_with_the_textbook(successes: int, n: int, low: float, high: float):
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("successes", "n"), [(3, 2), (-1, 2)])
def test_wilson_interval_refuses_what_is_no_proportion(successes: int, n: int):
    with pytest.raises(DataError, match="not a proportion"):
        wilson_interval(successes, n)


def test_the_interval_of_nothing_is_nan():
    assert all(math.isnan(bound) for bound in wilson_interval(0, 0))
    assert math.isnan(proportion_interval(hits(0)[:0], ALONE[:0])[0])


@pytest.mark.parametrize("number", [0, 1, 17, 40])
def test_eyes_of_as_many_patients_have_wilsons_own_interval(number: int):
    assert proportion_interval(hits(number), ALONE) == pytest.approx((*wilson_interval(number, 40), WILSON))


@pytest.mark.parametrize("number", [0, 2, 18, 40])
def test_eyes_that_are_always_alike_count_once_a_patient(number: int):
    found = proportion_interval(hits(number), PAIRS)
    assert found[:2] == pytest.approx(wilson_interval(number / 2, 20))
    assert found[2] == CLUSTERED


def test_eyes_of_a_patient_that_have_nothing_to_do_with_each_other_count_each():
    right = np.random.default_rng(0).random(4000) < 0.7
    patients = pd.Series((np.arange(4000) // 2).astype(str))
    assert effective_number(right, patients) == pytest.approx(4000, rel=0.05)
    assert effective_number(np.arange(40) % 2 == 0, PAIRS) == 40  # each patient one right, one wrong: not above N


def test_the_design_effect_by_hand():
    # Patients with 2 of 2, 2 of 2, 0 of 2, 0 of 1, 1 of 2 right: share 5/9, right less share times eyes in ninths.
    right, patients = np.array([1, 1, 1, 1, 0, 0, 0, 1, 0], dtype=bool), pd.Series([*"aabbccdee"])
    between = 5 / 4 * (8**2 + 8**2 + 10**2 + 5**2 + 1) / 9**2 / 9**2
    independent = (5 / 9) * (4 / 9) / 8
    assert effective_number(right, patients) == pytest.approx(9 * independent / between)
    assert effective_number(np.array([True, False]), pd.Series(["a", "a"])) == 1


def test_each_share_counts_its_own_eyes():
    rng = np.random.default_rng(1)
    target, shares = rng.integers(0, 3, 60), rng.dirichlet([1, 1, 1], 60)
    for judged in (judge_binary(target > 0, shares[:, 1], 0.4), judge_multiclass(target, shares, ["a", "b", "c"])):
        values = all_metrics(judged)
        found = proportions(judged)
        assert len(found) == (5 if len(judged.names) == 2 else 13)
        for name, (counted, right) in found.items():
            assert right.sum() / counted.sum() == pytest.approx(values[name].value), name

"""Intervals of shares of eyes: Wilson's, with as many trials as the eyes of several patients are worth."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from octa_kedro.errors import DataError
from octa_kedro.evaluation.scores import Judged

BoolArray = npt.NDArray[np.bool_]
WILSON = "Wilson"
CLUSTERED = "Wilson, corrected for eyes of one patient"


def proportions(judged: Judged) -> dict[str, tuple[BoolArray, BoolArray]]:
    """Every metric that is a share of eyes, by its name: which eyes (N,) are counted, and which of these are right."""
    everybody = np.ones(len(judged.target), dtype=bool)
    found = {"accuracy": (everybody, judged.called == judged.target)}
    several = len(judged.names) > 2
    for k in range(len(judged.names)) if several else [1]:
        mark = f"_{judged.names[k]}" if several else ""
        own, said = judged.target == k, judged.called == k
        sides = {"sensitivity": own, "specificity": ~own, "precision": said, "npv": ~said}
        found |= {f"{side}{mark}": (counted, counted & (own == said)) for side, counted in sides.items()}
    return found


def proportion_interval(hits: BoolArray, patients: pd.Series, level: float = 0.95) -> tuple[float, float, str]:
    """Low and high of the share of eyes that are `hits` (N,), eyes of `patients` (N,), and the name of the method.

    Wilson's score interval for as many trials as `effective_number`; with one eye per patient that is Wilson's own.
    (NaN, NaN, "") of no eye.
    """
    if not len(hits):
        return math.nan, math.nan, ""
    n = effective_number(hits, patients)
    how = CLUSTERED if patients.duplicated().any() else WILSON
    return *wilson_interval(float(hits.mean()) * n, n, level), how


def effective_number(hits: BoolArray, patients: pd.Series) -> float:
    """How many independent eyes the N eyes of M patients are worth in the estimate of the share of `hits`.

    N divided by the design effect: the ratio estimator's variance of the share between patients, over that of N
    independent eyes (Rao and Scott 1992, doi 10.2307/2532311; in Wilson's interval: Saha, Miller and Wang 2016, doi
    10.1515/ijb-2015-0024). Both variances are the unbiased ones, so that it is N where every patient has one eye.
    Few patients hardly show their variance, so it is held between that of independent eyes and that of eyes of a
    patient that are always alike, where it is N^2 / sum of n^2, with n eyes of a patient. The latter is taken where
    all eyes, or none, are hits, which tells nothing of how alike they are.
    """
    owner = pd.factorize(patients)[0]
    eyes, right = np.bincount(owner), np.bincount(owner, weights=hits)
    n, m, share = len(hits), len(eyes), hits.mean()
    alike = n**2 / float((eyes**2).sum())
    if m < 2 or share in {0, 1}:
        return alike
    between = m / (m - 1) * float(((right - share * eyes) ** 2).sum()) / n**2
    independent = share * (1 - share) / (n - 1)
    return float(np.clip(n * independent / between, alike, n)) if between > 0 else float(n)


def wilson_interval(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion, (NaN, NaN) for n = 0.

    Supposes n independent trials. Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    if not 0 <= successes <= n:
        raise DataError(f"{successes:g} successes out of {n:g} is not a proportion")
    if n == 0:
        return math.nan, math.nan
    low, high = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    return float(low), float(high)

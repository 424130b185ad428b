"""The variance of an AUROC without resampling, for eyes of which several may be one patient's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm, rankdata

from octa_kedro.errors import DataError
from octa_kedro.evaluation.metrics import FloatArray

TOO_FEW = "fewer than two patients of a class, so that no variance of the AUROC can be estimated"


@dataclass(frozen=True)
class Aurocs:
    """AUROCs `value` (M,) of M models on the same eyes, and their covariance (M, M), NaN where it is unknown."""

    value: FloatArray
    covariance: FloatArray

    def difference(self, first: int, second: int) -> tuple[float, float]:
        """AUROC of one model less that of another, and the standard error of that."""
        c = self.covariance
        variance = c[first, first] + c[second, second] - 2 * c[first, second]
        # Equal scores give a variance that is 0 up to the last digits.
        return float(self.value[first] - self.value[second]), math.sqrt(variance) if variance > 1e-16 else variance * 0


def delong(target: npt.ArrayLike, scores: npt.ArrayLike, patients: Sequence[str] | pd.Series | None = None) -> Aurocs:
    """AUROCs of M models by scores (M, N) on eyes of class `target` (N,), 0 or 1, and their covariance.

    DeLong et al. 1988 (doi 10.2307/2531595) by midranks (Sun and Xu 2014, doi 10.1109/LSP.2014.2337313), summed within
    patients where they have several eyes (Obuchowski 1997, doi 10.2307/2533958); without `patients` every eye is a
    patient of its own. DataError for arrays that do not fit and scores that are not finite; the AUROC is NaN where a
    class has no eye, the covariance where it has fewer than two patients.
    """
    positive = np.asarray(target, dtype=np.int64) == 1
    table = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if table.shape[1:] != positive.shape or not np.isfinite(table).all():
        raise DataError(f"scores {table.shape} are not finite, or not of the {positive.size} eyes of the targets")
    m, n = int(positive.sum()), int((~positive).sum())
    unknown = np.full((len(table), len(table)), np.nan)
    if m == 0 or n == 0:
        return Aurocs(np.full(len(table), np.nan), unknown)
    ranks = rankdata(table, axis=1)
    # The share of the other class that each eye is placed right against.
    of_positive = (ranks[:, positive] - rankdata(table[:, positive], axis=1)) / n
    of_negative = 1 - (ranks[:, ~positive] - rankdata(table[:, ~positive], axis=1)) / m
    auroc = of_positive.mean(axis=1)
    owners = np.arange(len(positive)) if patients is None else pd.factorize(np.asarray(patients, dtype=str))[0]
    groups = int(owners.max()) + 1
    groups_positive, groups_negative = (len(set(owners[side].tolist())) for side in (positive, ~positive))
    if min(groups_positive, groups_negative) < 2:
        return Aurocs(auroc, unknown)
    a = _sums((of_positive - auroc[:, None]) / m, owners[positive], groups)
    b = _sums((of_negative - auroc[:, None]) / n, owners[~positive], groups)
    crossed = a @ b.T
    covariance = (
        groups_positive / (groups_positive - 1) * (a @ a.T)
        + groups_negative / (groups_negative - 1) * (b @ b.T)
        + groups / (groups - 1) * (crossed + crossed.T)
    )
    return Aurocs(auroc, covariance)


def logit_interval(auroc: float, variance: float, level: float = 0.95) -> tuple[float, float]:
    """The interval of an AUROC whose logit is taken for normal, so that it stays within 0 and 1; NaN where the AUROC is
    0 or 1 or the variance unknown. Pepe 2003, The Statistical Evaluation of Medical Tests, section 5.2.
    """
    if not 0 < auroc < 1 or not variance >= 0:
        return math.nan, math.nan
    half = norm.ppf((1 + level) / 2) * math.sqrt(variance) / (auroc * (1 - auroc))
    low, high = expit(logit(auroc) + np.array([-half, half]))
    return float(low), float(high)


def perfect_bound(target: npt.ArrayLike, patients: Sequence[str] | pd.Series, level: float = 0.95) -> float:
    """The one-sided lower bound of an AUROC that was 1.00.

    As many pairs as possible of one positive and one negative eye are formed without using a patient twice. They are
    independent, each is in the right order with a probability of the AUROC, and all were: by Clopper and Pearson
    (1934, doi 10.1093/biomet/26.4.404) the bound is (1 - level)^(1 / pairs), whatever the scores' distribution. It is
    cautious, since the other pairs are not used.
    """
    positive = np.asarray(target, dtype=np.int64) == 1
    owners = np.asarray(patients, dtype=str)
    of_positive, of_negative = set(owners[positive].tolist()), set(owners[~positive].tolist())
    pairs = min(len(of_positive), len(of_negative), len(of_positive | of_negative) // 2)
    return (1 - level) ** (1 / pairs) if pairs else math.nan


def difference_test(difference: float, error: float) -> float:
    """The two-sided p of a difference of AUROCs; 1 for two models that order every pair alike."""
    if math.isnan(error):
        return math.nan
    if error == 0:
        return 1.0 if difference == 0 else math.nan
    return float(2 * norm.sf(abs(difference) / error))


def _sums(values: FloatArray, owners: npt.NDArray[np.int64], groups: int) -> FloatArray:
    """Values (M, n) of eyes summed over each patient's, (M, groups)."""
    return np.stack([np.bincount(owners, weights=row, minlength=groups) for row in values])

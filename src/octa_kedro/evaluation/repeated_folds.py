"""Models compared by their scores on each fold, which are not independent: the folds' training eyes overlap."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from octa_kedro.evaluation.metrics import FloatArray, Ranking
from octa_kedro.evaluation.scores import judge_rows


def fold_aurocs(rows: pd.DataFrame, folds: Sequence[Any]) -> FloatArray:
    """The AUROC (macro with more than two classes) of each fold's rows, (folds,); NaN where a class is missing."""
    found = []
    for fold in folds:
        judged = judge_rows(rows[rows["fold"] == fold], 0.5)
        classes = [1] if len(judged.names) == 2 else range(len(judged.names))
        alone = np.ones((1, len(judged.target)))
        found.append(np.mean([Ranking(judged.target == k, judged.shares[:, k]).auroc(alone)[0] for k in classes]))
    return np.array(found)


def corrected_test(differences: FloatArray, ratio: float, level: float = 0.95) -> tuple[float, float, float, float]:
    """Mean, low, high and two-sided p of differences (K,) over K folds of all repeats.

    `ratio` is the number of validation eyes by that of training eyes. The variance of the mean is taken as
    (1 / K + ratio) of the folds' (Nadeau and Bengio 2003, doi 10.1023/A:1024068626366; over repeats Bouckaert and Frank
    2004, doi 10.1007/978-3-540-24775-3_3), with K - 1 degrees of freedom. All are NaN if a difference is; the p is NaN
    where all folds differ by the same.
    """
    k = len(differences)
    mean = float(np.mean(differences))
    if k < 2 or math.isnan(mean):
        return (math.nan,) * 4
    error = math.sqrt((1 / k + ratio) * float(np.var(differences, ddof=1)))
    half = float(t.ppf((1 + level) / 2, k - 1)) * error
    p = float(2 * t.sf(abs(mean) / error, k - 1)) if error > 0 else math.nan
    return mean, mean - half, mean + half, p

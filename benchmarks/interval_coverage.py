"""How often the intervals hold the truth.

    OMP_NUM_THREADS=1 python benchmarks/interval_coverage.py [--cohorts 2000] [--resamples 1000]

Cohorts of 20, 40, 100 and 200 eyes, half of them positive, whose scores are normal in both classes (binormal), at a
true AUROC of .7, .8 and .9. For each, the share of 95 % intervals that hold the truth: the percentile bootstrap, BCa
and DeLong with a logit for the AUROC; for the sensitivity, at the threshold where it equals the specificity, bootstrap,
Wilson and Wilson for as many trials as the eyes are worth (`proportion_interval`, what the tables have); for the
balanced accuracy at that threshold bootstrap and what is made of the latter. Then the same with two eyes of each
patient, whose scores correlate by `--correlation`.
"""

import argparse
import math
import sys

import numpy as np
import pandas as pd
from scipy.stats import norm

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.delong import delong, logit_interval, perfect_bound
from octa_kedro.evaluation.estimates import balanced_estimate
from octa_kedro.evaluation.intervals import percentiles, resample_weights
from octa_kedro.evaluation.metrics import FloatArray, IntArray, Ranking
from octa_kedro.evaluation.proportions import proportion_interval, wilson_interval
from octa_kedro.evaluation.scores import Judged

SIZES, AUROCS, LEVEL = (20, 40, 100, 200), (0.7, 0.8, 0.9), 0.95
Interval = tuple[float, float]


def cohort(
    n: int, auroc: float, rng: np.random.Generator, correlation: float | None
) -> tuple[IntArray, FloatArray, pd.Series]:
    """Classes, scores and patients of n eyes: half positive, one eye a patient, or two whose scores correlate."""
    patient = np.arange(n) if correlation is None else np.arange(n) // 2
    shared = correlation or 0.0
    target = (patient % 2).astype(np.int64)
    own, common = rng.normal(size=n), rng.normal(size=n)[patient]
    noise = math.sqrt(shared) * common + math.sqrt(1 - shared) * own
    return target, noise + math.sqrt(2) * norm.ppf(auroc) * target, pd.Series(patient.astype(str))


def bca(values: FloatArray, estimate: float, jackknife: FloatArray) -> Interval:
    """Efron 1987, doi 10.1080/01621459.1987.10478410."""
    below = np.mean(values < estimate) + np.mean(values == estimate) / 2
    if not 0 < below < 1:
        return float(values.min()), float(values.max())
    bias, apart = norm.ppf(below), jackknife.mean() - jackknife
    pull = (apart**3).sum() / max(6 * (apart**2).sum() ** 1.5, 1e-300)
    z = bias + norm.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = np.quantile(values, norm.cdf(bias + z / (1 - pull * z)))
    return float(low), float(high)


def intervals(
    target: IntArray, scores: FloatArray, patients: pd.Series, *, cut: float, resamples: int, seed: int
) -> dict[str, Interval]:
    """The intervals of one cohort by their names."""
    weights = resample_weights(patients, target, resamples, seed)
    ranking, called = Ranking(target == 1, scores), scores >= cut
    values = ranking.auroc(weights)
    found = delong(target, scores, patients)
    auroc, variance = float(found.value[0]), float(found.covariance[0, 0])
    owners = pd.factorize(patients)[0]
    left_out = (owners != np.arange(owners.max() + 1)[:, None]).astype(float)
    by_delong = logit_interval(auroc, variance, LEVEL)
    positive, right = target == 1, called == (target == 1)
    shares = [weights[:, side] @ right[side] / weights[:, side].sum(axis=1) for side in (positive, ~positive)]
    table = pd.DataFrame({"subject": patients, "target": target})
    judged = Judged(target, np.stack([1 - called, called], axis=1).astype(float), called.astype(int), ("no", "yes"))
    balanced = balanced_estimate(table, judged, EvaluationConfig())
    return {
        "AUROC, bootstrap": percentiles(values, LEVEL)[:2],
        "AUROC, BCa": bca(values, auroc, ranking.auroc(left_out)),
        "AUROC, DeLong": by_delong if auroc < 1 else (perfect_bound(target, patients, LEVEL), 1.0),
        "sensitivity, bootstrap": percentiles(shares[0], LEVEL)[:2],
        "sensitivity, Wilson, all eyes independent": wilson_interval(int(right[positive].sum()), int(target.sum())),
        "sensitivity, Wilson": proportion_interval(right[positive], patients[positive], LEVEL)[:2],
        "balanced accuracy, bootstrap": percentiles((shares[0] + shares[1]) / 2, LEVEL)[:2],
        "balanced accuracy, Wilson": (balanced.low, balanced.high),
    }


def measure(n: int, auroc: float, cohorts: int, resamples: int, correlation: float | None) -> pd.DataFrame:
    """Coverage and mean width of each kind of interval."""
    rng, rows = np.random.default_rng(n), []
    cut = math.sqrt(2) * norm.ppf(auroc) / 2
    truth = {"AUROC": auroc, "sensitivity": float(norm.cdf(cut)), "balanced accuracy": float(norm.cdf(cut))}
    for seed in range(cohorts):
        found = intervals(*cohort(n, auroc, rng, correlation), cut=cut, resamples=resamples, seed=seed)
        rows += [
            {"interval": name, "holds": low <= truth[name.split(",")[0]] <= high, "width": high - low}
            for name, (low, high) in found.items()
        ]
    mean = pd.DataFrame(rows).groupby("interval", sort=False).mean().reset_index()
    return mean.assign(n=n, auroc=auroc)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohorts", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--correlation", type=float, default=0.7, help="of the scores of two eyes of a patient")
    asked = parser.parse_args()
    for correlation in (None, asked.correlation):
        cells = [(n, auroc) for n in SIZES for auroc in AUROCS]
        table = pd.concat([measure(*cell, asked.cohorts, asked.resamples, correlation) for cell in cells])
        print("one eye of each patient" if correlation is None else f"two eyes of each patient, r {correlation:g}")
        for value in ("holds", "width"):
            print(
                f"\n{value}\n{table.pivot(index='interval', columns=['n', 'auroc'], values=value).round(3).to_string()}"
            )
        sys.stdout.flush()


if __name__ == "__main__":
    main()

"""How long an evaluation takes.

    OMP_NUM_THREADS=1 python benchmarks/evaluation.py [--models 10] [--eyes 500] [--resamples 2000] [--classes 2]

Seconds of one core for the metrics of all models in all resamples, for the table with intervals, for the comparison of
all pairs and for the table of calibration; each `REPEATS` times, the quickest.
"""

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is loaded

import numpy as np
import pandas as pd
from scipy.special import softmax

from octa_kedro.evaluation.calibration import calibration_table
from octa_kedro.evaluation.comparisons import compare_models
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.intervals import bootstrap_intervals
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.tables import metric_table

REPEATS, FOLDS = 3, 5


def predictions(models: int, eyes: int, classes: int) -> pd.DataFrame:
    """Out-of-fold predictions of models of growing skill."""
    rng, tables = np.random.default_rng(0), []
    target = rng.integers(0, classes, eyes)
    for model in range(models):
        scores = rng.normal(size=(eyes, classes)) + (0.5 + 0.1 * model) * np.eye(classes)[target]
        shares = softmax(scores, axis=1)
        table = pd.DataFrame({"model": f"model_{model}", "subject": np.arange(eyes).astype(str), "part": "out_of_fold"})
        table = table.assign(fold=rng.permutation(eyes) % FOLDS + 1, target=target, probability=1 - shares[:, 0])
        each = {f"probability_{k}": shares[:, k] for k in range(classes)} if classes > 2 else {}
        tables.append(table.assign(**each))
    return pd.concat(tables, ignore_index=True)


def quickest(work: Callable[[], object]) -> float:
    """Seconds of the processor."""
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("models", 10), ("eyes", 500), ("resamples", 2000), ("classes", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    rows = predictions(asked.models, asked.eyes, asked.classes)
    pooled = pool_predictions(rows)
    config = EvaluationConfig(resamples=asked.resamples)

    def all_resamples() -> None:
        for _, table in pooled.groupby("model"):
            bootstrap_intervals(table, config.threshold, resamples=config.resamples, seed=config.seed)

    work: dict[str, Callable[[], object]] = {
        "all metrics of all resamples": all_resamples,
        "table of metrics": lambda: metric_table(pooled, config),
        "comparison of all pairs": lambda: compare_models(pooled, rows, config),
        "table of calibration": lambda: calibration_table(pooled, config),
    }
    for name, one in work.items():
        print(f"{name:30} {quickest(one):6.2f} s")


if __name__ == "__main__":
    main()

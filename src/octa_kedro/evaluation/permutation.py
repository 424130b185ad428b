"""What AUROC chance gives: the same predictions, judged by labels that are permuted between patients."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from octa_kedro.evaluation.predictions import class_columns, patients_behind

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
ROUNDING = 1e-9
COLUMNS = ("model", "part", "eyes", "patients", "auroc", "null_mean", "null_lower", "null_upper", "p_value", "reason")


def label_permutation(
    pooled: pd.DataFrame, *, permutations: int = 1000, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Return one row per model and part of a pooled predictions table (`predictions.pool_predictions`).

    `auroc` is the observed one (more than two classes: the mean of each class against the rest), `null_lower` and
    `null_upper` hold the middle `level` of those with permuted labels, and `p_value` is the share of labellings,
    the true one included, that reach the observed one (Phipson and Smyth 2010, doi 10.2202/1544-6115.1585). The test
    asks whether predictions and labels are related at all, by whatever: it finds a confounder as well as a disease.
    A part in which a class has no eye is NaN with a reason.
    """
    rows = []
    for (model, part), table in pooled.groupby(["model", "part"], sort=False):
        target, patients = table["target"].to_numpy(dtype=np.int64), patients_behind(table).to_numpy()
        named = class_columns(table)
        scores = table[named or ["probability"]].to_numpy(dtype=float)
        counts = {"model": model, "part": part, "eyes": len(table), "patients": len(set(patients))}
        rows.append(counts | _judge(target, scores, patients, permutations=permutations, level=level, seed=seed))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _judge(
    target: IntArray, scores: FloatArray, patients: npt.NDArray, *, permutations: int, level: float, seed: int
) -> dict[str, float | str]:
    classes = range(1, 2) if scores.shape[1] == 1 else range(scores.shape[1])
    counts = [int((target == index).sum()) for index in classes]
    if any(count in {0, len(target)} for count in counts):
        names = ("auroc", "null_mean", "null_lower", "null_upper", "p_value")
        return dict.fromkeys(names, float("nan")) | {"reason": "a class has no eyes"}
    ranks = rankdata(scores, axis=0)
    observed = float(_auroc(target[None], ranks, classes)[0])
    null = _auroc(permuted_labels(target, patients, permutations, seed), ranks, classes)
    tail = 50 * (1 - level)
    lower, upper = np.percentile(null, [tail, 100 - tail])
    reached = int((null >= observed - ROUNDING).sum())
    return {
        "auroc": observed,
        "null_mean": float(null.mean()),
        "null_lower": float(lower),
        "null_upper": float(upper),
        "p_value": (1 + reached) / (1 + permutations),
        "reason": "",
    }


def permuted_labels(target: IntArray, patients: npt.NDArray, permutations: int, seed: int) -> IntArray:
    """Return labels (permutations, N) that have been exchanged between patients with the same number of eyes.

    All eyes of a patient keep each other's company, as they do where labels are true: eyes of one person are alike.
    """
    rng = np.random.default_rng(seed)
    _, owner = np.unique(patients, return_inverse=True)
    eyes = np.argsort(owner, kind="stable")
    sizes = np.bincount(owner)
    first = np.cumsum(sizes) - sizes
    labels = np.tile(target, (permutations, 1))
    for size in np.unique(sizes):
        index = eyes[first[sizes == size][:, None] + np.arange(size)]
        order = rng.permuted(np.tile(np.arange(len(index)), (permutations, 1)), axis=1)
        labels[:, index.ravel()] = target[index[order]].reshape(permutations, -1)
    return labels


def _auroc(labels: IntArray, ranks: FloatArray, classes: range) -> FloatArray:
    """AUROC (R,) of labels (R, N) from the ranks (N, K) of scores, by the sum of ranks (Mann and Whitney 1947)."""
    each = []
    for place, index in enumerate(classes):
        positive = labels == index
        count = positive.sum(axis=1)
        above = positive @ ranks[:, place] - count * (count + 1) / 2
        each.append(above / (count * (labels.shape[1] - count)))
    return np.asarray(np.mean(each, axis=0), dtype=np.float64)

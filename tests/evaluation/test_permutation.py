"""What AUROC chance gives, by permuted labels."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from octa_kedro.evaluation.permutation import label_permutation, permuted_labels


def pooled(target: np.ndarray, probability: np.ndarray, **more: object) -> pd.DataFrame:
    rows = {"model": "m", "subject": [f"s{i}" for i in range(len(target))], "part": "out_of_fold", **more}
    return pd.DataFrame(rows | {"target": target, "probability": probability})


def test_a_model_that_knows_is_told_from_one_that_guesses():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 80)
    good, guess = pooled(target, 0.4 * target + 0.6 * rng.random(80)), pooled(target, np.ones(80), model="g")
    table = label_permutation(pd.concat([good, guess]), permutations=500).set_index("model")
    assert table.loc["m", "p_value"] == pytest.approx(1 / 501)
    assert table["null_mean"].to_numpy() == pytest.approx(0.5, abs=0.02)
    assert table.loc["m", "auroc"] == pytest.approx(roc_auc_score(target, good["probability"]))
    assert table.loc["g", ["auroc", "p_value"]].tolist() == [0.5, 1.0]
    assert table.loc["m", "null_lower"] < 0.42
    assert table.loc["m", "null_upper"] > 0.58


def test_the_p_value_is_near_that_of_all_labellings():
    target, score = np.array([0, 0, 0, 1, 0, 1, 1]), np.array([0.1, 0.2, 0.2, 0.5, 0.6, 0.7, 0.7])
    observed = roc_auc_score(target, score)
    every = [np.isin(np.arange(7), chosen).astype(int) for chosen in combinations(range(7), 3)]
    exact = np.mean([roc_auc_score(labels, score) >= observed - 1e-12 for labels in every])
    table = label_permutation(pooled(target, score), permutations=20_000)
    assert table.loc[0, "p_value"] == pytest.approx(exact, abs=0.006)


def test_p_values_of_guesses_are_spread_evenly():
    rng = np.random.default_rng(1)
    target = np.arange(40) % 2
    tables = [pooled(target, rng.random(40), model=str(i)) for i in range(300)]
    p = label_permutation(pd.concat(tables), permutations=200)["p_value"]
    assert 0.02 < (p <= 0.05).mean() < 0.09
    assert p.mean() == pytest.approx(0.5, abs=0.06)


def test_two_eyes_of_a_patient_stay_together_and_no_label_is_lost():
    patients = np.array(["a", "b", "a", "c", "b", "d", "e"])
    target = np.array([1, 0, 1, 0, 0, 1, 1])
    labels = permuted_labels(target, patients, 200, 0)
    assert (labels.sum(axis=1) == target.sum()).all()
    assert (labels[:, 0] == labels[:, 2]).all()
    assert (labels[:, 1] == labels[:, 4]).all()
    assert 0.3 < labels[:, 0].mean() < 0.7
    assert 0.5 < labels[:, 3].mean() < 0.85  # of c, d and e two have 1


def test_several_classes_are_judged_each_against_the_rest():
    rng = np.random.default_rng(0)
    target = np.arange(90) % 3
    shares = rng.dirichlet([1, 1, 1], 90)
    names = {f"probability_{name}": shares[:, i] for i, name in enumerate("ABC")}
    table = label_permutation(pooled(target, 1 - shares[:, 0], **names), permutations=200)
    expected = np.mean([roc_auc_score(target == i, shares[:, i]) for i in range(3)])
    assert table.loc[0, "auroc"] == pytest.approx(expected)
    assert table.loc[0, "null_mean"] == pytest.approx(0.5, abs=0.02)


def test_one_class_has_no_auroc_and_says_why():
    table = label_permutation(pooled(np.ones(5, int), np.linspace(0, 1, 5)))
    assert table.loc[0, "reason"] == "a class has no eyes"
    assert table[["auroc", "p_value"]].isna().all(axis=None)

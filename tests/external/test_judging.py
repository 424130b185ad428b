"""What is frozen stays as the evaluation of the development cohort has left it."""

import math

import numpy as np
import pandas as pd
import pytest

from octa_kedro.errors import DataError
from octa_kedro.evaluation.calibration import calibration_table
from octa_kedro.evaluation.comparisons import compare_models
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.floor import linear_floor
from octa_kedro.evaluation.predictions import EXTERNAL
from octa_kedro.evaluation.tables import metric_table
from octa_kedro.external.config import ExternalConfig
from octa_kedro.external.judging import MARK, _both_splits, pool_second

CONFIG = EvaluationConfig(resamples=100, threshold_rule="youden")


def network(model: str, fold: int, shares: list[float]) -> pd.DataFrame:
    n = len(shares)
    return pd.DataFrame(
        {"model": model, "subject": [f"s{k}" for k in range(n)], "part": EXTERNAL, "fold": fold, "seed": 1,
         "target": [k % 2 for k in range(n)], "probability": shares}
    )  # fmt: skip


def frozen(*models: str, threshold: float = 0.3, temperature: float = 2.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    metrics = pd.DataFrame({"model": [*models], "threshold": threshold, "rule": "youden"})
    return metrics, pd.DataFrame({"model": [*models], "temperature": temperature})


SHARES = [0.1, 0.35, 0.2, 0.9, 0.4, 0.6]


def pooled(**how: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    tables = [network("net", 1, SHARES), network("net", 2, SHARES)]
    return pool_second(tables, network("floor_x", 1, SHARES[::-1]), *frozen("net", "floor_x", **how), {"net": 1})


def test_thresholds_are_those_of_the_development_cohort():
    table, by_network = pooled(threshold=0.3)
    metrics = metric_table(table, CONFIG).set_index(["model", "metric"])
    assert set(metrics["threshold"]) == {0.3}
    assert set(metrics["rule"]) == {"youden"}
    assert metrics.loc[("net", "sensitivity"), "value"] == 1.0
    assert metrics.loc[("net", "specificity"), "value"] == pytest.approx(2 / 3)
    strict = metric_table(pooled(threshold=0.95)[0], CONFIG).set_index(["model", "metric"])
    assert strict.loc[("net", "sensitivity"), "value"] == 0.0
    assert len(by_network) == 18


def test_temperatures_are_those_of_the_development_cohort():
    table = calibration_table(pooled(temperature=2.0)[0], CONFIG)
    assert set(table["temperature"]) == {2.0}
    brier = table[(table["model"] == "net") & (table["metric"] == "brier")].iloc[0]
    odds = np.log(np.array(SHARES) / (1 - np.array(SHARES))) / 2
    after = 1 / (1 + np.exp(-odds))
    assert brier["after"] == pytest.approx(np.mean((after - np.arange(6) % 2) ** 2))
    unknown = calibration_table(pooled(temperature=math.nan)[0], CONFIG)
    assert unknown["after"].isna().all()
    assert unknown["reason"].str.contains("has fitted no temperature").all()


def test_pairs_are_compared_without_folds():
    table = compare_models(*pooled(), CONFIG)
    assert set(table["part"]) == {EXTERNAL}
    assert "auroc_by_fold" not in set(table["metric"])


def test_a_model_that_was_never_evaluated_is_refused():
    with pytest.raises(DataError, match=r"evaluation\.metrics has no threshold of net"):
        pool_second([network("net", 1, SHARES)], network("floor_x", 1, SHARES), *frozen("floor_x"), {"net": 1})


def test_a_second_cohort_moves_no_floor():
    rng = np.random.default_rng(3)
    first = pd.DataFrame(
        {"subject": [f"s{k}" for k in range(12)], "target": [0, 1] * 6, "label": ["A", "B"] * 6,
         "held_out": [False] * 8 + [True] * 4, "fold": [1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 0]}
    )  # fmt: skip
    second = first.iloc[8:].assign(held_out=True, fold=0)
    features = {name: rng.normal(size=3) for name in first["subject"]}
    alone = linear_floor(features, first, "floor_x")
    both = linear_floor(
        features | {f"{n}{MARK}": features[n] for n in second["subject"]}, _both_splits(first, second), "floor_x"
    )
    held_out = alone[alone["part"] == "held_out"]["probability"].to_numpy()
    np.testing.assert_allclose(both[both["part"] == "held_out"]["probability"].to_numpy(), held_out)


def test_names_of_folders_are_checked():
    with pytest.raises(ValueError, match="name"):
        ExternalConfig(name="../x")
    assert ExternalConfig.model_validate({"exclude": ["a"]}).exclude == {"a": "on the exclusion list"}

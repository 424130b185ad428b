"""What single trainings reach, and the variance components of their spread."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM

from octa_kedro.errors import DataError
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.predictions import pool_predictions
from octa_kedro.evaluation.variation import (
    BOTH,
    COMPONENTS,
    DIVISION,
    EYES,
    MIXED,
    NO_WIDTH,
    ONE_DIVISION,
    ONE_SEED,
    SEED,
    TRAINING,
    UNDEFINED,
    format_variation,
    nested_components,
    variation_table,
)

CONFIG = EvaluationConfig(resamples=300)


def variances(values: list[list[float]] | np.ndarray) -> dict[str, float]:
    return {name: one.variance for name, one in nested_components(values).items()}


def test_components_of_a_table_that_was_computed_by_hand():
    # within each division .005; the means .85, .65, .75 have the variance .01, of which seeds do .005 / 2
    found = variances([[0.8, 0.9], [0.6, 0.7], [0.7, 0.8]])
    assert found == pytest.approx({SEED: 0.005, DIVISION: 0.0075, BOTH: 0.0125})


def drawn(rng: np.random.Generator, divisions: int, seeds: int, division_sd: float, seed_sd: float) -> np.ndarray:
    """Trainings whose components are known."""
    return 0.8 + rng.normal(0, division_sd, (divisions, 1)) + rng.normal(0, seed_sd, (divisions, seeds))


@pytest.mark.parametrize(("division_sd", "seed_sd"), [(0.06, 0.03), (0.05, 0.05)])
def test_simulated_components_are_found_without_bias(division_sd: float, seed_sd: float):
    rng = np.random.default_rng(0)
    found = pd.DataFrame([variances(drawn(rng, 12, 4, division_sd, seed_sd)) for _ in range(1500)]).mean()
    assert found[DIVISION] == pytest.approx(division_sd**2, rel=0.05)
    assert found[SEED] == pytest.approx(seed_sd**2, rel=0.05)
    assert found[BOTH] == pytest.approx(division_sd**2 + seed_sd**2, rel=0.05)


def test_components_are_those_of_restricted_likelihood():
    values = drawn(np.random.default_rng(3), 8, 4, 0.6, 0.3)
    groups = np.repeat(np.arange(8), 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = MixedLM(values.ravel(), np.ones((32, 1)), groups).fit(reml=True)
    found = variances(values)
    assert found[SEED] == pytest.approx(float(fitted.scale), rel=1e-3)
    assert found[DIVISION] == pytest.approx(float(np.squeeze(fitted.cov_re)), rel=1e-3)


def test_a_negative_estimate_is_zero_and_says_so():
    found = nested_components([[0.6, 0.9], [0.9, 0.6]])
    assert found[DIVISION].variance == 0
    assert "the estimate of the variance is -0.023" in found[DIVISION].reason
    assert found[BOTH].variance == found[SEED].variance == pytest.approx(0.045)


@pytest.mark.parametrize(
    ("values", "known", "reasons"),
    [
        ([[0.7], [0.9]], {BOTH: 0.02}, {SEED: ONE_SEED, DIVISION: MIXED}),
        ([[0.7, 0.9]], {SEED: 0.02}, {DIVISION: ONE_DIVISION, BOTH: ONE_DIVISION}),
        ([[0.7]], {}, {SEED: ONE_SEED, DIVISION: ONE_DIVISION}),
        ([[0.7, math.nan], [0.9, 0.8]], {}, {SEED: UNDEFINED, DIVISION: UNDEFINED, BOTH: UNDEFINED}),
    ],
)
def test_what_cannot_be_estimated_is_nan_with_its_reason(values: list, known: dict, reasons: dict):
    found = nested_components(values)
    assert {name: one.variance for name, one in found.items() if not math.isnan(one.variance)} == pytest.approx(known)
    assert {name: found[name].reason for name in reasons} == reasons
    assert all(one.reason for one in found.values() if math.isnan(one.variance))


def networks(eyes: int, folds: int, seeds: int, *, model: str = "net", repeats: int = 1, seed: int = 0) -> pd.DataFrame:
    """Predictions of every network: each held-out eye by all, each development eye by its fold of each repeat."""
    rng = np.random.default_rng(seed)
    target = np.arange(eyes) % 2
    tables = []
    for part, prefix in (("out_of_fold", "d"), ("held_out", "h")):
        own = rng.normal(0, 1, eyes) + target
        for fold in range(1, folds * repeats + 1):
            for number in range(1, seeds + 1):
                scores = 1 / (1 + np.exp(-(own + rng.normal(0, 0.5, eyes))))
                chosen = np.arange(eyes) % folds == (fold - 1) % folds if part == "out_of_fold" else target >= 0
                table = pd.DataFrame({"subject": [f"{prefix}{n}" for n in range(eyes)], "target": target})
                table = table.assign(model=model, part=part, fold=fold, seed=number, probability=scores)
                tables.append(table[chosen])
    return pd.concat(tables, ignore_index=True)


def variation(table: pd.DataFrame, seeds: int, folds: int = 3, repeats: int = 1) -> pd.DataFrame:
    pooled = pool_predictions(table, repeats, dict.fromkeys(table["model"], seeds))
    return variation_table(pooled, table, {f: 1 + (f - 1) // folds for f in range(1, folds * repeats + 1)}, CONFIG)


def auroc(rows: pd.DataFrame) -> float:
    """By counting pairs."""
    positive, negative = (rows.loc[rows["target"] == k, "probability"].to_numpy() for k in (1, 0))
    return float((positive[:, None] > negative).mean())


def test_single_trainings_have_a_row_each_with_their_own_auroc():
    table = networks(20, 3, 2, repeats=2)
    found = variation(table, 2, repeats=2).query("metric == 'auroc' and what == @TRAINING")
    held_out, out_of_fold = (found[found["part"] == part] for part in ("held_out", "out_of_fold"))
    assert list(zip(held_out["fold"], held_out["seed"], strict=True)) == [(f, s) for f in range(1, 7) for s in (1, 2)]
    of_one = table.query("part == 'held_out' and fold == 5 and seed == 2")
    assert held_out.query("fold == 5 and seed == 2")["value"].item() == auroc(of_one)
    assert held_out.query("fold == 5")["repeat"].tolist() == [2, 2]
    # out of fold a training is all folds of a repeat, with one seed
    assert out_of_fold[["fold", "repeat", "seed"]].to_numpy().tolist() == [[0, 1, 1], [0, 1, 2], [0, 2, 1], [0, 2, 2]]
    of_repeat = table.query("part == 'out_of_fold' and fold > 3 and seed == 1")
    assert out_of_fold.query("repeat == 2 and seed == 1")["value"].item() == auroc(of_repeat)
    assert set(out_of_fold["n"]) == {20}


def test_components_in_the_table_are_those_of_its_trainings():
    found = variation(networks(40, 3, 2), 2).query("metric == 'auroc' and part == 'held_out'")
    values = found.loc[found["what"] == TRAINING, "value"].to_numpy().reshape(3, 2)
    own = found.set_index("what")
    for name, variance in variances(values).items():
        assert own.loc[name, "value"] == pytest.approx(math.sqrt(variance))
    assert own.loc[[EYES, BOTH], "share"].sum() == pytest.approx(1)
    assert own.loc[[DIVISION, SEED], "share"].sum() == pytest.approx(own.loc[BOTH, "share"])
    assert own.loc[list(COMPONENTS), "n"].tolist() == [40, 3, 2, 6]


def test_what_eyes_do_is_what_other_eyes_would_have_done():
    """Against the spread of the mean AUROC over cohorts that are drawn anew, judged by networks that stay the same."""
    rng, means, estimates = np.random.default_rng(1), [], []
    target = np.arange(60) % 2
    for _ in range(60):
        common = rng.normal(0, 1, 60) + target
        tables = [
            pd.DataFrame({"subject": [f"s{n}" for n in range(60)], "target": target}).assign(
                model="net", part="held_out", fold=fold, seed=1, probability=1 / (1 + np.exp(-common - noise))
            )
            for fold, noise in enumerate(rng.normal(0, 0.3, (3, 60)), start=1)
        ]
        table = pd.concat(tables)
        found = variation_table(pool_predictions(table), table, {1: 1, 2: 1, 3: 1}, EvaluationConfig(resamples=100))
        found = found.query("metric == 'auroc'").set_index("what")
        means.append(found.loc[[TRAINING], "value"].mean())
        estimates.append(found.loc[EYES, "value"] ** 2)
    assert np.mean(estimates) == pytest.approx(np.var(means, ddof=1), rel=0.25)


def test_one_seed_and_one_division_are_told_in_table_and_text():
    found = variation(networks(20, 3, 1), 1)
    reasons = found.query("part == 'held_out' and metric == 'auroc'").set_index("what")["reason"]
    assert reasons[SEED] == ONE_SEED
    text = format_variation(found)
    assert f"- net, seed: {ONE_SEED}" in text
    assert format_variation(found.assign(reason=found["reason"].replace("", np.nan))) == text  # as a file gives it back
    assert "## What the AUROC depends on, held out" in text
    line = next(line for line in text.splitlines() if line.startswith("| net"))
    assert line.count("n/a") == 3  # out of fold there is one training: no division, no seed, not both


def test_networks_that_separate_the_classes_have_no_width():
    table = networks(12, 2, 2).assign(probability=lambda t: 0.2 + 0.6 * t["target"])
    own = variation(table, 2, folds=2).query("part == 'held_out' and metric == 'auroc'").set_index("what")
    assert own.loc[EYES, ["value", "reason"]].tolist() == [0, NO_WIDTH]
    assert own.loc[list(COMPONENTS), "share"].isna().all()


def test_a_class_without_eyes_gives_nan_with_the_reason():
    table = networks(12, 2, 2).assign(target=1)
    own = variation(table, 2, folds=2).query("metric == 'auroc'")
    assert own["value"].isna().all()
    assert set(own["reason"]) == {UNDEFINED}


def test_several_classes_have_their_mean_auroc():
    table = networks(30, 2, 2)
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], len(table))
    each = {f"probability_{name}": shares[:, k] for k, name in enumerate(("A", "B", "C"))}
    table = table.assign(target=table["subject"].str[1:].astype(int) % 3, probability=1 - shares[:, 0], **each)
    own = variation(table, 2, folds=2).query("metric == 'auroc' and what == @TRAINING and part == 'held_out'")
    first = table.query("part == 'held_out' and fold == 1 and seed == 1")
    one_vs_rest = [
        auroc(first.assign(target=(first["target"] == k).astype(int), probability=first[f"probability_{name}"]))
        for k, name in enumerate("ABC")
    ]
    assert own["value"].iloc[0] == pytest.approx(np.mean(one_vs_rest))


def test_trainings_that_were_judged_on_other_eyes_are_refused():
    table = networks(12, 2, 2)
    pooled = pool_predictions(table, 1, {"net": 2})
    lost = table.drop(table.query("part == 'held_out' and fold == 2 and seed == 2 and subject == 'h3'").index)
    with pytest.raises(DataError, match="net: its trainings were judged on different eyes"):
        variation_table(pooled, lost, {1: 1, 2: 1}, CONFIG)

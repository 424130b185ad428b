"""How much a result depends on chance: on the eyes that judge, on the division into folds, and on the training seed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from octa_kedro.errors import DataError
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.evaluation.intervals import resample_weights
from octa_kedro.evaluation.metrics import FloatArray, Ranking, count_metrics, weighted_confusion
from octa_kedro.evaluation.predictions import OUT_OF_FOLD, REQUIRED_COLUMNS, patients_behind, require_columns, with_seed
from octa_kedro.evaluation.scores import Judged, judge_rows
from octa_kedro.evaluation.tables import PART_TITLES, as_text, markdown_table
from octa_kedro.evaluation.thresholds import Threshold, thresholds_of

TRAINING = "training"
EYES, DIVISION, SEED, BOTH = "eyes", "division", "seed", "division and seed"
COMPONENTS = (EYES, DIVISION, SEED, BOTH)
METRICS = ("auroc", "balanced_accuracy")
COLUMNS = ("model", "part", "metric", "what", "fold", "repeat", "seed", "value", "share", "n", "reason")
ONE_SEED = "every fold was trained with one seed (seeds in structure.yml)"
ONE_DIVISION = "the eyes were divided once, in one way"
MIXED = "with one seed it cannot be told from what the seed does; see the row 'division and seed'"
UNDEFINED = "a class has no eye"
NO_WIDTH = "every resample of the patients gives the same value; this does not mean that it is certain"
Row = dict[str, Any]


@dataclass(frozen=True)
class Component:
    """A variance, NaN if it cannot be estimated, and what to know of it."""

    variance: float
    reason: str = ""


def nested_components(values: npt.ArrayLike) -> dict[str, Component]:
    """What divisions and seeds do to a metric with `values` (divisions, seeds) of single trainings.

    Method of moments (analysis of variance) of the balanced random model with seeds nested in divisions, whose random
    numbers differ: seed is the mean variance within divisions, division the variance of their means less seed / seeds,
    and no less than 0 (Searle, Casella and McCulloch 1992, Variance Components, doi 10.1002/9780470316856, chapter 3).
    `BOTH` is their sum: the variance from one training to another, which with one seed is that of the divisions.
    """
    table = np.asarray(values, dtype=np.float64)
    divisions, seeds = table.shape
    if np.isnan(table).any():
        return dict.fromkeys((DIVISION, SEED, BOTH), Component(math.nan, UNDEFINED))
    if seeds == 1:
        both = (
            Component(float(table.var(ddof=1))) if divisions > 1 else Component(math.nan, f"{ONE_DIVISION}; {ONE_SEED}")
        )
        return {
            DIVISION: Component(math.nan, MIXED if divisions > 1 else ONE_DIVISION),
            SEED: Component(math.nan, ONE_SEED),
            BOTH: both,
        }
    seed = float(table.var(axis=1, ddof=1).mean())
    if divisions == 1:
        return {
            DIVISION: Component(math.nan, ONE_DIVISION),
            SEED: Component(seed),
            BOTH: Component(math.nan, ONE_DIVISION),
        }
    found = float(table.mean(axis=1).var(ddof=1)) - seed / seeds
    note = f"the estimate of the variance is {found:.2g}: no more than seeds alone would do" if found < 0 else ""
    return {
        DIVISION: Component(max(found, 0.0), note),
        SEED: Component(seed),
        BOTH: Component(max(found, 0.0) + seed),
    }


def variation_table(
    pooled: pd.DataFrame, by_network: pd.DataFrame, repeat_of: Mapping[int, int], config: EvaluationConfig
) -> pd.DataFrame:
    """Return what single trainings reach, and what their spread is made of, for every model and part.

    Input: the result of `pool_predictions`, whose thresholds are used; the predictions of every network before they
    were pooled (`agreement.pool_agreed`); and the repeat of each fold. Columns: `COLUMNS`. A row of `what` TRAINING has
    the `value` of a metric of `METRICS` (macro AUROC with more than two classes): on held-out eyes of the network of a
    fold and seed, out of fold of all folds of a repeat with a seed (`fold` 0), each of which judges the eyes that it
    validates. The rows of `COMPONENTS` (`fold`, `repeat` and `seed` 0) have a standard deviation as `value`:

    * EYES: of the mean of the trainings, if other patients judged (a bootstrap over patients, stratified as in
      `intervals.bootstrap_intervals`, of all trainings at once);
    * DIVISION, SEED, BOTH: of single trainings on these eyes, see `nested_components`. The divisions are the folds of
      all repeats for held-out eyes, and the repeats out of fold.

    `share` is that of the variance of EYES and BOTH together, NaN where one is unknown; `n` counts what is behind a
    row: eyes, patients, divisions, seeds or trainings. `reason` says why a value is NaN, or what to know of it.
    """
    require_columns(pooled, REQUIRED_COLUMNS, "predictions")
    require_columns(by_network, REQUIRED_COLUMNS, "predictions of single networks")
    thresholds = thresholds_of(pooled, config)
    rows: list[Row] = []
    known = with_seed(by_network)
    known = known.assign(repeat=known["fold"].map(dict(repeat_of)))
    for (model, part), table in known.groupby(["model", "part"], sort=False):
        rows += _of_group({"model": model, "part": part}, table, thresholds[str(model)], config)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def format_variation(table: pd.DataFrame) -> str:
    """Return the AUROCs of the variation table as Markdown: a block per part, a line per model, and what is unknown."""
    table, blocks = table.assign(reason=table["reason"].fillna("")), []  # an empty cell of a file is a missing value
    for part, rows in table[table["metric"] == "auroc"].groupby("part", sort=False):
        lines = [["model", "single trainings: median [lowest, highest]", *(f"sd by {name}" for name in COMPONENTS)]]
        notes: list[str] = []
        for model, own in rows.groupby("model", sort=False):
            values = own.loc[own["what"] == TRAINING, "value"]
            deviations, reasons = (dict(zip(own["what"], own[name], strict=True)) for name in ("value", "reason"))
            span = f"{len(values)}: {values.median():.2f} [{values.min():.2f}, {values.max():.2f}]"
            cells = [span, *(f"{deviations[name]:.3f}" for name in COMPONENTS)]
            lines.append([as_text(str(model)), *(cell.replace("nan", "n/a") for cell in cells)])
            for reason in dict.fromkeys(reasons[name] for name in COMPONENTS if reasons[name]):
                of = [name for name in COMPONENTS if reasons[name] == reason]
                notes.append(f"- {model}, {', '.join(of)}: {reason}")
        title = f"## What the AUROC depends on, {PART_TITLES.get(str(part), str(part)).lower()} (standard deviations)"
        blocks.append("\n".join([title, "", markdown_table(lines), *(["", *map(as_text, notes)] if notes else []), ""]))
    return "\n".join(blocks)


def _of_group(of: Row, table: pd.DataFrame, threshold: Threshold, config: EvaluationConfig) -> list[Row]:
    """All rows of one model and part."""
    division = "repeat" if of["part"] == OUT_OF_FOLD else "fold"
    divisions, seeds = sorted(set(table[division])), sorted(set(table["seed"]))
    order = ["subject", "eye"] if "eye" in table else ["subject"]
    trainings = [
        table[(table[division] == one) & (table["seed"] == seed)].sort_values(order)
        for one in divisions
        for seed in seeds
    ]
    if any(list(rows["subject"]) != list(trainings[0]["subject"]) for rows in trainings):
        raise DataError(f"{of['model']}: its trainings were judged on different eyes ({of['part']}); train all again")
    judged = [judge_rows(rows, threshold.value) for rows in trainings]
    patients = patients_behind(trainings[0]).reset_index(drop=True)
    weights = resample_weights(patients, judged[0].target, config.resamples, config.seed)
    counts = {EYES: patients.nunique(), DIVISION: len(divisions), SEED: len(seeds), BOTH: len(trainings)}
    found: list[Row] = []
    for metric in METRICS:
        name = of | {"metric": metric}
        values = [float(_metric(metric, one, np.ones((1, len(patients))))[0]) for one in judged]
        for rows, value in zip(trainings, values, strict=True):
            place = rows[["fold", "repeat", "seed"]].iloc[0].to_dict() | ({"fold": 0} if division == "repeat" else {})
            reason = UNDEFINED if math.isnan(value) else ""
            found.append(name | {"what": TRAINING} | place | {"value": value, "n": len(rows), "reason": reason})
        resampled = np.mean([_metric(metric, one, weights) for one in judged], axis=0)
        components = {EYES: _eyes(resampled)} | nested_components(np.reshape(values, (len(divisions), len(seeds))))
        found += _component_rows(name, components, counts)
    return found


def _component_rows(of: Row, found: Mapping[str, Component], counts: Mapping[str, int]) -> list[Row]:
    whole = found[EYES].variance + found[BOTH].variance
    return [
        of
        | {"what": name, "fold": 0, "repeat": 0, "seed": 0}
        | {"value": math.sqrt(found[name].variance), "share": found[name].variance / whole if whole > 0 else math.nan}
        | {"n": counts[name], "reason": found[name].reason}
        for name in COMPONENTS
    ]


def _eyes(resampled: FloatArray) -> Component:
    """The variance over resamples (R,) of the patients."""
    defined = resampled[~np.isnan(resampled)]
    if len(defined) < 2:
        return Component(math.nan, UNDEFINED)
    variance = float(defined.var(ddof=1))
    some = "over the resamples that define it" if len(defined) < len(resampled) else ""
    return Component(variance, NO_WIDTH if np.ptp(defined) == 0 else some)


def _metric(metric: str, judged: Judged, weights: FloatArray) -> FloatArray:
    """A metric of `METRICS` (R,) under weightings (R, N)."""
    if metric == "auroc":
        classes: Sequence[int] = [1] if len(judged.names) == 2 else range(len(judged.names))
        return np.asarray(
            np.mean([Ranking(judged.target == k, judged.shares[:, k]).auroc(weights) for k in classes], axis=0)
        )
    counts = count_metrics(weighted_confusion(weights, judged.target, judged.called, len(judged.names)))
    return counts.shared["balanced_accuracy"]

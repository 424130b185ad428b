"""The predictions table: checked, and pooled into one row per model and eye."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from octa_kedro.cohort.trainings import training_words
from octa_kedro.errors import DataError, LeakError

OUT_OF_FOLD = "out_of_fold"
HELD_OUT = "held_out"
EXTERNAL = "external"
"""The eyes of a second cohort, of which nothing was known before."""
PARTS = (OUT_OF_FOLD, HELD_OUT, EXTERNAL)
FROZEN_THRESHOLD, FROZEN_RULE, FROZEN_TEMPERATURE = FROZEN = ("frozen_threshold", "frozen_rule", "frozen_temperature")
"""Columns of a table whose thresholds and temperatures were settled on other eyes, and are applied as they are."""
CLASS_MARK = "probability_"
SUM_TOLERANCE = 1e-3
REQUIRED_COLUMNS = ("model", "subject", "part", "fold", "target", "probability")


def pool_predictions(table: pd.DataFrame, repeats: int = 1, seeds: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Return one row per model and eye: the mean probability of the networks that had not learnt from it.

    An eye is a subject, and its `eye` where the table has that column. Each fold was trained with as many `seeds` as
    are stated of its model (1 where nothing is; rows without a column `seed` are of the first). Held-out rows are
    averaged over all folds and seeds, out-of-fold rows over the seeds of the folds, of which each of the `repeats`
    validated the eye once. Every column whose name starts with `probability` is averaged. `fold` and `seed` are 0 where
    an average is over several; `folds` is how many folds it is over, `networks` how many networks, and `spread` the
    standard deviation of their `probability` (of a sample, divided by n - 1; NaN of a single network). With more than
    two classes there is a column probability_<class> for each, in the order of the class index.

    Raises DataError for a missing column, an unknown part, a target that is no class index, a probability that
    is not in [0, 1], an eye that a network predicts twice, an eye with two targets, a seed that there should not be,
    and eyes that were not predicted by every fold and seed that must; LeakError for a subject that a model has in both
    parts.
    """
    rows = _normalised(table)
    keys = ["model", "subject", "eye"] if "eye" in rows else ["model", "subject"]
    _check_values(rows)
    _check_unique(rows, keys, repeats)
    wanted = rows["model"].map(dict(seeds or {})).fillna(1).astype(int)
    if len(odd := rows[(rows["seed"] < 1) | (rows["seed"] > wanted)]):
        raise DataError(f"{_who(odd)} has a prediction of seed {odd['seed'].iloc[0]}, but there is none; {_SEEDS}")
    pooled = [
        _pooled(rows[rows["part"] == part], keys, repeats if part == OUT_OF_FOLD else None, seeds or {})
        for part in PARTS
        if (rows["part"] == part).any()
    ]
    return pd.concat(pooled, ignore_index=True)[[*rows.columns, "folds", "networks", "spread"]]


_SEEDS = "`seeds` in structure.yml says how many there are; train and evaluate with the same"


def mean_of_networks(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """One row per eye (`keys`) with the mean of every column whose name starts with `probability`; `networks` is how
    many rows it had, `folds` of how many folds, `spread` the standard deviation of their `probability`. `fold` and
    `seed` are 0 if the rows were of several."""
    averaged = set(_probability_columns(rows))
    rules = {name: "mean" if name in averaged else "first" for name in rows.columns if name not in keys}
    grouped = rows.groupby(keys, sort=False)
    pooled = grouped.agg(rules).assign(networks=grouped.size(), spread=grouped["probability"].std())
    for name in {"fold", "seed"} & {*rules}:
        several = grouped[name].nunique()
        pooled[name] = pooled[name].where(several == 1, 0)
        if name == "fold":
            pooled["folds"] = several
    return pooled.reset_index()


def with_seed(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column `seed` behind `fold`: 1 where it has none, as of a floor, which is fitted once."""
    if "seed" not in table:
        table = table.assign(seed=1)
    table = table.assign(seed=table["seed"].fillna(1).astype(int))
    others = [name for name in table.columns if name != "seed"]
    place = others.index("fold") + 1
    return table[[*others[:place], "seed", *others[place:]]]


def mean_over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Predictions of every network, as one row per model, part, fold and eye: the mean over the fold's seeds."""
    keys = ["model", "part", "fold", "subject", *(["eye"] if "eye" in table else [])]
    return mean_of_networks(table, keys)[[*table.columns]]


def class_columns(table: pd.DataFrame) -> list[str]:
    """The columns probability_<class> in the order of the class index; none for two classes."""
    return [name for name in table.columns if name.startswith(CLASS_MARK)]


def patients_behind(table: pd.DataFrame) -> pd.Series:
    """Whose eye each row is: its `patient` where the table has that column, else its subject."""
    return (table["patient"] if "patient" in table else table["subject"]).astype(str)


def detection(pooled: pd.DataFrame) -> pd.DataFrame:
    """A table of any number of classes as one of two: the first class against all others together."""
    two = pooled.assign(target=(pooled["target"] > 0).astype(int))
    return two.drop(columns=[*class_columns(pooled), *FROZEN], errors="ignore")


def require_same_eyes(pooled: pd.DataFrame) -> None:
    """DataError if the models of a pooled table were judged on different eyes, and so cannot stand side by side."""
    eyes = {
        str(model): set(zip(rows["subject"].astype(str), rows["part"].astype(str), strict=True))
        for model, rows in pooled.groupby("model", sort=False)
    }
    first, *others = eyes
    for other in others:
        if odd := sorted(eyes[first] ^ eyes[other]):
            raise DataError(
                f"{first} and {other} were judged on different eyes (first {odd[0][0]}, {odd[0][1]}); train both again "
                "with the same splits"
            )


def require_columns(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Raise DataError naming the columns that the table lacks, or when it has no rows."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(f"the {name} table lacks the columns {missing}; it has {list(table.columns)}")
    if table.empty:
        raise DataError(f"the {name} table has no rows")


def _normalised(table: pd.DataFrame) -> pd.DataFrame:
    require_columns(table, REQUIRED_COLUMNS, "predictions")
    rows = with_seed(table.assign(subject=table["subject"].astype(str)))
    if "eye" in rows:
        # A missing eye would otherwise be dropped by groupby, and its prediction with it.
        rows["eye"] = rows["eye"].astype(object).where(rows["eye"].notna(), "").astype(str)
    return rows


def _check_values(rows: pd.DataFrame) -> None:
    unknown = sorted(set(rows["part"]) - set(PARTS))
    if unknown:
        raise DataError(f"unknown part {unknown} in the predictions table; it is one of {list(PARTS)}")
    classes = max(2, len(class_columns(rows)))
    bad_target = rows[~rows["target"].isin(range(classes))]
    if len(bad_target):
        allowed = "0 or 1" if classes == 2 else f"in 0 .. {classes - 1}"
        raise DataError(f"target {bad_target['target'].iloc[0]} of {_who(bad_target)} is not {allowed}")
    for column in _probability_columns(rows):
        values = rows[column].to_numpy(dtype=float, na_value=np.nan)
        # NaN fails both comparisons, so that it is caught here too.
        bad = rows[~((values >= 0) & (values <= 1))]
        if len(bad):
            raise DataError(f"{column} {bad[column].iloc[0]} of {_who(bad)} is not in [0, 1]")
    if classes > 2:
        odd = rows[(rows[class_columns(rows)].sum(axis=1) - 1).abs() > SUM_TOLERANCE]
        if len(odd):
            raise DataError(f"the probabilities of {_who(odd)} do not add up to 1")


def _check_unique(rows: pd.DataFrame, keys: list[str], repeats: int) -> None:
    once = [*keys, "seed"] if repeats == 1 else [*keys, "fold", "seed"]
    for part, columns in ((OUT_OF_FOLD, once), (HELD_OUT, [*keys, "fold", "seed"])):
        chosen = rows[rows["part"] == part]
        repeated = chosen[chosen.duplicated(columns)]
        if len(repeated):
            where = "out of fold" if part == OUT_OF_FOLD else "by one network of the held-out part"
            raise DataError(
                f"{_who(repeated)} is predicted more than once {where} ({_training(repeated)}); the folds must be "
                "disjoint, and two eyes of one subject need the column 'eye'"
            )
    parts = rows.groupby(["model", "subject"])["part"].transform("nunique")
    if (parts > 1).any():
        raise LeakError(f"{_who(rows[parts > 1])} is in both parts, {OUT_OF_FOLD} and {HELD_OUT}")
    targets = rows.groupby(keys[1:])["target"].transform("nunique")
    if (targets > 1).any():
        who = rows[targets > 1]
        found = sorted(set(rows.loc[(rows[keys[1:]] == who[keys[1:]].iloc[0]).all(axis=1), "target"]))
        raise DataError(f"{_who(who)} has rows with target {' and rows with target '.join(map(str, found))}")


def _pooled(rows: pd.DataFrame, keys: list[str], repeats: int | None, seeds: Mapping[str, int]) -> pd.DataFrame:
    """The mean of one part's rows; DataError unless each eye has all seeds of its folds, which are `repeats` many, or
    where that is None as many as the other eyes'."""
    pooled = mean_of_networks(rows, keys)
    if repeats is None:
        most = pooled.groupby("model")["folds"].transform("max")
        if len(fewer := pooled[pooled["folds"] < most]):
            raise DataError(
                f"{_who(fewer)} is predicted by {fewer['folds'].iloc[0]} folds where other held-out eyes have "
                f"{most[fewer.index[0]]}; predict every held-out eye with every fold"
            )
    elif len(odd := pooled[pooled["folds"] != repeats]):
        raise DataError(
            f"{_who(odd)} is predicted out of fold {odd['folds'].iloc[0]} times, but there are {repeats} repeats of "
            "the folds, each of which validates it once"
        )
    of_fold = rows.groupby([*keys, "fold"], sort=False)["seed"]
    asked = of_fold.first().index.get_level_values("model").map(lambda model: seeds.get(model, 1))
    if (short := of_fold.nunique() < asked).any():
        model, subject, fold = (short[short].index.to_frame().iloc[0][name] for name in ("model", "subject", "fold"))
        chosen = (rows[["model", "subject", "fold"]] == [model, subject, fold]).all(axis=1)
        lost = min({*range(1, seeds[model] + 1)} - {*rows.loc[chosen, "seed"]})
        raise DataError(f"{_who(rows[chosen])} has no prediction of fold {fold}, seed {lost}; {_SEEDS}")
    return pooled


def _training(rows: pd.DataFrame) -> str:
    """The training of the first row, in words."""
    return training_words(int(rows["fold"].iloc[0]), int(rows["seed"].iloc[0]))


def _probability_columns(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows.columns if name.startswith("probability")]


def _who(rows: pd.DataFrame) -> str:
    """Name model, subject and eye of the first row."""
    first = rows.iloc[0]
    eye = f", eye '{first['eye']}'" if first.get("eye") else ""
    return f"model '{first['model']}', subject '{first['subject']}'{eye}"

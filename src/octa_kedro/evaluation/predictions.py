"""The predictions table: checked, and pooled into one row per model and eye."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from octa_kedro.errors import DataError, LeakError

OUT_OF_FOLD = "out_of_fold"
HELD_OUT = "held_out"
PARTS = (OUT_OF_FOLD, HELD_OUT)
CLASS_MARK = "probability_"
FLOOR_MARK = "floor_"
"""The names of models that are floors begin so."""
SUM_TOLERANCE = 1e-3
REQUIRED_COLUMNS = ("model", "subject", "part", "fold", "target", "probability")


def pool_predictions(table: pd.DataFrame, repeats: int = 1) -> pd.DataFrame:
    """Return one row per model and eye: the mean probability of the networks that had not learnt from it.

    An eye is a subject, and its `eye` where the table has that column. Held-out rows are averaged over all
    folds, out-of-fold rows over the `repeats` of the folds, each of which validated the eye once; with one
    repeat they stay as they are. Every column whose name starts with `probability` is averaged; an averaged row
    has fold 0. `folds` is the number of rows averaged, `spread` the standard deviation of their `probability` (of a
    sample, divided by n - 1; NaN of a single row). With more than two classes there is a column probability_<class> for
    each, in the order of the class index.

    Raises DataError for a missing column, an unknown part, a target that is no class index, a probability that
    is not in [0, 1], an eye predicted twice where it may be predicted once, an eye with two targets, and
    eyes of a model that were not all predicted as often as they must be; LeakError for a subject that a
    model has in both parts.
    """
    rows = _normalised(table)
    keys = ["model", "subject", "eye"] if "eye" in rows else ["model", "subject"]
    _check_values(rows)
    _check_unique(rows, keys, repeats)
    out_of_fold = rows[rows["part"] == OUT_OF_FOLD]
    out_of_fold = (
        _average_repeats(out_of_fold, keys, repeats) if repeats > 1 else out_of_fold.assign(folds=1, spread=np.nan)
    )
    held_out = _average_folds(rows[rows["part"] == HELD_OUT], keys)
    pooled = pd.concat([part for part in (out_of_fold, held_out) if len(part)], ignore_index=True)
    return pooled[[*rows.columns, "folds", "spread"]]


def mean_of_networks(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """One row per eye (`keys`) with the mean of every column whose name starts with `probability`; `folds` is how many
    rows it had, `spread` the standard deviation of their `probability`, and `fold` is 0."""
    averaged = set(_probability_columns(rows))
    rules = {name: "mean" if name in averaged else "first" for name in rows.columns if name not in keys}
    grouped = rows.groupby(keys, sort=False)
    pooled = grouped.agg(rules).assign(folds=grouped.size(), spread=grouped["probability"].std())
    return pooled.reset_index().assign(fold=0)


def class_columns(table: pd.DataFrame) -> list[str]:
    """The columns probability_<class> in the order of the class index; none for two classes."""
    return [name for name in table.columns if name.startswith(CLASS_MARK)]


def patients_behind(table: pd.DataFrame) -> pd.Series:
    """Whose eye each row is: its `patient` where the table has that column, else its subject."""
    return (table["patient"] if "patient" in table else table["subject"]).astype(str)


def detection(pooled: pd.DataFrame) -> pd.DataFrame:
    """A table of any number of classes as one of two: the first class against all others together."""
    two = pooled.assign(target=(pooled["target"] > 0).astype(int))
    return two.drop(columns=class_columns(pooled))


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
    rows = table.assign(subject=table["subject"].astype(str))
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
    once = keys if repeats == 1 else [*keys, "fold"]
    for part, columns in ((OUT_OF_FOLD, once), (HELD_OUT, [*keys, "fold"])):
        chosen = rows[rows["part"] == part]
        repeated = chosen[chosen.duplicated(columns)]
        if len(repeated):
            where = "out of fold" if part == OUT_OF_FOLD else "by one fold of the held-out part"
            raise DataError(
                f"{_who(repeated)} is predicted more than once {where}; the folds must be disjoint, and two "
                "eyes of one subject need the column 'eye'"
            )
    parts = rows.groupby(["model", "subject"])["part"].transform("nunique")
    if (parts > 1).any():
        raise LeakError(f"{_who(rows[parts > 1])} is in both parts, {OUT_OF_FOLD} and {HELD_OUT}")
    targets = rows.groupby(keys[1:])["target"].transform("nunique")
    if (targets > 1).any():
        who = rows[targets > 1]
        found = sorted(set(rows.loc[(rows[keys[1:]] == who[keys[1:]].iloc[0]).all(axis=1), "target"]))
        raise DataError(f"{_who(who)} has rows with target {' and rows with target '.join(map(str, found))}")


def _average_repeats(rows: pd.DataFrame, keys: list[str], repeats: int) -> pd.DataFrame:
    if rows.empty:
        return rows
    pooled = mean_of_networks(rows, keys)
    odd = pooled[pooled["folds"] != repeats]
    if len(odd):
        raise DataError(
            f"{_who(odd)} is predicted out of fold {odd['folds'].iloc[0]} times, but there are {repeats} repeats of "
            "the folds, each of which validates it once"
        )
    return pooled


def _average_folds(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    if rows.empty:
        return rows
    pooled = mean_of_networks(rows, keys)
    most = pooled.groupby("model")["folds"].transform("max")
    fewer = pooled[pooled["folds"] < most]
    if len(fewer):
        raise DataError(
            f"{_who(fewer)} is predicted by {fewer['folds'].iloc[0]} folds where other held-out eyes have "
            f"{most[fewer.index[0]]}; predict every held-out eye with every fold"
        )
    return pooled


def _probability_columns(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows.columns if name.startswith("probability")]


def _who(rows: pd.DataFrame) -> str:
    """Name model, subject and eye of the first row."""
    first = rows.iloc[0]
    eye = f", eye '{first['eye']}'" if first.get("eye") else ""
    return f"model '{first['model']}', subject '{first['subject']}'{eye}"

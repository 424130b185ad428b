"""The predictions table: checked, and pooled into one row per model and eye."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from octa_kedro.errors import DataError, LeakError

OUT_OF_FOLD = "out_of_fold"
HELD_OUT = "held_out"
PARTS = (OUT_OF_FOLD, HELD_OUT)
REQUIRED_COLUMNS = ("model", "subject", "part", "fold", "target", "probability")


def pool_predictions(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per model and eye: out-of-fold rows as they are, held-out rows averaged over folds.

    An eye is a subject, and its `eye` where the table has that column. Every column whose name starts with
    `probability` is averaged; a pooled held-out row has fold 0. `folds` is the number of rows averaged.

    Raises DataError for a missing column, an unknown part, a target other than 0 and 1, a probability that
    is not in [0, 1], an eye predicted twice where it may be predicted once, an eye with two targets, and
    held-out eyes of a model that were not all predicted by as many folds; LeakError for a subject that a
    model has in both parts.
    """
    rows = _normalised(table)
    keys = ["model", "subject", "eye"] if "eye" in rows else ["model", "subject"]
    _check_values(rows)
    _check_unique(rows, keys)
    out_of_fold = rows[rows["part"] == OUT_OF_FOLD].assign(folds=1)
    held_out = _average_folds(rows[rows["part"] == HELD_OUT], keys)
    pooled = pd.concat([part for part in (out_of_fold, held_out) if len(part)], ignore_index=True)
    return pooled[[*rows.columns, "folds"]]


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
    bad_target = rows[~rows["target"].isin([0, 1])]
    if len(bad_target):
        raise DataError(f"target {bad_target['target'].iloc[0]} of {_who(bad_target)} is not 0 or 1")
    for column in _probability_columns(rows):
        values = rows[column].to_numpy(dtype=float, na_value=np.nan)
        # NaN fails both comparisons, so that it is caught here too.
        bad = rows[~((values >= 0) & (values <= 1))]
        if len(bad):
            raise DataError(f"{column} {bad[column].iloc[0]} of {_who(bad)} is not in [0, 1]")


def _check_unique(rows: pd.DataFrame, keys: list[str]) -> None:
    for part, columns in ((OUT_OF_FOLD, keys), (HELD_OUT, [*keys, "fold"])):
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
        raise DataError(f"{_who(rows[targets > 1])} has rows with target 0 and rows with target 1")


def _average_folds(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    if rows.empty:
        return rows
    averaged = set(_probability_columns(rows))
    rules = {name: "mean" if name in averaged else "first" for name in rows.columns if name not in keys}
    grouped = rows.groupby(keys, sort=False)
    pooled = grouped.agg(rules).assign(folds=grouped.size()).reset_index().assign(fold=0)
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

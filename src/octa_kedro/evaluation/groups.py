"""Which group each eye belongs to: field of view, disease, sex, age, side and quality, as far as tables know them."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from octa_kedro.errors import DataError

UNKNOWN = "not known"
AGE_BANDS = ((0, "under 40"), (40, "40 to 59"), (60, "60 and over"))
"""Years from which on a band goes, fixed before any result was seen."""
SIDES = {"OD": "right (OD)", "OS": "left (OS)"}
QUALITY = {"signal_db": "signal", "flow_contrast_grey": "flow contrast"}
"""Measures of quality by which eyes are halved at the median."""


_ORDER = [words for _, words in AGE_BANDS]


class Group(NamedTuple):
    """One division of all eyes: `level` is that of each row of the predictions, `missing` says why all are unknown."""

    name: str
    level: pd.Series
    missing: str = ""


def known_of_eyes(pooled: pd.DataFrame, splits: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """What splits and the quality table know of the eye of each row of `pooled`, with its index.

    Columns that both have come from the splits. DataError for a subject that the splits do not have, or have twice.
    """
    subjects = pooled["subject"].astype(str)
    eyes = splits.assign(subject=splits["subject"].astype(str))
    if (twice := eyes["subject"].duplicated()).any():
        raise DataError(
            f"subject {eyes.loc[twice, 'subject'].iloc[0]} is twice in the splits; run data_processing again"
        )
    if len(odd := sorted(set(subjects) - set(eyes["subject"]))):
        raise DataError(f"subject {odd[0]} is predicted but not in the splits; run the evaluation again")
    found = eyes.set_index("subject").reindex(subjects)
    measured = quality.assign(subject=quality["subject"].astype(str)).drop_duplicates("subject").set_index("subject")
    extra = measured[[name for name in measured if name not in found]].reindex(subjects)
    return pd.concat([found, extra], axis=1).set_axis(pooled.index, axis=0)


def in_order(levels: pd.Series) -> list[str]:
    """The levels of a group as a reader expects them: ages rising, other words by their letters, unknown last."""
    return sorted(
        map(str, set(levels)), key=lambda word: (word == UNKNOWN, _ORDER.index(word) if word in _ORDER else 0, word)
    )


def divisions(known: pd.DataFrame) -> Iterator[Group]:
    """Every division but that by disease, of the eyes in `known_of_eyes`."""
    yield _words(known, "field_of_view_mm", "field of view", lambda mm: f"{float(mm):g} mm")
    yield _words(known, "sex", "sex", str)
    yield _numbers(known, "age", "age", _age_band)
    side = "laterality" if "laterality" in known else "eye"
    yield _words(known, side, "side", lambda word: SIDES.get(word, str(word)))
    for column, name in QUALITY.items():
        middle = _median(known, column)
        yield _numbers(known, column, f"quality: {name}", partial(_half, middle=middle))
    if "reasons" in known and known["reasons"].notna().any() and (known["reasons"].fillna("") != "").any():
        flagged = known["reasons"].fillna("").astype(str) != ""
        yield Group("quality control", flagged.map({True: "objections", False: "no objection"}))


def _words(known: pd.DataFrame, column: str, name: str, shown: Callable[[Any], str]) -> Group:
    if column not in known:
        return _absent(known, name, column)
    there = known[column].notna() & (known[column].astype(str).str.strip() != "")
    level = known[column].where(there).map(shown, na_action="ignore").astype(object).fillna(UNKNOWN)
    return Group(name, level, "" if there.any() else f"no eye's {name} is known")


def _numbers(known: pd.DataFrame, column: str, name: str, shown: Callable[[float], str]) -> Group:
    if column not in known:
        return _absent(known, name, column)
    values = pd.to_numeric(known[column], errors="coerce")
    level = values.map(shown, na_action="ignore").astype(object).fillna(UNKNOWN)
    return Group(name, level, "" if values.notna().any() else f"no eye's {name} is known")


def _absent(known: pd.DataFrame, name: str, column: str) -> Group:
    return Group(name, pd.Series(UNKNOWN, index=known.index, dtype=object), f"the cohort has no column {column}")


def _age_band(age: float) -> str:
    return next(words for start, words in reversed(AGE_BANDS) if age >= start) if age >= 0 else UNKNOWN


def _median(known: pd.DataFrame, column: str) -> float:
    """Of eyes, each counted once however many models judged it."""
    if column not in known:
        return float("nan")
    values = pd.to_numeric(known[column], errors="coerce")
    return float(np.nanmedian(values)) if values.notna().any() else float("nan")


def _half(value: float, middle: float) -> str:
    return f"below the median ({middle:.3g})" if value < middle else f"at or above the median ({middle:.3g})"

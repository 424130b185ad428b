"""Splits that the label table gives in its column ``split``: what they must fulfil, as drawn ones do."""

from collections.abc import Iterable

import pandas as pd

from octa_kedro.cohort.columns import patients_of
from octa_kedro.errors import DataError, LeakError
from octa_kedro.identifiers import class_word

PARTS = {"train": "training", "validation": "validation", "held_out": "test"}
"""The roles of subjects, and what the parts are called in messages."""

SPLIT_WORDS = {
    "TRAIN": "train",
    "TRAINING": "train",
    "VAL": "validation",
    "VALIDATION": "validation",
    "TEST": "held_out",
    "HELD_OUT": "held_out",
}


def given_roles(table: pd.DataFrame) -> "pd.Series[str]":
    """The role of each row, by its column ``split``; capitals do not matter. DataError for another word."""
    words = table["split"].astype(object).where(table["split"].notna(), "").astype(str)
    roles = words.map(class_word).map(SPLIT_WORDS)
    if (unknown := roles.isna()).any():
        subject, word = table.loc[unknown, "subject"].iloc[0], words[unknown].iloc[0]
        raise DataError(f"subject {subject}: split {word!r} in the label table; write train, validation or test")
    return roles


def require_given_splits(table: pd.DataFrame, classes: Iterable[str]) -> None:
    """The checks of drawn splits, for those of the column ``split``; they need no scan.

    Columns: subject, label, split and, where known, patient. DataError if training, validation or test has no eye, or
    none of one of the `classes`; LeakError if a patient has eyes in two parts.
    """
    roles, names = given_roles(table), [*classes]
    for role, part in PARTS.items():
        there = set(table.loc[roles == role, "label"])
        if not there:
            raise DataError(f"no subject has the split of {part}; training, validation and test each need some")
        if lost := [name for name in names if name not in there]:
            raise DataError(
                f"{part} has no subject of class {', '.join(lost)}: the column split of the label table decides who is "
                "in it; move some there, or remove the column to have splits drawn"
            )
    eyes = pd.DataFrame({"patient": patients_of(table), "role": [*roles], "subject": [*table["subject"]]})
    firsts = eyes.drop_duplicates(["patient", "role"])
    torn = firsts[firsts["patient"].duplicated(keep=False)]
    if len(torn):
        one, other = torn[torn["patient"] == torn["patient"].iloc[0]].to_dict("records")[:2]
        raise LeakError(
            f"patient {one['patient']}: {one['subject']} is in {PARTS[one['role']]} and {other['subject']} in "
            f"{PARTS[other['role']]}, so a network would be judged on a person it has learnt from; put all eyes of a "
            "patient into one part (column split)"
        )

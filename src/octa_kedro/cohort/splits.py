"""Hold-out and folds: made once, seeded, stratified by disease, stored as tables."""

import math

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.model_selection import StratifiedKFold, train_test_split

from octa_kedro.config import Config
from octa_kedro.errors import DataError

ROLES = ("train", "validation", "held_out")
SPLIT_WORDS = {
    "train": "train",
    "val": "validation",
    "validation": "validation",
    "test": "held_out",
    "held_out": "held_out",
}


class SplitConfig(Config):
    """How subjects are divided.

    `hold_out` is the share set aside before anything is trained. `folds` is structural: it repeats the
    number of `structure.yml`, from which the pipeline was built.
    """

    hold_out: float = Field(0.3, gt=0, lt=1)
    folds: int = Field(5, ge=1)
    seed: int = Field(0, ge=0)


def make_splits(cohort: pd.DataFrame, config: SplitConfig) -> pd.DataFrame:
    """The cohort with the columns held_out (bool) and fold.

    A development subject is validated in its `fold` (1 .. k) and trained on in all others; fold 0 means
    never validated; an unlabelled cohort gives an empty table.
    Strata are disease x field of view, or disease alone where it is too rare in one field of view.
    Where the cohort has a column ``split`` that is used instead (train, validation, test). DataError names
    a disease with fewer subjects than folds.
    """
    if "disease" not in cohort.columns:  # unlabelled eyes are processed, but there is nothing to divide
        return cohort.iloc[:0].assign(disease="", label="", target=0, held_out=False, fold=0)
    if "split" in cohort.columns:
        return _predefined(cohort, config)
    if config.folds < 2:
        raise DataError("splits.folds is 1 but the cohort has no column 'split' to take it from; use 2 folds or more")
    # As many that one is left for every fold once the share is held out.
    needed = math.ceil(config.folds / (1 - config.hold_out))
    counts = cohort["disease"].value_counts()
    if len(small := counts[counts < needed]):
        raise DataError(
            f"disease {small.index[0]} has {small.iloc[0]} subjects, but {config.folds} folds and a hold-out need at "
            f"least {needed}; add subjects, take it out of cohort.classes, or lower folds in structure.yml"
        )
    strata = _strata(cohort, needed)
    if config.hold_out * len(cohort) < strata.nunique():
        raise DataError(
            f"splits.hold_out {config.hold_out:g} of {len(cohort)} subjects is fewer than the {strata.nunique()} "
            "groups of disease and field of view, of which each needs one; raise it"
        )
    development, held_out = train_test_split(
        np.arange(len(cohort)), test_size=config.hold_out, stratify=strata, random_state=config.seed
    )
    development = np.sort(development)
    fold = np.zeros(len(cohort), int)
    divider = StratifiedKFold(config.folds, shuffle=True, random_state=config.seed)
    for number, (_, validated) in enumerate(divider.split(development, strata.iloc[development]), start=1):
        fold[development[validated]] = number
    return cohort.assign(held_out=np.isin(np.arange(len(cohort)), held_out), fold=fold)


def _strata(cohort: pd.DataFrame, needed: int) -> pd.Series:
    """Disease x field of view, or disease alone for a disease that is too rare in one of its fields of view."""
    disease = cohort["disease"].astype(str)
    both = disease + "@" + cohort["field_of_view_mm"].astype(str)
    rarest = both.map(both.value_counts()).groupby(disease).transform("min")
    return both.where(rarest >= needed, disease)


def _predefined(cohort: pd.DataFrame, config: SplitConfig) -> pd.DataFrame:
    if config.folds != 1:
        raise DataError(f"the cohort has a column 'split', which is one fold, but structure.yml says {config.folds}")
    roles = cohort["split"].astype(str).str.strip().str.lower().map(SPLIT_WORDS)
    if roles.isna().any():
        row = cohort[roles.isna()].iloc[0]
        raise DataError(f"subject {row['subject']}: split {row['split']!r}; say train, validation or test")
    for role in ROLES:
        if (roles == role).sum() == 0:
            raise DataError(f"no subject has the split {role!r}; training, validation and test each need some")
    table = cohort.drop(columns="split")
    return table.assign(held_out=(roles == "held_out"), fold=(roles == "validation").astype(int))


def fold_table(splits: pd.DataFrame, fold: int) -> pd.DataFrame:
    """The splits as one fold sees them: columns fold and role (train, validation or held_out)."""
    role = np.where(splits["held_out"], "held_out", np.where(splits["fold"] == fold, "validation", "train"))
    return splits.drop(columns=["held_out"]).assign(fold=fold, role=role)


def subjects_of(table: pd.DataFrame, role: str) -> list[str]:
    """Subjects of a fold table that have `role`, in the table's order."""
    return table.loc[table["role"] == role, "subject"].astype(str).tolist()

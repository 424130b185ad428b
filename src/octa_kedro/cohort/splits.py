"""Hold-out and folds: made once, seeded, stratified by disease, grouped by patient, stored as tables."""

import math
from collections.abc import Container

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold, train_test_split

from octa_kedro.cohort.columns import patients_of
from octa_kedro.cohort.config import SplitConfig
from octa_kedro.cohort.given_splits import given_roles, require_given_splits
from octa_kedro.cohort.groups import deal_groups
from octa_kedro.errors import DataError, LeakError

REPEAT_MARK = "fold_repeat_"


def fold_columns(splits: pd.DataFrame) -> list[str]:
    """The columns that hold fold numbers, one per repeat: fold, fold_repeat_2, ..."""
    repeats = [name for name in splits.columns if str(name).startswith(REPEAT_MARK)]
    return ["fold", *sorted(repeats, key=lambda name: int(name.removeprefix(REPEAT_MARK)))]


def repeats_of_folds(splits: pd.DataFrame) -> dict[int, int]:
    """The repeat (1, 2, ...) that each fold belongs to."""
    columns = enumerate(fold_columns(splits), start=1)
    return {int(fold): repeat for repeat, name in columns for fold in sorted(set(splits[name]) - {0})}


def make_splits(cohort: pd.DataFrame, config: SplitConfig) -> pd.DataFrame:
    """The cohort with the columns held_out (bool) and fold.

    A development subject is validated in its `fold` (1 .. k) and trained on in all others; fold 0 means
    never validated; an unlabelled cohort gives an empty table. Each further repeat has a column of its own,
    ``fold_repeat_2`` with folds k+1 .. 2k and so on.
    Strata are disease x field of view, or disease alone where it is too rare in one field of view. Where the
    cohort has a column `patient`, all eyes of a patient get the same part and fold.
    Where the cohort has a column ``split`` that is used instead (train, validation, test). DataError names
    a disease with fewer subjects than folds.
    """
    if "disease" not in cohort.columns:  # unlabelled eyes are processed, but there is nothing to divide
        empty = cohort.iloc[:0].assign(disease="", label="", target=0, held_out=False)
        return empty.assign(**dict.fromkeys(_columns(config), 0))
    if "split" in cohort.columns:
        return _predefined(cohort, config)
    if config.folds < 2:
        raise DataError("splits.folds is 1 but the cohort has no column 'split' to take it from; use 2 folds or more")
    patients = pd.Series(patients_of(cohort), index=cohort.index)
    strata = _checked_strata(cohort, patients, config)
    held_out = _hold_out(strata, patients, config)
    development = np.flatnonzero(~held_out)
    columns: dict[str, NDArray[np.int64]] = {}
    for repeat, name in enumerate(_columns(config)):
        fold = np.zeros(len(cohort), int)
        numbers = _folds(
            strata.iloc[development], patients.iloc[development], config.folds, _repeat_seed(config.seed, repeat)
        )
        fold[development] = numbers + repeat * config.folds
        columns[name] = fold
    splits = cohort.assign(held_out=held_out, **columns)
    _check_classes(splits)
    return splits


def _columns(config: SplitConfig) -> list[str]:
    return ["fold", *(f"{REPEAT_MARK}{repeat}" for repeat in range(2, config.repeats + 1))]


def _repeat_seed(seed: int, repeat: int) -> int:
    """The run's seed for the first repeat, so that asking for more leaves it as it was; one of its own for others."""
    return seed if repeat == 0 else int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0])


def _checked_strata(cohort: pd.DataFrame, patients: pd.Series, config: SplitConfig) -> pd.Series:
    """Strata of the subjects; DataError if they are too few for these parts."""
    # As many that one is left for every fold once the share is held out.
    needed = math.ceil(config.folds / (1 - config.hold_out))
    counts = patients.groupby(cohort["disease"]).nunique().sort_values()
    if len(small := counts[counts < needed]):
        raise DataError(
            f"disease {small.index[0]} has {small.iloc[0]} {'patients' if 'patient' in cohort else 'subjects'}, but "
            f"{config.folds} folds and a hold-out need at least {needed}; add subjects, take it out of cohort.classes, "
            "or lower folds in structure.yml"
        )
    strata = _strata(cohort, needed)
    if config.hold_out * len(cohort) < strata.nunique():
        raise DataError(
            f"splits.hold_out {config.hold_out:g} of {len(cohort)} subjects is fewer than the {strata.nunique()} "
            "groups of disease and field of view, of which each needs one; raise it"
        )
    return strata


def _strata(cohort: pd.DataFrame, needed: int) -> pd.Series:
    """Disease x field of view, or disease alone for a disease that is too rare in one of its fields of view."""
    disease = cohort["disease"].astype(str)
    both = disease + "@" + cohort["field_of_view_mm"].astype(str)
    rarest = both.map(both.value_counts()).groupby(disease).transform("min")
    return both.where(rarest >= needed, disease)


def _hold_out(strata: pd.Series, patients: pd.Series, config: SplitConfig) -> NDArray[np.bool_]:
    if patients.duplicated().any():
        shares = (config.hold_out, 1 - config.hold_out)
        return deal_groups(strata, patients, shares, config.seed) == 0
    index = np.arange(len(strata))
    _, held_out = train_test_split(index, test_size=config.hold_out, stratify=strata, random_state=config.seed)
    return np.isin(index, held_out)


def _folds(strata: pd.Series, patients: pd.Series, folds: int, seed: int) -> NDArray[np.int64]:
    """The fold (from 1) of each subject."""
    if patients.duplicated().any():
        return deal_groups(strata, patients, (1 / folds,) * folds, seed) + 1
    fold = np.zeros(len(strata), int)
    divider = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for number, (_, validated) in enumerate(divider.split(strata, strata), start=1):
        fold[validated] = number
    return fold


def _check_classes(splits: pd.DataFrame, there: "pd.Series[bool] | None" = None) -> None:
    """DataError if grouping by patient, or eyes that could not be processed (not `there`), leave a part of the splits
    without a class."""
    kept = splits if there is None else splits[there]
    cause = "the patients are too few or have too many eyes each"
    if len(kept) < len(splits):
        eyes = splits.loc[~splits.index.isin(kept.index), "subject"]
        cause = f"{len(eyes)} eyes are left out, such as {eyes.iloc[0]} (the log says why): correct their files"
    for part, (rows, remedy) in _parts(splits).items():
        if lost := sorted(set(splits["label"]) - set(kept.loc[kept.index.isin(rows), "label"])):
            raise DataError(f"{part} has no subject of class {', '.join(map(str, lost))}: {cause}; or {remedy}")


def _parts(splits: pd.DataFrame) -> dict[str, tuple[pd.Index, str]]:
    """The rows of each part of the splits by its name, and what may be done where they do not suffice."""
    development = splits[~splits["held_out"]]
    # Fold 0 is that of eyes that are never validated, which drawn splits do not have.
    if given := bool((development["fold"] == 0).any()):
        found = {"training": development["fold"] == 0, "validation": development["fold"] > 0}
    else:
        columns = [development[name] for name in fold_columns(splits)]
        found = {f"fold {number}": column == number for column in columns for number in sorted(set(column))}
    remedy = (
        "move some there in the column split of the label table"
        if given
        else "try another splits.seed, or lower folds in structure.yml"
    )
    parts = {"the hold-out": splits.index[splits["held_out"]]}
    parts |= {name: development.index[rows] for name, rows in found.items()}
    return {name: (rows, remedy) for name, rows in parts.items()}


def _predefined(cohort: pd.DataFrame, config: SplitConfig) -> pd.DataFrame:
    if len(config.fold_numbers) != 1:
        raise DataError(
            f"the cohort has a column 'split', which is one fold, but structure.yml says {config.folds} folds and "
            f"{config.repeats} repeats"
        )
    require_given_splits(cohort, cohort["label"].unique())
    roles = given_roles(cohort)
    table = cohort.drop(columns="split")
    return table.assign(held_out=(roles == "held_out"), fold=(roles == "validation").astype(int))


def require_whole_patients(splits: pd.DataFrame) -> None:
    """LeakError if two eyes of one patient are in different parts of the splits or validated by different folds."""
    patients = pd.Series(patients_of(splits), index=splits.index)
    for name in ("held_out", *fold_columns(splits)):
        parts = splits[name].groupby(patients).nunique()
        if len(torn := parts[parts > 1]):
            raise LeakError(
                f"patient {torn.index[0]}: its eyes differ in {name} of the splits, so a network would be judged on a "
                "person it has learnt from; put all eyes of a patient into one part"
            )


def fold_table(splits: pd.DataFrame, fold: int) -> pd.DataFrame:
    """The splits as one fold sees them: columns fold and role (train, validation or held_out)."""
    columns = fold_columns(splits)
    validated = (splits[columns] == fold).any(axis=1)
    role = np.where(splits["held_out"], "held_out", np.where(validated, "validation", "train"))
    return splits.drop(columns=["held_out", *columns[1:]]).assign(fold=fold, role=role)


def fold_tables(splits: pd.DataFrame, config: SplitConfig) -> list[pd.DataFrame]:
    """`fold_table` of every fold of every repeat."""
    return [fold_table(splits, fold) for fold in config.fold_numbers]


def validated_by(splits: pd.DataFrame) -> pd.DataFrame:
    """One row per development subject and repeat: subject, and the fold that validates it."""
    rows = splits[~splits["held_out"].astype(bool)]
    parts = [rows[["subject", name]].set_axis(["subject", "fold"], axis=1) for name in fold_columns(splits)]
    long = pd.concat(parts, ignore_index=True)
    return long[long["fold"] > 0].astype({"subject": str}).reset_index(drop=True)


def admit_subjects(splits: pd.DataFrame, processed: Container[str]) -> pd.DataFrame:
    """The splits of the subjects that could be processed; the others keep their place to nobody.

    DataError if a part is left without a class by that.
    """
    there = splits["subject"].astype(str).map(lambda subject: subject in processed).astype(bool)
    if not splits.empty:  # unlabelled eyes are divided into nothing
        _check_classes(splits, there)
    return splits[there].reset_index(drop=True)

"""The leak guard of evaluation: predictions against the splits, and against what the networks have seen."""

import logging
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from octa_kedro.cohort.columns import LEARNT_COPY, patients_of
from octa_kedro.cohort.leak import require_disjoint
from octa_kedro.cohort.splits import fold_columns, require_whole_patients, validated_by
from octa_kedro.cohort.trainings import training_words
from octa_kedro.errors import DataError, LeakError
from octa_kedro.evaluation.predictions import (
    HELD_OUT,
    OUT_OF_FOLD,
    REQUIRED_COLUMNS,
    pool_predictions,
    require_columns,
    require_same_eyes,
    with_seed,
)

log = logging.getLogger(__name__)

REMEDY = "run the training and evaluation pipelines again with these splits"
SEEN_COLUMNS = ("model", "fold", "subject", "patient", "used_for")


def count_repeats(splits: pd.DataFrame) -> int:
    """How many times the development subjects are divided into folds."""
    return len(fold_columns(splits))


def require_agreement(table: pd.DataFrame, splits: pd.DataFrame, seeds: Mapping[str, int] | None = None) -> None:
    """LeakError unless every model's rows, before they are pooled, are those that the splits ask for.

    That is: out of fold k are the validation subjects of fold k, held out are the held-out subjects, by every
    fold, all by each of the model's `seeds` (1 where nothing is stated), and no patient is in two of these. DataError
    for a subject that the splits do not know, one that is missing, or another target.
    """
    require_columns(table, REQUIRED_COLUMNS, "predictions")
    require_columns(splits, ("subject", "target", "held_out", "fold"), "splits")
    require_whole_patients(splits)
    table = with_seed(table)
    validated = validated_by(splits)
    held_out = splits.loc[splits["held_out"].astype(bool), "subject"].astype(str)
    folds = sorted(set(validated["fold"]))
    expected = {(s, OUT_OF_FOLD, int(k)) for s, k in zip(validated["subject"], validated["fold"], strict=True)}
    expected |= {(s, HELD_OUT, int(k)) for s in held_out for k in folds}
    target = dict(zip(splits["subject"].astype(str), splits["target"], strict=True))
    for model, rows in table.groupby("model", sort=False):
        subjects = rows["subject"].astype(str)
        if unknown := sorted(set(subjects) - target.keys()):
            raise DataError(f"{model}: subject {unknown[0]} is predicted but not in the splits; {REMEDY}")
        found = set(zip(subjects, rows["part"], rows["fold"].astype(int), rows["seed"], strict=True))
        _require_none(str(model), {one[:3] for one in found} - expected)
        numbers = range(1, (seeds or {}).get(str(model), 1) + 1)
        asked = {(*one, seed) for one in expected for seed in numbers}
        if missing := sorted(asked - found):
            subject, part, fold, seed = missing[0]
            who = training_words(fold, seed) if len(numbers) == 1 else f"fold {fold}, seed {seed},"
            raise DataError(f"{model}: {who} has no {_words(part)} prediction of subject {subject}; {REMEDY}")
        if extra := sorted(found - asked):
            raise DataError(
                f"{model}: there are predictions of fold {extra[0][2]}, seed {extra[0][3]}, but it is trained with "
                f"{len(numbers)} seeds (structure.yml); {REMEDY}"
            )
        if (odd := subjects[subjects.map(target) != rows["target"]]).size:
            raise DataError(f"{model}: subject {odd.iloc[0]} has another target than in the splits; {REMEDY}")


def require_unseen(table: pd.DataFrame, seen: pd.DataFrame, splits: pd.DataFrame) -> None:
    """LeakError if a network has learnt from a patient it is judged on, or had its epoch chosen by a held-out one.

    `seen` has a row per model, fold, seed, subject and use (used_for: training, validation or pretraining), taken from
    the checkpoints that made the predictions. DataError if it lacks a model's fold or seed, or says that its network
    has learnt from nobody.
    """
    require_columns(seen, SEEN_COLUMNS, "seen")
    table, seen = with_seed(table), with_seed(seen)
    patients = dict(zip(seen["subject"].astype(str), seen["patient"].astype(str), strict=True))
    patients |= dict(zip(splits["subject"].astype(str), patients_of(splits), strict=True))
    known = dict(iter(seen.groupby(["model", "fold", "seed"], sort=False)))
    for network, rows in table.groupby(["model", "fold", "seed"], sort=False):
        model, fold, seed = rows[["model", "fold", "seed"]].iloc[0]
        judge, learner = f"{model}, {training_words(fold, seed)}", "the network that is judged on them"
        if network not in known:
            raise DataError(f"{judge}: what its network has seen is not known; {REMEDY}")
        own = known[network]
        learnt = own.loc[own["used_for"] != "validation", "subject"].astype(str)
        if not (own["used_for"] == "training").any():
            raise DataError(f"{judge}: no eye is known that its network was trained on; {REMEDY}")
        require_disjoint(_subjects(rows), learnt, judge=judge, learner=learner, patients=patients)
        chosen_by = own.loc[own["used_for"] == "validation", "subject"].astype(str)
        held_out = _subjects(rows[rows["part"] == HELD_OUT])
        require_disjoint(
            held_out, chosen_by, judge=f"{judge}, held out", learner="the choice of its epoch", patients=patients
        )


def _subjects(rows: pd.DataFrame) -> list[str]:
    return rows["subject"].astype(str).tolist()


def _require_none(model: str, odd: Iterable[tuple[str, str, int]]) -> None:
    """LeakError naming the first of the rows that the splits do not ask for."""
    for subject, part, fold in sorted(odd):
        role = f"a validation subject of fold {fold}" if part == OUT_OF_FOLD else "held out from that fold"
        raise LeakError(
            f"{model}: subject {subject} is reported {_words(part)} by fold {fold}, but the splits do not say that it "
            f"is {role}: the network may have learnt from it; {REMEDY}"
        )


def _words(part: str) -> str:
    return part.replace("_", "-" if part == HELD_OUT else " ")


Named = Sequence[tuple[str, pd.DataFrame]]


def pool_agreed(
    floor: pd.DataFrame, splits: pd.DataFrame, predicted: Named, seen: Named, seeds: Mapping[str, int] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per model and eye (`predictions.pool_predictions`), and one per network and eye, once all agree.

    `predicted` are (model, predictions of a fold with a seed), `seen` are (model, what that network has seen), `seeds`
    says with how many each model's folds were trained, `floor` is the linear model's predictions. DataError if
    predictions and splits name other eyes, LeakError if a network was trained on an eye it is judged on. An eye of
    which a network has learnt a near copy is left out for all models, with a warning that names both: no metric counts
    it.
    """
    networks = pd.concat([table.assign(model=model) for model, table in predicted], ignore_index=True)
    everything = pd.concat([networks, floor], ignore_index=True)
    require_agreement(everything, splits, seeds)
    require_unseen(networks, pd.concat([table.assign(model=m) for m, table in seen], ignore_index=True), splits)
    by_fold = with_seed(everything.drop(columns=LEARNT_COPY, errors="ignore"))
    pooled = pool_predictions(by_fold, count_repeats(splits), seeds)
    require_same_eyes(pooled)
    copies = _copies(networks)
    return _without(copies, pooled), _without(copies, by_fold)


def _copies(networks: pd.DataFrame) -> set[str]:
    """The eyes whose image a network has learnt under another name, each with a warning."""
    if LEARNT_COPY not in networks:
        return set()
    marked = networks[networks[LEARNT_COPY].fillna("") != ""]
    copies = dict(zip(marked["subject"].astype(str), marked[LEARNT_COPY].astype(str), strict=True))
    for subject, other in sorted(copies.items()):
        log.warning("eye %s is in no metric: its image is nearly that of %s, which was learnt", subject, other)
    return set(copies)


def _without(eyes: set[str], table: pd.DataFrame) -> pd.DataFrame:
    return table[~table["subject"].astype(str).isin(eyes)].reset_index(drop=True)

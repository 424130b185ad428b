"""The leak guard of training: a fold's validation and held-out patients against those its weights learn from."""

import logging
from collections.abc import Iterable, Mapping

import pandas as pd

from octa_kedro.cohort.columns import patients_of, subjects_of
from octa_kedro.cohort.leak import require_disjoint
from octa_kedro.errors import LeakError
from octa_kedro.preprocessing.copies import ALIKE, CANDIDATE, COPY, SAME, compare_stored
from octa_kedro.preprocessing.sketch import SKETCH
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import CheckpointCard

log = logging.getLogger(__name__)

TRAINING, VALIDATION, PRETRAINING = "training", "validation", "pretraining"


def patients_in(table: pd.DataFrame) -> dict[str, str]:
    """Subject -> patient, for the subjects of a table that are not patients of their own."""
    pairs = zip(table["subject"].astype(str), patients_of(table), strict=True)
    return {subject: patient for subject, patient in pairs if subject != patient}


def require_sound_fold(table: pd.DataFrame) -> None:
    """LeakError if a patient of a fold table has eyes in two of training, validation and held-out.

    The held-out part must not meet the validation part either, which chooses the epoch that is kept.
    """
    fold, patients = int(table["fold"].iloc[0]), patients_in(table)
    train, validation, held_out = (subjects_of(table, role) for role in ("train", "validation", "held_out"))
    judge = f"fold {fold}"
    require_disjoint([*validation, *held_out], train, judge=judge, learner="its own training", patients=patients)
    judge = f"fold {fold}, held out"
    require_disjoint(held_out, validation, judge=judge, learner="the choice of its epoch", patients=patients)


def require_fold_unseen(table: pd.DataFrame, card: CheckpointCard, *, learner: str) -> None:
    """LeakError if the weights of `card` have learnt from a validation or held-out patient of a fold table, or
    its epoch was chosen by a held-out one."""
    fold, patients = int(table["fold"].iloc[0]), {**card.patients, **patients_in(table)}
    validation, held_out = subjects_of(table, "validation"), subjects_of(table, "held_out")
    judge = f"fold {fold}"
    require_disjoint([*validation, *held_out], card.learnt_from(), judge=judge, learner=learner, patients=patients)
    judge, learner = f"fold {fold}, held out", f"{learner}, to choose its epoch"
    require_disjoint(held_out, card.seen.get(VALIDATION, ()), judge=judge, learner=learner, patients=patients)


def require_images_unseen(
    images: Mapping[str, Stored], table: pd.DataFrame, card: CheckpointCard, *, learner: str
) -> dict[str, str]:
    """LeakError if the weights of `card` have learnt, under another name, from the image of a validation or held-out
    eye of a fold table; those that they have learnt from a near copy of, with the name of that, which no metric may
    count. A warning names each, and also images that are alike but may be of two eyes: these count.

    Names are `require_fold_unseen`'s part: here the image counts. The two eyes of a patient may be alike.
    """
    fold, patients = int(table["fold"].iloc[0]), {**card.patients, **patients_in(table)}
    copies: dict[str, str] = {}
    for subject in (*subjects_of(table, "validation"), *subjects_of(table, "held_out")):
        other, correlation = card.learnt_copy_of(images[subject].meta.get(SKETCH, ()))
        if other in images and CANDIDATE <= correlation < SAME:  # the sketch only estimates it, and not of moved copies
            correlation = max(correlation, compare_stored(images[subject], images[other]))
        if correlation < ALIKE or patients.get(other, other) == patients.get(subject, subject):
            continue
        words = f"fold {fold}: the image of {subject} is that of {other}, which was seen by {learner}"
        if correlation >= SAME:
            raise LeakError(f"{words}; take one of them out of the table, and train again")
        if correlation >= COPY:
            copies[subject] = other
        counts = "no metric counts it" if correlation >= COPY else "it counts, as it may be another eye"
        log.warning("%s, or nearly so (correlation %.2f); %s", words, correlation, counts)
    return copies


def sketches_of(images: Mapping[str, Stored], subjects: Iterable[str]) -> dict[str, str]:
    """The sketch of each of these subjects' images, for a card; of images of earlier versions there is none."""
    return {s: images[s].meta[SKETCH][0] for s in subjects if images[s].meta.get(SKETCH)}

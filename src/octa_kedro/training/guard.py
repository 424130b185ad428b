"""The leak guard of training: a fold's validation and held-out patients against those its weights learn from."""

import logging
from collections.abc import Iterable, Mapping

import pandas as pd

from octa_kedro.cohort.columns import patients_of, subjects_of
from octa_kedro.cohort.leak import require_disjoint
from octa_kedro.errors import CheckpointError, DataError, LeakError
from octa_kedro.preprocessing.copies import ALIKE, CANDIDATE, COPY, SAME, compare_stored
from octa_kedro.preprocessing.processed_as import REFERENCES
from octa_kedro.preprocessing.sketch import SKETCH, rank_alike
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import CheckpointCard

log = logging.getLogger(__name__)

TRAINING, VALIDATION, PRETRAINING = "training", "validation", "pretraining"
COMPARED, NAMED = 8, 5
"""Images, the most alike by their sketches, that one is compared with as a whole (an eye has hardly more copies); eyes
that one warning names."""


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
    return _learnt_copies(images, table, card.sketches, {**card.patients, **patients_in(table)}, learner=learner)


def without_learnt_copies(
    images: Mapping[str, Stored], table: pd.DataFrame, encoder: CheckpointCard | None
) -> pd.DataFrame:
    """The validation rows of a fold table that may choose the epoch and the parameters of its training: no metric
    counts a near copy of an eye that is learnt from, in training or by the `encoder`, and so no choice does.

    LeakError for an image under two names; DataError if a class of the validation eyes has near copies only.
    """
    learnt = sketches_of(images, subjects_of(table, "train"))
    patients = patients_in(table)
    if encoder is not None:
        learnt, patients = {**encoder.sketches, **learnt}, {**encoder.patients, **patients}
    rows = table[table["role"] == "validation"]
    copies = _learnt_copies(images, rows, learnt, patients, learner="its own training")
    kept = rows[~rows["subject"].astype(str).isin(list(copies))]
    if lost := sorted(set(rows["label"]) - set(kept["label"])):
        one, other = next(iter(copies.items()))
        raise DataError(
            f"fold {int(table['fold'].iloc[0])}: all validation eyes of class {', '.join(map(str, lost))} are near "
            f"copies of eyes that are learnt from ({one} of {other}), so no epoch can be chosen by them; take one eye "
            "of each pair out of the table, or put both into one part"
        )
    return kept


def _learnt_copies(
    images: Mapping[str, Stored],
    table: pd.DataFrame,
    learnt: Mapping[str, str],
    patients: Mapping[str, str],
    *,
    learner: str,
) -> dict[str, str]:
    """Validation and held-out eyes that are near copies of those with the sketches `learnt`, with the names of these;
    see `require_images_unseen`."""
    copies: dict[str, str] = {}
    fold, alike = int(table["fold"].iloc[0]), []
    for subject in (*subjects_of(table, "validation"), *subjects_of(table, "held_out")):
        other, correlation = _most_alike(images, subject, learnt, patients)
        if correlation < ALIKE:
            continue
        words = f"fold {fold}: the image of {subject} is that of {other}, which was seen by"
        if correlation >= SAME:
            raise LeakError(f"{words} {learner}; take one of them out of the table, and train again")
        if correlation >= COPY:
            copies[subject] = other
            log.warning("%s %s, or nearly so (correlation %.2f); no metric counts it", words, learner, correlation)
        else:
            alike.append(f"{subject} that of {other}, correlation {correlation:.2f}")
    if alike:
        log.warning(
            "fold %d: %d images are like ones that were seen by %s; they count, as they may be of other eyes (%s%s)",
            fold, len(alike), learner, "; ".join(alike[:NAMED]), "; ..." if len(alike) > NAMED else "",
        )  # fmt: skip
    return copies


def _most_alike(
    images: Mapping[str, Stored], subject: str, learnt: Mapping[str, str], patients: Mapping[str, str]
) -> tuple[str, float]:
    """The eye of another patient whose image is most like that of `subject`, and their correlation; ("", 0) if none is
    alike. The sketch only estimates it, and not that of moved copies: images that are there are compared as a whole."""
    own = patients.get(subject, subject)
    found = ("", 0.0)
    others = [one for one in rank_alike(images[subject].meta.get(SKETCH, ()), learnt) if one[1] >= CANDIDATE]
    for other, likely in [one for one in others if patients.get(one[0], one[0]) != own][:COMPARED]:
        whole = likely if other not in images or likely >= SAME else compare_stored(images[subject], images[other])
        found = max(found, (other, max(likely, whole)), key=lambda one: one[1])
    return found


def sketches_of(images: Mapping[str, Stored], subjects: Iterable[str]) -> dict[str, str]:
    """The sketch of each of these subjects' images, for a card; of images of earlier versions there is none."""
    return {s: images[s].meta[SKETCH][0] for s in subjects if images[s].meta.get(SKETCH)}


def require_same_references(images: Mapping[str, Stored], card: CheckpointCard, network: str) -> None:
    """CheckpointError for an image that was registered to another eye than those that the `network` was trained on."""
    if card.familiar is None or card.processing.registration.method == "none":
        return
    for subject, stored in images.items():
        if not stored.meta.get(REFERENCES, {}).items() <= card.familiar.references.items():
            raise CheckpointError(
                f"subject {subject}: it was registered to another eye than those that {network} was trained on; "
                "run in the environment that trained it"
            )

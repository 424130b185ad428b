"""The eyes of the second cohort: with the classes that the networks know, and of nobody whom they could have seen."""

import logging
from collections.abc import Mapping

import pandas as pd

from octa_kedro.cohort.columns import class_names, patients_of
from octa_kedro.cohort.config import ClassConfig, CohortConfig
from octa_kedro.cohort.leak import person_of
from octa_kedro.cohort.table import Selection, select_eyes
from octa_kedro.errors import ConfigError, DataError, LeakError
from octa_kedro.external.config import ExternalConfig
from octa_kedro.identifiers import find_name, name_key
from octa_kedro.io.source import Source
from octa_kedro.preprocessing.copies import ALIKE, CANDIDATE, COPY, compare_stored
from octa_kedro.preprocessing.sketch import SKETCH, rank_alike
from octa_kedro.results.config import OnError
from octa_kedro.results.stored import Stored

COMPARED = 8
"""Images of the development cohort, the most alike by their sketches, that one is compared with as a whole."""
EXCLUDE = "external_test.exclude"
WAY_OUT = (
    "it would not be external: leave these eyes out (external_test.exclude), or name another cohort "
    "(--params external_test.path=FOLDER)"
)

log = logging.getLogger(__name__)


def second_cohort(cohort: CohortConfig, external: ExternalConfig, splits: pd.DataFrame) -> CohortConfig:
    """How the second cohort is read: as that of the `splits`, with its classes and a list of its own of eyes to leave
    out. ConfigError for other classes than those the networks were trained with, and for a cohort without labels."""
    if not cohort.labelled:
        raise ConfigError("cohort.labelled is false, but an external test needs labels; `inference` reads eyes without")
    known = class_names(splits)
    if cohort.classes is not None and cohort.class_names != known:
        raise ConfigError(
            f"cohort.classes are {', '.join(cohort.class_names)}, but the networks know {', '.join(known)}; give the "
            "classes that they were trained with"
        )
    own = cohort.classes or tuple(ClassConfig(name=name, diseases=(name,)) for name in known)
    return cohort.model_copy(update={"classes": own, "negative": None, "exclude": external.exclude})


def select_second(
    source: Source,
    who: CohortConfig,
    external: ExternalConfig,
    development: pd.DataFrame,
    *,
    own_words: bool,
    on_error: OnError = "stop",
) -> Selection:
    """The eyes of the second cohort (`cohort.table.select_eyes`); a column ``split`` of its table says nothing here.

    `development` is the cohort table that the networks were trained on. With `own_words` (classes were read from its
    label table) every word of the second table must be one of them. DataError names an eye of another word, ConfigError
    a class that no eye has, LeakError eyes of the development cohort, by their names or those of their patients.
    """
    try:
        selection = select_eyes(source, who, on_error=on_error, divided=False)
    except ConfigError as error:
        if not own_words:
            raise
        raise ConfigError(
            f"second cohort, whose classes are those of the networks ({', '.join(who.class_names)}): {error}"
        ) from error
    left_out = {find_name(key, selection.flow["subject"], EXCLUDE, in_a_list=True) for key in external.exclude}
    of_none = selection.flow[(selection.flow["left_at"] == "class") & ~selection.flow["subject"].isin(left_out)]
    if own_words and len(of_none):
        first = of_none.iloc[0]
        raise DataError(
            f"subject {first['subject']}: its label {first['disease']} is no class of the networks, which know "
            f"{', '.join(who.class_names)}; correct the label, or leave the eye out (external_test.exclude)"
        )
    if external.same_names == "refuse":
        require_other_people(selection.table, development)
    return selection


def require_other_people(second: pd.DataFrame, development: pd.DataFrame) -> None:
    """LeakError if an eye of `second`, or its patient, is called like one of `development` (columns subject and, where
    known, patient; compared as `cohort.leak` compares people)."""
    known = {name for _, names in _people(development) for name in names}
    shared = [subject for subject, names in _people(second) if names & known]
    if shared:
        raise LeakError(
            f"second cohort: {len(shared)} of {len(second)} eyes ({', '.join(shared[:5])}"
            f"{', ...' if len(shared) > 5 else ''}), or their patients, are of the development cohort by their names, "
            f"so {WAY_OUT}; if both cohorts only number alike, say external_test.same_names=other_people"
        )


def _people(table: pd.DataFrame) -> list[tuple[str, set[str]]]:
    """Each eye with its own name and that of its patient, as they are compared."""
    subjects = table["subject"].astype(str).tolist()
    of = dict(zip(subjects, patients_of(table), strict=True))
    return [(subject, {name_key(subject), person_of(subject, of)}) for subject in subjects]


def require_other_images(second: Mapping[str, Stored], development: Mapping[str, Stored]) -> list[str]:
    """Words on images of the second cohort that are alike to one of the development cohort but may be of another eye.

    LeakError names those that are the same image, or nearly so (`preprocessing.copies.COPY`), whatever they are called.
    Images without a sketch are compared by their bytes alone.
    """
    by_bytes = {stored.sha256: subject for subject, stored in development.items()}
    sketches = {name: stored.meta[SKETCH][0] for name, stored in development.items() if stored.meta.get(SKETCH)}
    same, alike = [], []
    for subject, stored in second.items():
        other, correlation = by_bytes.get(stored.sha256, ""), 1.0
        if not other:
            other, correlation = _most_alike(stored, development, sketches)
        if correlation >= COPY:
            same.append(f"{subject} is {other}")
        elif correlation >= ALIKE:
            alike.append(
                f"{subject} of the second and {other} of the development cohort (correlation {correlation:.2f})"
            )
    if same:
        raise LeakError(
            f"second cohort: {len(same)} images are those of development eyes, or nearly so ({', '.join(same[:5])}"
            f"{', ...' if len(same) > 5 else ''}), so {WAY_OUT}"
        )
    words = [f"{one}: alike, but perhaps of two eyes; it counts" for one in alike]
    for line in words:
        log.warning("eyes %s", line)
    return words


def _most_alike(image: Stored, development: Mapping[str, Stored], sketches: Mapping[str, str]) -> tuple[str, float]:
    """The development eye whose image is most like this one, and their correlation; ("", 0) if none is alike."""
    found = ("", 0.0)
    near = [one for one in rank_alike(image.meta.get(SKETCH, ()), sketches) if one[1] >= CANDIDATE]
    for other, likely in near[:COMPARED]:
        found = max(found, (other, max(likely, compare_stored(image, development[other]))), key=lambda one: one[1])
    return found


def as_held_out(cohort: pd.DataFrame) -> pd.DataFrame:
    """The cohort as splits in which no fold has any of its eyes: held_out true, fold 0."""
    return cohort.assign(held_out=True, fold=0)

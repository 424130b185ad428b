"""The cohort table: one row per eye that is used, with its label and the measures of its scan."""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

import pandas as pd

from octa_kedro.cohort.classes import label_classes
from octa_kedro.cohort.columns import patients_of
from octa_kedro.cohort.config import ClassConfig, CohortConfig, disease_word
from octa_kedro.cohort.flow import leave, start_flow
from octa_kedro.cohort.given_splits import require_given_splits
from octa_kedro.cohort.sizes import odd_sizes
from octa_kedro.cohort.twins import same_drawings, same_scans
from octa_kedro.errors import ConfigError, DataError
from octa_kedro.identifiers import ONLY_SO, UNKNOWN, find_alike, find_name
from octa_kedro.io.source import Source
from octa_kedro.results.config import OnError
from octa_kedro.results.guard import each_eye

log = logging.getLogger(__name__)

UNLISTED = "a file in the folder, but not in its table"


@dataclass(frozen=True)
class Selection:
    """The eyes that take part, and the flow (`cohort.flow`) of all eyes there are."""

    table: pd.DataFrame
    flow: pd.DataFrame


def select_eyes(source: Source, config: CohortConfig, *, on_error: OnError = "stop", divided: bool = True) -> Selection:
    """Every labelled eye of `source` whose disease is in a class, checked for presence and consistency.

    Columns of the table: subject, disease, label (class name), target (class index), field_of_view_mm, width,
    n_bscans, depth, and whatever else the label table has (its `patient`, where two eyes of one person stand,
    completed by the subject). Sorted by subject. DataError names two subjects that have one scan, an unknown disease
    word or, unless such eyes
    are put aside (``on_error="quarantine"``), one whose files are missing or disagree. ConfigError where classes are to
    be read from the table and it is not sure which is the negative one. Of eyes that are not to be `divided` a column
    ``split`` says nothing, and is left out.
    """
    labels, config = _labels(source, config)
    if not divided:
        labels = labels.drop(columns="split", errors="ignore")
    flow = _flow_of_labels(source, labels, config)
    staying = set(flow.loc[flow["left_at"] == "", "subject"])
    if config.labelled and not staying:
        words = ", ".join(config.class_words)
        raise DataError(f"no labelled eye has a disease of the classes {words}; correct cohort.classes")
    kept = labels[labels["subject"].isin(staying)]
    if config.labelled:
        _require_all_classes(kept, config)
    if "split" in kept.columns:
        require_given_splits(kept, config.class_names)
    checked = each_eye(kept["subject"], lambda subject: _measures(source, subject, config.modalities), on_error)
    measures, bad = [*checked.done.values()], checked.failed
    flow = leave(flow, "files", bad)
    if bad and not measures:
        raise DataError(f"no eye has sound files; the first: {next(iter(bad.values()))}")
    kept = kept[~kept["subject"].isin(list(bad))].reset_index(drop=True)
    _refuse_twins(same_scans(source, kept["subject"], config.modalities, on_error=on_error), config)
    drawn = same_drawings(source, kept["subject"], on_error=on_error)
    _refuse_twins(drawn["surfaces"], config)
    for line in drawn["lesion"]:
        log.warning("%s", line)  # no more: a lesion mask is compared with what is explained, and never learnt from
    if config.labelled:
        kept = kept.assign(target=kept["label"].map({name: i for i, name in enumerate(config.class_names)}))
    else:
        kept = kept[[column for column in ("subject", "patient") if column in kept.columns]]
    table = pd.concat([kept, pd.DataFrame(measures)], axis=1).sort_values("subject", ignore_index=True)
    for line in odd_sizes(table):
        log.warning("%s", line)
    return Selection(table, _with_fields_of_view(flow, table, source, config))


def _refuse_twins(words: list[str], config: CohortConfig) -> None:
    """DataError for the first of the scans that two eyes share; a warning each where nobody learns from them."""
    if words and config.labelled:
        raise DataError(words[0])
    for line in words:
        log.warning("%s", line)


def _flow_of_labels(source: Source, labels: pd.DataFrame, config: CohortConfig) -> pd.DataFrame:
    """All eyes on the sheet or on the disk, and who leaves for want of a label or a class or by the list."""
    unlabelled = dict.fromkeys(sorted(set(source.subjects()) - set(labels["subject"])), "not on the label sheet")
    known = {*labels["subject"], *unlabelled}
    unlabelled |= {name: UNLISTED for name in source.unlisted() if name not in known}
    others = pd.DataFrame({"subject": [*unlabelled]}, dtype=object).assign(disease="", label="")
    eyes = pd.concat([labels, others], ignore_index=True).assign(field_of_view_mm=math.nan)
    flow = leave(start_flow(eyes), "label sheet", unlabelled)
    if config.labelled:
        of_none = labels[labels["label"] == ""]
        reasons = {s: f"{d} is in no class" for s, d in zip(of_none["subject"], of_none["disease"], strict=True)}
        flow = leave(flow, "class", reasons)
    names = flow["subject"].tolist()
    found = {key: find_name(key, names, "cohort.exclude", in_a_list=True) for key in config.exclude}
    if strange := [str(key) for key, name in found.items() if name is None]:
        log.warning("cohort.exclude: %s is not among the eyes, so nothing is excluded by it", ", ".join(strange))
    return leave(flow, "exclusion list", {s: config.exclude[key] for key, s in found.items() if s is not None})


def _labels(source: Source, config: CohortConfig) -> tuple[pd.DataFrame, CohortConfig]:
    """The label sheet with whole disease words, the class of each (empty for none) and, if any, the patient; and the
    configuration with its classes."""
    if not config.labelled:
        eyes = pd.DataFrame({"subject": source.subjects()}, dtype=object).assign(disease="", label="")
        if patients := source.patients():
            eyes = eyes.assign(patient=eyes["subject"].map(patients))
            eyes = eyes.assign(patient=patients_of(eyes))
        return eyes, config
    labels = source.labels()
    config = with_classes(config, labels)
    labels = labels.assign(disease=labels["disease"].map(disease_word))
    class_of = {word: one.name for one in config.classes or () for word in one.diseases}
    labels = labels.assign(label=labels["disease"].map(lambda word: class_of.get(word, "")))
    if "patient" in labels.columns:
        labels = labels.assign(patient=patients_of(labels))
        _require_one_person(labels)
    return labels, config


def _require_one_person(labels: pd.DataFrame) -> None:
    """DataError for an eye without a patient whose own name could be that of another eye's patient."""
    if alike := find_alike(labels["patient"].tolist()):
        (one, other), (eye, another) = labels["patient"].iloc[list(alike)], labels["subject"].iloc[list(alike)]
        raise DataError(
            f"the patients {one!r} (subject {eye}) and {other!r} (subject {another}) differ {ONLY_SO}; an "
            "eye without a patient is a person of its own name: fill in the patient of both"
        )


def with_classes(config: CohortConfig, labels: pd.DataFrame) -> CohortConfig:
    """The configuration with the classes of the label table (columns subject, disease) where it names none.

    DataError for an empty or unknown label; ConfigError for a class word that no eye has where any word may stand, or
    where the negative class is not sure.
    """
    _check_diseases(labels, config)
    if config.classes is not None:
        if config.diseases is None:
            _check_class_words(config.class_words, {disease_word(word) for word in labels["disease"]})
        return config
    excluded = {find_name(key, labels["subject"], "cohort.exclude", in_a_list=True) for key in config.exclude}
    words = labels.loc[~labels["subject"].isin(excluded), "disease"]
    names = label_classes(words, config.negative)
    counts = words.map(disease_word).value_counts()
    shown = ", ".join(f"{name} ({counts[disease_word(name)]} eyes)" for name in names)
    if unknown := [name for name in names if disease_word(name) in UNKNOWN]:
        log.warning(
            "the label %s is taken for a class of its own; if it says that the label is not known, take these rows out "
            "of the table, or name the classes in cohort.classes", " and ".join(unknown),
        )  # fmt: skip
    log.info("classes, as the label table spells them, the negative one first: %s", shown)
    classes = tuple(ClassConfig(name=name, diseases=(name,)) for name in names)
    return config.model_copy(update={"classes": classes, "negative": None})


def _check_class_words(words: Iterable[str], there: set[str]) -> None:
    for word in words:
        if word not in there:
            guess = get_close_matches(word, there, n=1, cutoff=0.5)
            hint = f"did you mean {guess[0]}?" if guess else f"it has {', '.join(sorted(there))}"
            raise ConfigError(f"cohort.classes: {word} is no label of the table, {hint}")


def _require_all_classes(eyes: pd.DataFrame, config: CohortConfig) -> None:
    there = set(eyes["label"])
    if lost := [one for one in config.classes or () if one.name not in there]:
        raise DataError(
            f"no eye that takes part is of the class {lost[0].name} (diseases {', '.join(lost[0].diseases)}); correct "
            "cohort.classes or the label table"
        )


def _check_diseases(labels: pd.DataFrame, config: CohortConfig) -> None:
    words = labels["disease"].map(disease_word)
    if alike := find_alike(words.tolist()):
        (one, other), (eye, another) = words.iloc[list(alike)], labels["subject"].iloc[list(alike)]
        raise DataError(
            f"the labels {one!r} (subject {eye}) and {other!r} (subject {another}) differ {ONLY_SO}; spell one class "
            "alike in all rows"
        )
    if (words == "").any():
        subject = labels.loc[words == "", "subject"].iloc[0]
        raise DataError(f"subject {subject}: its label is empty; fill it in, or take the row out of the label table")
    if config.diseases is None or words.isin(config.diseases).all():
        return
    unknown = words[~words.isin(config.diseases)]
    guess = get_close_matches(unknown.iloc[0], config.diseases, n=1, cutoff=0.5)
    raise DataError(
        f"subject {labels.loc[unknown.index[0], 'subject']}: unknown disease {unknown.iloc[0]!r}"
        f"{f', did you mean {guess[0]}?' if guess else ''} (known: {', '.join(config.diseases)}); correct the label "
        "sheet or add the word to cohort.diseases"
    )


def _with_fields_of_view(flow: pd.DataFrame, table: pd.DataFrame, source: Source, config: CohortConfig) -> pd.DataFrame:
    """The flow with the field of view of every eye, NaN for one that left and has no readable files."""
    fields = dict(zip(table["subject"], table.get("field_of_view_mm", []), strict=True))
    others = flow.loc[~flow["subject"].isin(list(fields)) & (flow["reason"] != UNLISTED), "subject"]
    # Their files are not used, and may be what they left for.
    looked = each_eye(others, lambda subject: source.check(subject, config.modalities[0]), "quarantine")
    fields |= {subject: float(measures["field_of_view_mm"]) for subject, measures in looked.done.items()}
    return flow.assign(field_of_view_mm=flow["subject"].map(fields)).sort_values("subject", ignore_index=True)


def _measures(source: Source, subject: str, modalities: tuple[str, ...]) -> dict[str, float]:
    first, *others = [source.check(subject, modality) for modality in modalities]
    for modality, other in zip(modalities[1:], others, strict=True):
        if other != first:
            unlike = [f"{key} {first.get(key)} and {other.get(key)}" for key in first if first[key] != other.get(key)]
            raise DataError(
                f"subject {subject}: {modalities[0]} and {modality} are not of one scan ({', '.join(unlike)}); copy "
                "both again, or leave the eye out"
            )
    return first

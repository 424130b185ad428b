"""The cohort table: one row per eye that is used, with its label and the measures of its scan."""

from difflib import get_close_matches

import pandas as pd
from pydantic import Field, model_validator

from octa_kedro.config import Config
from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.source import Source

OCTA500_DISEASES = ("NORMAL", "AMD", "CNV", "CSC", "DR", "RVO", "OTHERS")


class ClassConfig(Config):
    """A class and the disease words that belong to it."""

    name: str
    diseases: tuple[str, ...] = Field(min_length=1)


class CohortConfig(Config):
    """Which eyes take part and what they count as.

    There are two `classes`; the first is the negative one (index 0). `diseases` are the words the label
    sheet may hold; eyes whose disease is in no class are left out. `modalities` are the volumes every eye
    must have. `exclude` lists identifiers to leave out. Without `labelled`, the source's eyes are processed
    as they are, and there is nothing to split or train on.
    """

    classes: tuple[ClassConfig, ...] = Field(min_length=2, max_length=2)
    diseases: tuple[str, ...] = OCTA500_DISEASES
    modalities: tuple[str, ...] = ("OCTA", "OCT")
    exclude: tuple[str, ...] = ()
    labelled: bool = True

    @model_validator(mode="after")
    def _known_words(self) -> "CohortConfig":
        words = [word for one in self.classes for word in one.diseases]
        if unknown := sorted(set(words) - set(self.diseases)):
            raise ValueError(f"classes: {', '.join(unknown)} is no disease word; known: {', '.join(self.diseases)}")
        if len(words) != len(set(words)):
            raise ValueError("classes: a disease word stands in two classes")
        return self


def make_cohort_table(source: Source, config: CohortConfig) -> pd.DataFrame:
    """Every labelled eye of `source` whose disease is in a class, checked for presence and consistency.

    Columns: subject, disease, label (class name), target (class index), field_of_view_mm, width, n_bscans,
    depth, and whatever else the label table has. Sorted by subject. DataError names an unknown disease word
    or an eye without a usable volume.
    """
    excluded = {str(subject) for subject in config.exclude}
    if not config.labelled:
        return _with_measures(
            pd.DataFrame({"subject": [s for s in source.subjects() if s not in excluded]}), source, config
        )
    labels = source.labels()
    _check_diseases(labels, config)
    class_of = {word: one.name for one in config.classes for word in one.diseases}
    table = labels[~labels["subject"].isin(excluded) & labels["disease"].isin(list(class_of))].copy()
    if table.empty:
        raise DataError(f"no labelled eye has a disease of the classes {', '.join(class_of)}; mend cohort.classes")
    table["label"] = table["disease"].map(class_of)
    table["target"] = table["label"].map({one.name: index for index, one in enumerate(config.classes)})
    return _with_measures(table, source, config)


def _check_diseases(labels: pd.DataFrame, config: CohortConfig) -> None:
    unknown = labels[~labels["disease"].isin(config.diseases)]
    if len(unknown):
        row = unknown.iloc[0]
        guess = get_close_matches(str(row["disease"]), config.diseases, n=1, cutoff=0.5)
        raise DataError(
            f"subject {row['subject']}: unknown disease {row['disease']!r}"
            f"{f', did you mean {guess[0]}?' if guess else ''} (known: {', '.join(config.diseases)}); mend the label "
            "sheet or add the word to cohort.diseases"
        )


def _with_measures(table: pd.DataFrame, source: Source, config: CohortConfig) -> pd.DataFrame:
    measures = [_measures(source, subject, config.modalities) for subject in table["subject"]]
    table = pd.concat([table.reset_index(drop=True), pd.DataFrame(measures)], axis=1)
    return table.sort_values("subject", ignore_index=True)


def _measures(source: Source, subject: str, modalities: tuple[str, ...]) -> dict[str, float]:
    first, *others = [source.check(subject, modality) for modality in modalities]
    for modality, other in zip(modalities[1:], others, strict=True):
        if other != first:
            raise DataError(f"subject {subject}: {modalities[0]} is {first} but {modality} is {other}; they must agree")
    return first


def class_names(table: pd.DataFrame) -> tuple[str, ...]:
    """Class names in the order of their index, from the columns label and target."""
    pairs = table[["target", "label"]].drop_duplicates().sort_values("target")
    if list(pairs["target"]) != list(range(len(pairs))):
        raise ConfigError(f"classes {dict(zip(pairs['label'], pairs['target'], strict=True))}: a class has no subject")
    return tuple(pairs["label"].astype(str))

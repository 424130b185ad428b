"""Parameters of the cohort and of its splits."""

import re
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from octa_kedro.config import Config
from octa_kedro.identifiers import ONLY_SO, Given, class_word, find_alike, shown, unfit_for_files
from octa_kedro.io.octa500 import DISEASES

LONGEST_CLASS = 60
ON_THE_LIST = "on the exclusion list"


def disease_word(value: object) -> str:
    """A disease as it is compared: see `class_word`."""
    return class_word(str(value))


def listed_reasons(value: Any) -> Any:
    """A list of eyes to leave out as a mapping of each to its reason; what is neither is left to be refused."""
    if value is None:  # what a list or a mapping of another environment can be laid over
        return {}
    if isinstance(value, list | tuple):
        value = dict.fromkeys(value, ON_THE_LIST)
    if not isinstance(value, dict):
        return value
    return {key.strip() if isinstance(key, str) else key: reason for key, reason in value.items()}


class ClassConfig(Config):
    """A class and the disease words that belong to it; a bare word is the class of that one disease."""

    name: str
    diseases: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _bare_word(cls, value: Any) -> Any:
        if isinstance(value, int | float):  # bool is an int
            raise ValueError(f"{value} is a number or a truth value; put the word in quotes, as the table spells it")
        return {"name": disease_word(value), "diseases": (value,)} if isinstance(value, str) else value

    @field_validator("name")
    @classmethod
    def _can_be_shown(cls, name: str) -> str:
        if not name.strip() or not name.isprintable() or len(name) > LONGEST_CLASS:
            raise ValueError(
                f"{shown(name)} is empty, longer than {LONGEST_CLASS} characters or holds one that cannot be seen; "
                "tables and figures are to show it"
            )
        return name

    @field_validator("diseases")
    @classmethod
    def _words(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(disease_word(word) for word in words)


class CohortConfig(Config):
    """Which eyes take part and what they count as.

    `classes` are two or more, each a disease word (``[NORMAL, DR, AMD]``) or a name with several words merged
    into it; the first is the negative one (index 0). Null: the words of the label table, in its own spelling, the
    negative one first (`classes.label_classes`); where it is not sure which that is, `negative` names it. `diseases`
    are the words the label sheet may hold, null any; eyes whose disease is in no class are left out. Words are compared
    whole, without regard to case or spaces round them. `modalities` are the volumes every eye must have. `exclude`
    lists identifiers to leave out, or maps each to the reason that the flow table shows. Without `labelled`, the
    source's eyes are processed as they are, and there is nothing to split or train on. `name` tells cohorts of one
    environment apart: each has a folder of results of its own (`data_root`).
    """

    name: str | None = Field(None, pattern=r"^[A-Za-z0-9][\w.-]*$")
    classes: Annotated[tuple[ClassConfig, ...], Field(min_length=2)] | None
    diseases: tuple[str, ...] | None = DISEASES
    negative: Given | None = None
    modalities: tuple[str, ...] = Field(("OCTA", "OCT"), min_length=1)
    exclude: dict[Given, str] = Field({})
    labelled: bool = True

    @field_validator("name")
    @classmethod
    def _no_folder_of_a_root(cls, name: str | None) -> str | None:
        if name is not None and (why := unfit_for_files(name)):
            raise ValueError(f"{name} {why}")
        if name is not None and (name in {"inference", "external", "unlabelled"} or re.match(r"\d\d_", name)):
            raise ValueError(f"{name} is the name of a folder within a cohort's results; choose another")
        return name

    @field_validator("exclude", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return listed_reasons(value)

    @field_validator("diseases")
    @classmethod
    def _words(cls, words: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if words is None else tuple(disease_word(word) for word in words)

    @model_validator(mode="after")
    def _known_words(self) -> "CohortConfig":
        if self.classes is None:
            return self
        if self.negative is not None:
            raise ValueError("negative: is for classes that are read from the table; of cohort.classes, name it first")
        words = self.class_words
        if self.diseases is not None and (unknown := sorted(set(words) - set(self.diseases))):
            raise ValueError(f"classes: {', '.join(unknown)} is no disease word; known: {', '.join(self.diseases)}")
        if len(words) != len(set(words)):
            raise ValueError("classes: a disease word stands in two classes")
        if len(names := self.class_names) != len(set(names)):
            raise ValueError("classes: two classes have one name")
        if alike := find_alike(names):
            raise ValueError(f"classes: {' and '.join(names[k] for k in alike)} differ {ONLY_SO}; rename one")
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of their index."""
        return tuple(one.name for one in self.classes or ())

    @property
    def class_words(self) -> tuple[str, ...]:
        """The disease words of all classes."""
        return tuple(word for one in self.classes or () for word in one.diseases)


class SplitConfig(Config):
    """How subjects are divided.

    `hold_out` is the share set aside before anything is trained. `folds` and `repeats` are structural: they
    repeat the numbers of `structure.yml`, from which the pipeline was built. Each repeat divides the same
    development subjects into folds anew; folds are numbered on, 1 .. folds x repeats.
    """

    hold_out: float = Field(0.3, gt=0, lt=1)
    folds: int = Field(5, ge=1)
    repeats: int = Field(1, ge=1)
    seed: int = Field(0, ge=0)

    @property
    def fold_numbers(self) -> range:
        """1 .. folds x repeats."""
        return range(1, self.folds * self.repeats + 1)

"""Classes that are read from the words of a label table, where no parameter says them."""

from collections.abc import Iterable

from octa_kedro.cohort.config import disease_word
from octa_kedro.errors import ConfigError, DataError
from octa_kedro.identifiers import Given, clean_name, find_name

NEGATIVE_WORDS = ("NORMAL", "NEGATIVE", "HEALTHY", "CONTROL")
"""Label words, in any case, that are known to be the negative class; 0 is, where all words are whole numbers."""


def label_classes(labels: Iterable[str], negative: Given | None = None) -> tuple[str, ...]:
    """The classes that the `labels` of a table are: its words in its own spelling, the negative one first.

    The others follow in alphabetical order, whole numbers by size. Words that differ in capitals alone are one word,
    spelt as where it first stands. The negative word is `negative`, or else the only one of `NEGATIVE_WORDS`.
    DataError if there are fewer than two words, ConfigError if the negative one is not sure.
    """
    spelt: dict[str, str] = {}
    for label in labels:
        spelt.setdefault(disease_word(label), clean_name(str(label)))
    words = [spelt[word] for word in sorted(spelt, key=_order)]
    if len(words) < 2:
        raise DataError(
            f"every labelled eye has the label {', '.join(words)}; classes need two label words or more in the table"
        )
    first = _negative(words, negative)
    return (first, *(word for word in words if word != first))


def _negative(words: list[str], named: Given | None) -> str:
    listed = ", ".join(words)
    if named is not None:
        found = find_name(disease_word(named) if isinstance(named, str) else named, _capitals(words), "cohort.negative")
        if found is None:
            raise ConfigError(f"cohort.negative={named} is no label of the table, which has {listed}")
        return words[_capitals(words).index(found)]
    known = ("0",) if all(word.isdecimal() for word in words) else NEGATIVE_WORDS
    sure = [word for word in words if disease_word(word) in known]
    if len(sure) != 1:
        raise ConfigError(
            f"which of the labels {listed} is the negative class is not sure ({' and '.join(sure) or 'none'} of them "
            f"known as such); name it with --params cohort.negative={(sure or words)[0]}"
        )
    return sure[0]


def _capitals(words: list[str]) -> list[str]:
    return [disease_word(word) for word in words]


def _order(word: str) -> tuple[bool, int, str]:
    number = word.removeprefix("-").isdecimal()
    return not number, int(word) if number else 0, word

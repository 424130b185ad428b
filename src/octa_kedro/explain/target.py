"""Which class a map is evidence for: one by index or by name, or of every eye the one that its networks predict."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from octa_kedro.errors import ConfigError
from octa_kedro.explain.config import PREDICTED
from octa_kedro.identifiers import find_name

log = logging.getLogger(__name__)

EXPLAINED, EXPLAINED_CLASS = "explained", "explained_class"
"""Facts of a map: index and name of the class that it is evidence for."""


def class_index(target: int | str, classes: Sequence[str]) -> int | None:
    """The index of `explainability.target_class` among a checkpoint's `classes`; None for PREDICTED, which differs from
    eye to eye. ConfigError for a class that is not among them."""
    known = f"the network has the classes {', '.join(classes)}, counted from 0"
    if isinstance(target, int):
        if target >= len(classes):
            raise ConfigError(f"explainability.target_class is {target}, but {known}")
        return target
    if (named := find_name(target, classes, "explainability.target_class")) is not None:
        if named == PREDICTED:
            raise ConfigError(f"explainability.target_class: a class is named {PREDICTED}; give its index ({known})")
        return list(classes).index(named)
    if target == PREDICTED:
        return None
    raise ConfigError(f"explainability.target_class is {target}, but {known}; give a name, an index or {PREDICTED}")


def tell_number(target: int | str, classes: Sequence[str]) -> None:
    """A warning where the index of one class is the name of another: a number is an index, text is a name."""
    if isinstance(target, int) and str(target) in classes and target < len(classes) and classes[target] != str(target):
        log.warning(
            "explainability.target_class %d is an index: maps are evidence for the class %s, not for the class named "
            "%d; write a name in quotes", target, classes[target], target,
        )  # fmt: skip


def facts_of(target: int, classes: Sequence[str]) -> dict[str, Any]:
    """What is stored with a map for the class `target`."""
    return {EXPLAINED: target, EXPLAINED_CLASS: classes[target]}


def evidence_for(facts: Mapping[str, Any]) -> str:
    """What the colours of a map with these facts measure."""
    name = facts.get(EXPLAINED_CLASS)
    return "evidence" if name is None else f"evidence for {name}"

"""Which class a map is evidence for: one by index or by name, or of every eye the one that its networks predict."""

from collections.abc import Mapping, Sequence
from typing import Any

from octa_kedro.errors import ConfigError
from octa_kedro.explain.config import PREDICTED
from octa_kedro.identifiers import find_name

EXPLAINED, EXPLAINED_CLASS = "explained", "explained_class"
"""Facts of a map: index and name of the class that it is evidence for."""


def class_index(target: int | str, classes: Sequence[str]) -> int | None:
    """The index of `explainability.target_class` among a checkpoint's `classes`; None for PREDICTED, which differs from
    eye to eye. Text that is the name of no class but a whole number is an index. ConfigError for a class that is not
    among them, or for text that is the name of one class and the index of another."""
    known = f"the network has the classes {', '.join(classes)}, counted from 0"
    if isinstance(target, int):
        if target >= len(classes):
            raise ConfigError(f"explainability.target_class is {target}, but {known}")
        return target
    index = int(target) if target.isascii() and target.isdecimal() else None
    if (named := find_name(target, classes, "explainability.target_class")) is not None:
        if named == PREDICTED:
            raise ConfigError(f"explainability.target_class: a class is named {PREDICTED}; give its index ({known})")
        if index is not None and index < len(classes) and classes[index] != named:
            raise ConfigError(
                f"explainability.target_class={target} may be the class {named} or the index of {classes[index]}; name "
                "the class by its index in a file of parameters"
            )
        return list(classes).index(named)
    if index is not None:
        return class_index(index, classes)
    if target == PREDICTED:
        return None
    raise ConfigError(f"explainability.target_class is {target}, but {known}; give a name, an index or {PREDICTED}")


def facts_of(target: int, classes: Sequence[str]) -> dict[str, Any]:
    """What is stored with a map for the class `target`."""
    return {EXPLAINED: target, EXPLAINED_CLASS: classes[target]}


def evidence_for(facts: Mapping[str, Any]) -> str:
    """What the colours of a map with these facts measure."""
    name = facts.get(EXPLAINED_CLASS)
    return "evidence" if name is None else f"evidence for {name}"

"""Which class a map is evidence for: one by index or by name, or of every eye the one that its networks predict."""

from collections.abc import Mapping, Sequence
from typing import Any

from octa_kedro.errors import ConfigError
from octa_kedro.explain.config import PREDICTED

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
    if target in classes:
        if target == PREDICTED:
            raise ConfigError(f"explainability.target_class: a class is named {PREDICTED}; give its index ({known})")
        return list(classes).index(target)
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

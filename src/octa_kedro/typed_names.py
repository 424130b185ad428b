"""Names on the command line stay as they were typed: Kedro turns the text of ``--params`` into numbers, truth values
and nulls, so that the eye 007 would be the eye 7."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from octa_kedro.errors import ConfigError

NAMES = ("inference.subject", "cohort.negative", "explainability.target_class")
"""Parameters that hold the name of an eye or a class; ``null`` is one, too. To unset a parameter, leave it out."""

INDEXED = NAMES[-1]
"""This one also takes a class by its index, which stays a number."""

TEXTS = (
    "cohort.name", "inference.name", "inference.model", "inference.checkpoint", "inference.checkpoints", "source.path",
    "parameters", "cohort.classes", "cohort.diseases", "cohort.exclude", "pretraining.exclude",
    "processing.registration.reference", "explainability.lesion_slabs",
)  # fmt: skip
"""Other parameters that are text, or hold names within lists and mappings; here ``null`` is none."""


def keep_names(parsed: dict[str, Any], items: Iterable[str]) -> dict[str, Any]:
    """`parsed` as Kedro made it of the `items` (``key=value``) of ``--params``, with names and texts as typed.

    ConfigError for a name without a value, as an empty shell variable gives it.
    """
    for item in items:
        key, _, typed = (part.strip() for part in item.partition("="))
        for name in (*NAMES, *TEXTS):
            if key == name and name in NAMES and not typed:
                raise ConfigError(f"{name}= has no value; write a name behind it, or leave the parameter out")
            text = _unquoted(typed) if f"{key}.".startswith(f"{name}.") else _below(typed, name, key)
            if text is not None and not (name == INDEXED and re.fullmatch("0|[1-9][0-9]*", typed)):
                _put(parsed, (key if key.startswith(name) else name).split("."), text, whatever=name in NAMES)
    return parsed


def _unquoted(typed: str) -> Any:
    """Text as it stands; without its quotes; or a YAML list or mapping in which all values are text."""
    if typed[:1] in {"[", "{"} or (len(typed) > 1 and typed[0] == typed[-1] and typed[0] in "'\""):
        try:
            return yaml.load(typed, yaml.BaseLoader)
        except (yaml.YAMLError, RecursionError):
            return typed
    return typed


def _below(typed: str, name: str, key: str) -> Any:
    """The text for `name` within the mapping that was typed for `key` above it; None if there is none."""
    if not name.startswith(f"{key}."):
        return None
    value = _unquoted(typed)
    for part in name.removeprefix(f"{key}.").split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _put(parsed: dict[str, Any], path: list[str], text: Any, *, whatever: bool) -> None:
    """Set the value at `path`, if there is one; a null only where `whatever` was typed is a name."""
    *parents, last = path
    for part in parents:
        parsed = parsed.get(part) if isinstance(parsed, dict) else None  # type: ignore[assignment]
    if isinstance(parsed, dict) and last in parsed and (whatever or parsed[last] is not None):
        parsed[last] = text

"""Names on the command line stay as they were typed: Kedro turns the text of ``--params`` into numbers, truth values
and nulls, so that the eye 007 would be the eye 7."""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from octa_kedro.configuration.parameters import GROUPS
from octa_kedro.configuration.run_parameters import FILE
from octa_kedro.errors import ConfigError
from octa_kedro.identifiers import Given
from octa_kedro.training.config import TrainingConfig


class Kind(Enum):
    """What a parameter holds that Kedro must not read as something else."""

    NAME = "the name of an eye or a class; null is one, too, so to unset it, leave the parameter out"
    INDEXED = "such a name, or a class by its index, which stays a number"
    TEXT = "other text, or names within lists and mappings; null is none"


def keep_names(parsed: dict[str, Any], items: Iterable[str]) -> dict[str, Any]:
    """`parsed` as Kedro made it of the `items` (``key=value``) of ``--params``, with names and texts as typed.

    ConfigError for a name without a value, as an empty shell variable gives it.
    """
    for item in items:
        key, _, typed = (part.strip() for part in item.partition("="))
        for name, kind in kinds_in(key.partition(".")[0]).items():
            if key == name and kind is not Kind.TEXT and not typed:
                raise ConfigError(f"{name}= has no value; write a name behind it, or leave the parameter out")
            text = _unquoted(typed) if f"{key}.".startswith(f"{name}.") else _below(typed, name, key)
            if text is not None and not (kind is Kind.INDEXED and re.fullmatch("0|[1-9][0-9]*", typed)):
                _put(parsed, (key if key.startswith(name) else name).split("."), text, whatever=kind is not Kind.TEXT)
    return parsed


@cache
def kinds_in(group: str) -> dict[str, Kind]:
    """The parameters of a group that are texts, as the classes of the parameters tell; a group of none of them is a
    model's."""
    if group == FILE:
        return {FILE: Kind.TEXT}
    return dict(_texts_of(GROUPS.get(group, TrainingConfig), group))


def _texts_of(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, Kind]]:
    for name, info in model.model_fields.items():
        path, options = f"{prefix}.{name}", {*_options(info.annotation)}
        leaves = {leaf for option in options for leaf in _leaves(option)}
        named = {*get_args(Given)} <= options
        if named or {int, str} <= options:
            yield path, Kind.NAME if named else Kind.INDEXED
        elif str in leaves and ({*get_args(Given)} <= leaves or not leaves & {int, float, bool, Any}):
            yield path, Kind.TEXT
        for option in options:
            if isinstance(option, type) and issubclass(option, BaseModel):
                yield from _texts_of(option, path)


def _options(annotation: Any) -> Iterator[Any]:
    """The types of which a value may be one."""
    if get_origin(annotation) is Annotated:
        yield from _options(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, UnionType}:
        for one in get_args(annotation):
            yield from _options(one)
    elif annotation is not NoneType:
        yield annotation


def _leaves(option: Any) -> Iterator[Any]:
    """The types of single values within lists, mappings and lists of configurations."""
    if get_origin(option) is Literal:
        return
    inner = get_args(option)[1:] if get_origin(option) is dict else get_args(option)
    within = [one for argument in inner if argument is not Ellipsis for one in _options(argument)]
    for one in within:
        if isinstance(one, type) and issubclass(one, BaseModel):
            yield from (
                leaf for info in one.model_fields.values() for o in _options(info.annotation) for leaf in _leaves(o)
            )
        else:
            yield from _leaves(one)
    if not within:
        yield option


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

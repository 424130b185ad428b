"""Names of eyes and labels that look like numbers: YAML and --params read them as numbers before anyone sees them."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from octa_kedro.errors import ConfigError

Given = str | int | float | bool
"""A name as a parameter may hold it; what is not text has lost its spelling: 007 and 7 are one number."""


def find_name(given: Given, names: Iterable[str], parameter: str, *, in_a_list: bool = False) -> str | None:
    """The one of `names` that the value `given` of a `parameter` means, or None if it is not among them.

    Text means the name that is spelt so. A number (007 is read as 7, 010 as 8, 1e5 as 100000.0) or a truth value (no
    is read as False) means a name only if nothing else could have been written. ConfigError if a name would have been
    read as this value but is, or may be, spelt otherwise; it says how to write it (a name `in_a_list` cannot be given
    on the command line).
    """
    known = list(names)
    if isinstance(given, str) and given in known:
        return given
    value = _as_read(given) if isinstance(given, str) else given
    if isinstance(value, str):
        return None
    same = [name for name in known if _same(_as_read(name), value)]
    if not same:
        return None
    if same == [str(given)]:
        return same[0]
    listed = " or ".join(f"'{name}'" for name in same)
    typed = "" if in_a_list else f", on the command line as --params \"{parameter}='{same[0]}'\""
    raise ConfigError(
        f"{parameter}: {given} may mean {listed}, since a name like this is read as a number or as yes or no where it "
        f'has no quotes: put it in quotes, in a YAML file as "{same[0]}"{typed}'
    )


def _same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


@cache
def _as_read(text: str) -> Any:
    """What Kedro makes of this text without quotes, in a YAML file or behind ``--params key=``."""
    try:
        return OmegaConf.from_dotlist([f"key={text}"])["key"]
    except (YAMLError, OmegaConfBaseException, ValueError):
        return text

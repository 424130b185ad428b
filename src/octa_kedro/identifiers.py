"""Names of eyes, patients and classes: how they are kept, how they are compared, and those that look like numbers.

YAML reads 007 as the number 7 and NO as False before anyone sees them; on the command line `typed_names` keeps what
was typed.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from octa_kedro.errors import ConfigError

Given = str | int | float | bool
"""A name as a parameter may hold it; what is not text has lost its spelling: 007 and 7 are one number."""

INVISIBLE = "Cf"
"""The Unicode category of zero-width spaces, joiners, byte order marks, soft hyphens and marks of direction."""

FLOOR_MARK = "floor_"
"""The names of models that are floors begin so, and no network's may."""
ONLY_SO = "only in capitals, spaces, quotes or the kind of their characters"

QUOTES = "'\"`\u2018\u2019\u201c\u201d"
"""Round a name; Excel shows no apostrophe before a text, but other programs write it out."""

LOOK_ALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0432\u043d\u043a\u043c\u0442"
    "\u03b1\u03bf\u03c1\u03c5\u03bd\u03b9\u03ba\u03c4\u03b2",
    "aeopcyxijsbhkmtaopyvikt\u00df",
)
"""Small Cyrillic and Greek letters that, small or capital, look like a Latin one."""

LONGEST = 120
"""Bytes of a name of files: file systems allow 255, of which the names of an eye's files need up to 100 beside it."""

FORBIDDEN = frozenset('/\\:*?"<>|')
"""What no file name may hold on Windows or on its network drives, where data are taken; the first two nowhere."""

_PORTS = (f"{port}{n}" for port in ("COM", "LPT") for n in "123456789\u00b9\u00b2\u00b3")
RESERVED = frozenset({"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *_PORTS})
"""Names of devices on Windows, with whatever ending."""

MOST_SHOWN = 40

UNKNOWN = frozenset({"NA", "N/A", "<NA>", "NAN", "NAT", "NONE", "NULL", "UNKNOWN", "?", "-"})
"""Words, as `class_word`, by which programs and people say that something is not known; they may be names, too."""


def clean_name(text: str) -> str:
    """A name as it is kept: composed characters (NFC), no invisible ones, single spaces between words."""
    composed = unicodedata.normalize("NFC", text)
    return " ".join("".join(letter for letter in composed if unicodedata.category(letter) != INVISIBLE).split())


def class_word(text: str) -> str:
    """A disease or class as it is compared: `clean_name` in capitals, whole, never a part of a word."""
    return clean_name(text).upper()


def name_key(text: str) -> str:
    """What two names share that a person would take for one: without capitals, spaces, quotes round them and kinds of
    characters."""
    plain = unicodedata.normalize("NFKC", clean_name(text)).casefold().translate(LOOK_ALIKES)
    return "".join(unicodedata.normalize("NFKC", plain).split()).strip(QUOTES)


def unfit_for_files(name: str) -> str:
    """Why no file can have this name on every system that data are taken to, and what to do; empty if one can."""
    if (length := len(name.encode(errors="replace"))) > LONGEST:
        return f"has {length} bytes, too many for names of files; at most {LONGEST} are possible"
    if not name.isprintable():
        return "cannot name a file: it holds a character that cannot be seen; type it anew"
    if forbidden := sorted(FORBIDDEN & set(name)):
        return f"cannot name a file: it holds {' '.join(forbidden)}; write it without"
    if not name or name.startswith(".") or name != name.rstrip(". "):
        return "cannot name a file: it is empty, or begins or ends with a full stop; write it without"
    if name.partition(".")[0].rstrip().upper() in RESERVED:
        return "cannot name a file: it is the name of a device on Windows; write it otherwise"
    return ""


def shown(name: str) -> str:
    """A name in a message: quoted, what cannot be seen as its number, and at most the first 40 characters."""
    return repr(name) if len(name) <= MOST_SHOWN else f"{name[:MOST_SHOWN]!r}..."


def find_alike(names: Sequence[str]) -> tuple[int, int] | None:
    """The places of the first two different names that share a `name_key`; None if there are none."""
    first: dict[str, int] = {}
    for place, name in enumerate(names):
        other = first.setdefault(name_key(name), place)
        if names[other] != name:
            return other, place
    return None


def find_name(given: Given, names: Iterable[str], parameter: str, *, in_a_list: bool = False) -> str | None:
    """The one of `names` that the value `given` of a `parameter` means, or None if it is not among them.

    Text means the name that is spelt so (`clean_name`). A number (007 is read as 7, 010 as 8, 1e5 as 100000.0) or a
    truth value (no is read as False) means a name only if nothing else could have been written. ConfigError if a name
    would have been read as this value but is, or may be, spelt otherwise; it says how to write it (a name `in_a_list`
    cannot be given on the command line). ConfigError for text that differs from a name as `name_key` does not.
    """
    known = list(names)
    if isinstance(given, str):
        return _find_text(given, known, parameter)
    same = [name for name in known if _same(_as_read(name), given)]
    if not same:
        return None
    if same == [str(given)]:
        return same[0]
    listed = " or ".join(f"'{name}'" for name in same)
    typed = "" if in_a_list else f", on the command line as --params {parameter}={same[0]}"
    raise ConfigError(
        f"{parameter}: {given} may mean {listed}, since a name like this is read as a number or as yes or no where it "
        f'has no quotes: put it in quotes, in a YAML file as "{same[0]}"{typed}'
    )


def _find_text(given: str, known: list[str], parameter: str) -> str | None:
    if given in known:
        return given
    for same in (clean_name, name_key, _as_read):
        found = [name for name in known if _same(same(name), same(given))]
        if found and same is clean_name:
            return found[0]
        if found:
            listed = " or ".join(f"'{name}'" for name in found)
            raise ConfigError(f"{parameter}: there is no '{given}', it may mean {listed}; write it exactly so")
    return None


def _same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


@cache
def _as_read(text: str) -> Any:
    """What Kedro makes of this text without quotes, in a YAML file."""
    try:
        return OmegaConf.from_dotlist([f"key={text}"])["key"]
    except (YAMLError, OmegaConfBaseException, ValueError):
        return text

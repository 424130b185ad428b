"""Takes folders and names of files out of words, and writes paths without the folders of a machine."""

import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from octa_kedro.identifiers import clean_name
from octa_kedro.io.eye_files import TABLES
from octa_kedro.io.octa500 import LABEL_SHEETS

HIDDEN = "(a file)"
THE_SOURCE = "the source"
TELLING = re.compile(r"(?=.*[^\W\d_]).{3,}", re.DOTALL)
"""A name of three characters or more with a letter among them; a shorter one is part of many words that name nobody."""
LAYOUT = re.compile(r"OCTA?(_\d+(mm|M)|\([A-Z_]+\))?|Label|Projection Maps|GT_\w+", re.IGNORECASE)
"""Names of folders that OCTA-500 prescribes."""


def relative_to(path: str, root: Path) -> str:
    """A path as seen from the folder `root`, with forward slashes; one that does not lie in it as its last part."""
    if not path:
        return path
    for one, other in ((Path(path), root), (Path(path).absolute(), root.absolute())):
        if one.is_relative_to(other):
            return one.relative_to(other).as_posix()
    return Path(path).name


def hide_folder(words: str, root: Path) -> str:
    """`words` with paths below `root` relative to it, and the folder itself called the source."""
    for folder in sorted({str(root), str(root.absolute()), str(root.resolve())}, key=len, reverse=True):
        if len(folder) > 1:
            inside = rf"(?<![\w./-]){re.escape(folder)}(?:{re.escape(os.sep)}(?=\S)|(?![\w-]|\.\w))"
            words = re.sub(inside, lambda found: "" if found[0].endswith(os.sep) else THE_SOURCE, words)
    return words


def hide_names(words: str, known: Mapping[str, str]) -> str:
    """`words` with each of the `known` names, in capitals or not, replaced; the longest first, so that a path goes as a
    whole. Numbers and names of one or two characters are replaced only where they are called the name of an eye."""
    shown = {_key(form): word for name, word in known.items() for form in (name, clean_name(name)) if form.strip()}
    names = sorted(shown, key=len, reverse=True)
    telling, short = ([re.escape(n) for n in names if bool(TELLING.fullmatch(n)) is which] for which in (True, False))
    words = unicodedata.normalize("NFC", words)
    for before, found in (("(?<!\\w)", telling), ("(?:(?<=subject )|(?<=eye )|(?<=eyes ))", short)):
        if found:
            pattern = re.compile(rf"{before}(?:{'|'.join(found)})(?!\w)", re.IGNORECASE)
            words = pattern.sub(lambda match: shown.get(_key(match[0]), HIDDEN), words)
    return words


def names_in(place: Path) -> dict[str, str]:
    """The names of the files in a folder, or of one file, with and without their endings, as `HIDDEN`; without those
    that a layout prescribes."""
    try:
        found = sorted(place.iterdir()) if place.is_dir() else [place]
    except OSError:
        return {}
    own = (path for path in found if _is_own(path.name))
    return {name: HIDDEN for path in own for name in (str(path), path.name, path.name.partition(".")[0], path.stem)}


def names_below(words: str, root: Path) -> dict[str, str]:
    """The names of files and folders within the paths below `root` that `words` hold, as `HIDDEN`. Names may hold
    spaces, so that only the folders themselves tell where one ends."""
    found: dict[str, str] = {}
    for rest in words.split(f"{root}{os.sep}")[1:]:
        folder, left = root, rest
        while name := _first_name(folder, left):
            if _is_own(name):
                found[name] = HIDDEN
            folder, left = folder / name, left.removeprefix(name).removeprefix(os.sep)
    return found


def _first_name(folder: Path, words: str) -> str:
    """The longest name in a folder with which `words` begin; empty if there is none."""
    try:
        names = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208
    except OSError:
        return ""
    return max((name for name in names if words.startswith(name)), key=len, default="")


def _is_own(name: str) -> bool:
    """Whether somebody has thought of a name: it is not a mere number, and no layout prescribes it."""
    stem = name.partition(".")[0]
    return TELLING.fullmatch(stem) is not None and not LAYOUT.fullmatch(name) and name not in (*TABLES, *LABEL_SHEETS)


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()

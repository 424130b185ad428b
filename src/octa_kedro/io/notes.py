"""Small files that the program keeps for itself (cards, manifests, records): JSON beside its own hash.

A file that was cut short, emptied or edited is found when it is read, and never taken for what was written. Where its
name says what it is of, that stands in it too: two that were exchanged are found as well.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from octa_kedro.errors import DataError
from octa_kedro.io.files import write_text
from octa_kedro.io.hushed import unquoted

SEAL, CONTENT, NAME = "sha256", "content", "name"
REMEDY = "delete it and run the pipeline that makes it again"
ASIDE = ".damaged"
"""What is added to the name of a damaged file."""

log = logging.getLogger(__name__)


def write_note(path: Path, content: Mapping[str, Any], *, named: bool = False) -> None:
    """Write anything that JSON can hold, with string keys, atomically; if `named`, only for a file of this name."""
    name = {NAME: path.name} if named else {}
    write_text(path, json.dumps({SEAL: _seal(content, **name), **name, CONTENT: content}, indent=1))


def read_note(path: Path, *, named: bool = False, remedy: str = REMEDY) -> dict[str, Any]:
    """What `write_note` wrote. DataError names the file if it cannot be read, or is not as it was written; if it has to
    be `named`, also if it is another file's. `remedy` says what to do about a damaged one."""
    try:
        whole = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; run the pipeline that makes it again") from error
    except (ValueError, RecursionError) as error:  # no JSON, or no text at all
        raise _damaged(path, f"it is cut short or not JSON: {unquoted(error)}", remedy) from error
    needed = {SEAL, CONTENT, NAME} if named else {SEAL, CONTENT}
    if not (isinstance(whole, dict) and whole.keys() == needed and isinstance(whole[CONTENT], dict)):
        raise _damaged(path, "it has no hash of its own; an earlier version may have written it", remedy)
    name = {NAME: whole[NAME]} if named else {}
    if whole[SEAL] != _seal(whole[CONTENT], **name):
        raise _damaged(path, "its content has changed since it was written", remedy)
    if named and whole[NAME] != path.name:
        raise _damaged(path, f"it is {whole[NAME]} under another name", remedy)
    return whole[CONTENT]


def recall_note(path: Path, *, named: bool = False) -> dict[str, Any] | None:
    """What `write_note` wrote, of something that can be made again: None where there is no file, or a damaged one.

    That is renamed, so that it can be looked at, and the log says so.
    """
    if not path.is_file():
        return None
    try:
        return read_note(path, named=named)
    except DataError as error:
        aside = path.with_name(path.name + ASIDE)
        path.replace(aside)
        log.warning("%s; it is kept as %s, and what it describes is made again", error, aside.name)
        return None


def _seal(content: Mapping[str, Any], name: str = "") -> str:
    return hashlib.sha256((name + json.dumps(content, sort_keys=True)).encode()).hexdigest()


def _damaged(path: Path, why: str, remedy: str) -> DataError:
    return DataError(f"{path}: damaged ({why}); {remedy}")

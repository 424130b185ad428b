"""The seal of a result: a small file beside it with the hash of the result and of all that it was made from.

It protects against a mix-up (a file that was edited, cut or swapped, versions that do not belong together), not against
a forger.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from octa_kedro.errors import DataError
from octa_kedro.io.hashing import sha256_of
from octa_kedro.io.notes import read_note, write_note

SUFFIX = ".seal.json"
PARAMETERS = "params:"
"""In `made_from`, before the name of the group of parameters whose hash it has."""
SHOWN = 12
"""Digits of a hash that messages show."""


@dataclass(frozen=True)
class Made:
    """The SHA-256 of a result, and of the datasets it was made from, by their names.

    `made_from` are what its step read and what that was made from in turn; `passes_on` says whether what is made from
    this result names its `made_from` too; `name` is what the catalog calls the dataset, empty where no run saved it.
    """

    sha256: str
    made_from: Mapping[str, str] = field(default_factory=dict)
    passes_on: bool = True
    name: str = ""

    def __deepcopy__(self, _memo: dict[int, Any]) -> "Made":
        """Itself: it never changes, and pandas copies what a table carries at every step."""
        return self


def seal_of(path: Path) -> Path:
    """Where the seal of the file at `path` lies."""
    return path.with_name(path.name + SUFFIX)


def write_seal(path: Path, made: Made, **facts: Any) -> None:
    """Write the seal of `path`, before the file itself takes its place: a file in place then always has its seal.

    `facts` are what reading the file needs to know, as plain data.
    """
    about = {"name": made.name, "sha256": made.sha256, "made_from": dict(made.made_from), "passes_on": made.passes_on}
    write_note(seal_of(path), about | {"facts": facts}, named=True)


def read_seal(path: Path) -> tuple[Made, dict[str, Any]]:
    """What `write_seal` wrote of the file at `path`, and its facts. DataError if there is no such file, or no seal."""
    if not path.exists():
        raise DataError(f"{path}: no such file; choose a version that is there, or run the pipeline that makes it")
    if not seal_of(path).is_file():
        raise DataError(
            f"{path}: made by an earlier version of this program, or copied without {seal_of(path).name}; copy its "
            "whole folder, or delete that and run the pipeline that makes it again"
        )
    told = read_note(seal_of(path), named=True)
    return Made(told["sha256"], told["made_from"], told["passes_on"], told["name"]), told["facts"]


def require_sealed(path: Path, made: Made, sha256: str) -> None:
    """DataError unless the content of `path`, which has the hash `sha256`, is what its seal says."""
    if made.sha256 != sha256:
        raise DataError(
            f"{path}: its content has changed since it was written (edited, cut short or swapped); restore it, or "
            f"delete {path.parent} and run the pipeline that makes it again"
        )


def digest_at(path: Path) -> str:
    """SHA-256 of the bytes of a file, or of the names and bytes of all files in a folder."""
    if path.is_file():
        return sha256_of(path)
    found = hashlib.sha256()
    for one in sorted(one for one in path.rglob("*") if one.is_file()):
        found.update(f"{one.relative_to(path).as_posix()}\0{sha256_of(one)}\0".encode())
    return found.hexdigest()


def digest(content: bytes) -> str:
    """SHA-256 of bytes, as a hexadecimal string."""
    return hashlib.sha256(content).hexdigest()

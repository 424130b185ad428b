"""Per-eye results in one content-addressed folder, and the manifests that name a version of them.

A result's file is named by a hash of everything it is made from (source bytes, parameters, code), so the same
result is never computed or stored twice, an interrupted run continues, and a manifest written once always
leads to the same bytes.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from octa_kedro.errors import DataError
from octa_kedro.io.hashing import sha256_of
from octa_kedro.io.nifti import read_planes, read_volume, write_nifti
from octa_kedro.io.volume import PlaneStack, Volume

Item = Volume | PlaneStack


@dataclass(frozen=True)
class Recipe:
    """One result that is made when it is saved, unless a file under its `key` is there already.

    `facts` go into the manifest with it: what a later step has to know of how it was made.
    """

    key: str
    make: Callable[[], Item]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    """One result on disk; calling it reads the file, `sha256` names its bytes."""

    path: Path
    sha256: str
    meta: Mapping[str, Any]

    def __call__(self) -> Any:
        """The stored Volume or PlaneStack; DataError if the file is gone or its bytes have changed."""
        _verify(self)
        common = {"laterality": self.meta["laterality"], "source": self.meta["source"]}
        if "names" in self.meta:
            return read_planes(self.path, tuple(self.meta["names"]), note=self.meta["note"], **common)
        return read_volume(self.path, modality=self.meta["modality"], **common)


class Store:
    """A folder of NIfTI files named by recipe keys, each with a JSON beside it that is written last."""

    def __init__(self, folder: Path, *, unit: bool, compress: bool) -> None:
        self.folder, self.unit = folder, unit
        self.suffix = ".nii.gz" if compress else ".nii"

    def put(self, recipe: Recipe) -> dict[str, Any]:
        """Make and write the result of `recipe` if it is not there yet; the entry for the manifest."""
        card = self.folder / f"{recipe.key}.json"
        if card.is_file():
            entry: dict[str, Any] = json.loads(card.read_text())
            if (self.folder / entry["file"]).is_file():
                return entry
        item = recipe.make()
        path = self.folder / f"{recipe.key}{self.suffix}"
        write_nifti(path, item.array, item.affine, unit=self.unit)
        entry = {"file": path.name, "sha256": sha256_of(path), "meta": _meta(item) | dict(recipe.facts)}
        write_text(card, json.dumps(entry, indent=1))
        return entry

    def put_all(self, recipes: Mapping[str, Recipe], what: str) -> dict[str, Any]:
        """`put` for every subject, in order, one at a time in memory, with a progress bar."""
        bar = tqdm(recipes.items(), desc=what, unit="eye", mininterval=1, disable=len(recipes) < 2)
        return {subject: self.put(recipe) for subject, recipe in bar}

    def open(self, entry: Mapping[str, Any]) -> Stored:
        """The result a manifest entry names; DataError if its file is missing."""
        path = self.folder / entry["file"]
        if not path.is_file():
            raise DataError(f"{path}: named by a manifest but gone; run the pipeline that makes it again")
        return Stored(path, entry["sha256"], entry["meta"])


def write_text(path: Path, text: str) -> None:
    """Write a small file in full or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_path = path.with_name(f".partial-{os.getpid()}-{path.name}")
    partial_path.write_text(text)
    partial_path.replace(path)


def _meta(item: Item) -> dict[str, Any]:
    meta: dict[str, Any] = {"laterality": item.laterality, "source": item.source}
    if isinstance(item, PlaneStack):
        return meta | {"names": list(item.names), "note": item.note}
    return meta | {"modality": item.modality}


_verified: set[tuple[str, str, int]] = set()


def _verify(stored: Stored) -> None:
    """Compare the bytes with their hash, once per file, process and modification time."""
    try:
        stamp = (str(stored.path), stored.sha256, stored.path.stat().st_mtime_ns)
    except FileNotFoundError as error:
        raise DataError(f"{stored.path}: gone; run the pipeline that makes it again") from error
    if stamp not in _verified:
        if sha256_of(stored.path) != stored.sha256:
            raise DataError(f"{stored.path}: its bytes have changed since it was written; delete it and run again")
        _verified.add(stamp)

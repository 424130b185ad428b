"""Results on disk: written, and given to later steps as files whose bytes are checked before they are used."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.io.hashing import sha256_of
from octa_kedro.io.nifti import map_nifti, read_planes, read_volume, write_nifti
from octa_kedro.io.volume import PlaneStack
from octa_kedro.results.result import Item, Result


def write_result(path: Path, result: Result) -> dict[str, Any]:
    """Write a result as NIfTI; what a manifest has to say of it: file, sha256, meta."""
    write_nifti(path, result.item.array, result.item.affine, unit=result.unit)
    return {"file": path.name, "sha256": sha256_of(path), "meta": _meta(result.item) | dict(result.facts)}


def _meta(item: Item) -> dict[str, Any]:
    meta: dict[str, Any] = {"laterality": item.laterality, "source": item.source}
    if isinstance(item, PlaneStack):
        return meta | {"names": list(item.names), "note": item.note}
    return meta | {"modality": item.modality}


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

    def mapped(self) -> tuple[NDArray, float, float]:
        """The stored numbers ``[x, y, z]`` or ``[x, y, plane]``, on disk until used, their slope and intercept."""
        _verify(self)
        return map_nifti(self.path)


class Manifest(dict[str, Stored]):
    """The stored result of each eye, by its name; `failed` tells why an eye that was asked for has none."""

    def __init__(self, stored: Mapping[str, Stored], failed: Mapping[str, str] | None = None) -> None:
        super().__init__(stored)
        self.failed = dict(failed or {})


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

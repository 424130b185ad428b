"""Results on disk: written, and given to later steps as files whose bytes are checked before they are used."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import StaleError
from octa_kedro.io.hashing import sha256_of
from octa_kedro.io.nifti import check_nifti, map_nifti, read_array, read_nifti, write_nifti
from octa_kedro.io.volume import UNPLACED, Frame, PlaneStack, Volume
from octa_kedro.results.result import Item, Result


def write_result(path: Path, result: Result) -> dict[str, Any]:
    """Write a result as NIfTI, whose header has its place in the world of the raw scan; what a manifest has to say of
    it: file, sha256, meta, with the shape of the array, its affine in the eye's frame, and that frame."""
    item = result.item
    write_nifti(path, item.array, item.affine, unit=result.unit, note=item.frame.note)
    return {"file": path.name, "sha256": sha256_of(path), "meta": _meta(result.item) | dict(result.facts)}


def _meta(item: Item) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "laterality": item.laterality,
        "source": item.source,
        "array_shape": list(item.array.shape),
        "grid_affine": item.grid_affine.tolist(),
        "frame": {"to_scan": item.frame.to_scan.tolist(), "note": item.frame.note},
    }
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
        """The stored Volume or PlaneStack; StaleError if the file is gone or its bytes have changed."""
        _verify(self)
        array, meta = read_array(self.path), self.meta
        grid_affine, frame = self._lies()
        common = (meta["laterality"], meta["source"])
        if "names" in meta:
            return PlaneStack(array, grid_affine, tuple(meta["names"]), *common, meta["note"], frame)
        return Volume(array, grid_affine, meta["modality"], *common, frame)

    def whole(self) -> Path:
        """Its file, to be copied; StaleError as above."""
        _verify(self)
        return self.path

    def grid(self) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Its shape in voxels, and their edges in millimetres of its frame; the array is not read."""
        if "array_shape" not in self.meta:
            return check_nifti(self.path)
        return tuple(self.meta["array_shape"]), tuple(np.linalg.norm(self._lies()[0][:3, :3], axis=0).tolist())

    def _lies(self) -> tuple[NDArray[np.float64], Frame]:
        """Its affine in its frame, and the frame; the header's alone where an earlier version stored it."""
        if "frame" not in self.meta:
            return read_nifti(self.path)[1], Frame(note=UNPLACED)
        frame = self.meta["frame"]
        return np.array(self.meta["grid_affine"], float), Frame(np.array(frame["to_scan"], float), frame["note"])

    def mapped(self) -> tuple[NDArray, float, float]:
        """The stored numbers ``[x, y, z]`` or ``[x, y, plane]``, on disk until used, their slope and intercept."""
        _verify(self)
        return map_nifti(self.path)


class Manifest(dict[str, Stored]):
    """The stored result of each eye, by its name; `failed` tells why an eye that was asked for has none."""

    def __init__(self, stored: Mapping[str, Stored], failed: Mapping[str, str] | None = None) -> None:
        super().__init__(stored)
        self.failed = dict(failed or {})


_verified: set[tuple[str, str, int, int]] = set()


def _verify(stored: Stored) -> None:
    """Compare the bytes with their hash, once per file, process and time of change."""
    try:
        stat = stored.path.stat()
    except FileNotFoundError as error:
        raise StaleError(f"{stored.path}: gone; run the pipeline that makes it again") from error
    stamp = (str(stored.path), stored.sha256, stat.st_mtime_ns, stat.st_ctime_ns)
    if stamp not in _verified:
        if sha256_of(stored.path) != stored.sha256:
            raise StaleError(f"{stored.path}: its bytes have changed since it was written; delete it and run again")
        _verified.add(stamp)

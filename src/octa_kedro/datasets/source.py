"""Where the raw scans come from: an OCTA-500 release, the phantom in its layout, NIfTI files, or scanners' own."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from octa_kedro.errors import ConfigError
from octa_kedro.io.files import write_text
from octa_kedro.io.hushed import unquoted
from octa_kedro.io.millimetres import BOUNDS, Anatomy

if TYPE_CHECKING:
    from octa_kedro.io.release_writer import PhantomCohort
    from octa_kedro.io.source import Source

HIDDEN = "(not shown, since source.pseudonyms is given)"
HASHED = "a source with pseudonyms, whose path has the hash "
LAYOUTS = ("octa500", "nifti_folder", "vendor")

log = logging.getLogger(__name__)


class SourceDataset(AbstractDataset["PhantomCohort", "Source"]):
    """Read scans in one of the known layouts; only an entry marked `writable` can be saved to.

    Saving writes a phantom in OCTA-500's layout, and refuses a folder with files of any other origin. The folder
    ``remembered: {path: FOLDER}`` keeps hashes of files, so that a run need not read an unchanged release again.
    ``claims: {path: FILE}`` is a file in the data root that says which source its results are of: a data root belongs
    to one source, and loading another one into it is a ConfigError. `anatomy` says whether the scans are of eyes, whose
    size is checked, or of anything (`io.millimetres`). `pseudonyms` is a table of the subjects that eyes get whose
    files are named by patients (`io.pseudonyms`).
    """

    def __init__(
        self,
        *,
        filepath: str,
        layout: str = "octa500",
        anatomy: Anatomy = "eye",
        pseudonyms: str | None = None,
        writable: bool = False,
        remembered: Mapping[str, str] | None = None,
        claims: Mapping[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        if layout not in LAYOUTS:
            raise ConfigError(f"source layout {layout!r} is unknown; choose {' or '.join(LAYOUTS)}")
        if anatomy not in BOUNDS:
            raise ConfigError(f"source.anatomy {anatomy!r} is unknown; choose {' or '.join(BOUNDS)}")
        self._anatomy = anatomy
        self._root, self._layout, self._writable = Path(filepath), layout, writable
        self._pseudonyms = Path(pseudonyms) if pseudonyms else None
        # Kedro makes a nested `path` relative to the project, and no other key
        self._remembered = Path(remembered["path"]) if remembered else None
        self._claims = Path(claims["path"]) if claims else None
        self.metadata = metadata

    @property
    def root(self) -> Path:
        """The folder of the scans."""
        return self._root

    def load(self) -> Source:
        """The reader; DataError if the folder is not there, ConfigError if the data root belongs to another source."""
        from octa_kedro.io.discreet import open_source
        from octa_kedro.io.pseudonyms import Pseudonyms

        pseudonyms = Pseudonyms.read(self._pseudonyms) if self._pseudonyms else None
        reader = partial(_readers()[self._layout], self._root, self._remembered, self._anatomy)
        source = open_source(reader, self._root, pseudonyms)
        if pseudonyms is not None:
            source.subjects()  # a table that does not fit is refused before results are noted as those of pseudonyms
        if self._claims is not None:
            claim_root(self._claims, self._root, hidden=pseudonyms is not None)
        return source

    def save(self, data: PhantomCohort) -> None:
        """Write a phantom cohort."""
        from octa_kedro.io.release_writer import write_release
        from octa_kedro.phantom.cohort import tell_changed_code

        if not self._writable:
            raise ConfigError(f"{self._root}: this source is read-only; the phantom is not written over a release")
        tell_changed_code(self._root, data)
        write_release(self._root, data.table, data.recipes, workers=data.workers, code=data.code)

    def _exists(self) -> bool:
        return self._root.exists()

    def _describe(self) -> dict[str, Any]:
        return {
            "filepath": HIDDEN if self._pseudonyms else str(self._root),
            "layout": self._layout,
            "anatomy": self._anatomy,
        }


def _readers() -> dict[str, Callable[[Path, Path | None, Anatomy], Source]]:
    """The reader of each of `LAYOUTS`."""
    from octa_kedro.io.nifti_folder import NiftiFolder
    from octa_kedro.io.release import Octa500Release
    from octa_kedro.io.vendor import VendorFolder

    return dict(zip(LAYOUTS, (Octa500Release, NiftiFolder, VendorFolder), strict=True))


def claim_root(claim: Path, source: Path, *, hidden: bool = False) -> None:
    """Note in the file `claim` that the results in its folder are of `source`.

    ConfigError if they are of another source that is still there, unless nothing has been computed of it; one that is
    gone has probably been moved, which is logged and noted. The source is noted as seen from the claim's folder, so
    that a project which is copied or moved with its source keeps it; with `hidden`, a hash of that stands there.
    """
    root, resolved = claim.parent.resolve(), source.resolve()
    own = _hidden(root, resolved) if hidden else _from(root, resolved)
    try:
        before = str(json.loads(claim.read_text(encoding="utf-8"))["source"]) if claim.is_file() else own
        same = before == own or (root / before).resolve() == resolved  # also as earlier versions noted it
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"{claim}: does not say whose results these are ({unquoted(error)}); delete it if they are of {own}"
        ) from error
    there = before.startswith(HASHED) or os.path.exists(root / before)  # noqa: PTH110 - False for what is too long
    if not same and there and any(path.is_file() for path in root.rglob("*") if path.name != claim.name):
        raise ConfigError(
            f"{claim.parent}: holds the results of {before}, not of {own}; give this cohort a folder of its own with "
            f"--params cohort.name=NAME (an inference: inference.name=NAME), or delete {claim} if it is the same one"
        )
    if not same and not there:
        log.warning("%s: was made of %s, which is gone; %s is taken for the same eyes", claim.parent, before, own)
    if before != own or not claim.is_file():
        write_text(claim, json.dumps({"source": own}, indent=1))


def _from(root: Path, source: Path) -> str:
    """The path of a source as seen from `root`; as it is where no path leads there, as to another drive of Windows."""
    try:
        return Path(os.path.relpath(source, root)).as_posix()
    except ValueError:
        return str(source)


def _hidden(root: Path, source: Path) -> str:
    return f"{HASHED}{hashlib.sha256(_from(root, source).encode()).hexdigest()[:16]}"

"""One scan, one eye: the same file, or a copy of it, must not stand under two subjects; nor what was drawn in it."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from octa_kedro.io.hashing import CHUNK
from octa_kedro.io.source import Source
from octa_kedro.results.config import OnError
from octa_kedro.results.guard import each_eye, put_aside

SAMPLE = 1 << 16
Scan = tuple[str, str, tuple[Path, ...]]
"""Subject, modality, files."""


def same_scans(
    source: Source, subjects: Iterable[str], modalities: Sequence[str], *, on_error: OnError = "stop"
) -> list[str]:
    """Words on two subjects whose scans have the same bytes, and on one whose two modalities are named by files with
    the same bytes (one file that holds both is not meant).

    Bytes are compared only where sizes are equal, and of long files first a sample from the middle; so scans of
    different eyes cost one block each, whatever their size. A scan that cannot be read now is like no other where
    `on_error` says to go on: the step that processes it names it.
    """
    scans = [
        (subject, modality, files)
        for subject in subjects
        for modality in modalities
        if (files := tuple(source.scan_files(subject, modality)))
    ]
    measures = (_sizes, _sample, _bytes)
    pairs = [pair for alike in _groups(scans, measures, on_error) for pair in combinations(alike, 2)]
    return [_words(source, one, other) for one, other in pairs if one[0] != other[0] or one[2] != other[2]]


def same_drawings(source: Source, subjects: Iterable[str], *, on_error: OnError = "stop") -> dict[str, list[str]]:
    """Words on eyes whose files of ``surfaces``, or of the ``lesion``, have the same bytes, so that all but one have
    another eye's. Empty masks of healthy eyes are rightly alike, and flat surfaces say nothing of an eye.

    Bytes are compared as those of scans are.
    """
    found: dict[str, list[str]] = {"surfaces": [], "lesion": []}
    files = each_eye(subjects, source.drawn_files, on_error).done
    for what, words in found.items():
        scans: list[Scan] = [(subject, what, (drawn[what],)) for subject, drawn in files.items() if what in drawn]
        for alike in _groups(scans, (_sizes, _sample, _bytes), on_error):
            eyes = [subject for subject, _, _ in alike]
            if not _says_something(source, what, eyes[0], on_error):
                continue
            more = f" ({len(eyes) - 2} more have it, too)" if len(eyes) > 2 else ""
            words.append(
                f"subjects {eyes[0]} and {eyes[1]} have the same {what}: {_where(source, alike[0][2], alike[1][2])}"
                f"{more}; each eye has its own: replace the file of the one that it is not of, or leave it out"
            )
    return found


def _says_something(source: Source, what: str, subject: str, on_error: OnError) -> bool:
    """Whether a mask has a lesion, or surfaces are not flat; False where they cannot be read: that is named later."""
    read = source.lesion if what == "lesion" else source.surfaces
    made = each_eye([subject], read, on_error).done.get(subject)
    return made is not None and bool(np.ptp(made.array, axis=(0, 1)).any())


def _words(source: Source, one: Scan, other: Scan) -> str:
    where = _where(source, one[2], other[2])
    if one[0] == other[0]:
        return (
            f"subject {one[0]}: its {one[1]} and its {other[1]} are one scan ({where}); correct the path of one of "
            "them, or leave it empty"
        )
    return (
        f"subjects {one[0]} and {other[0]} have the same scan ({where}); one scan is one eye: take one row out of the "
        "table, or correct its path"
    )


def _groups(scans: list[Scan], measures: Sequence[Callable[[Scan], object]], on_error: OnError) -> list[list[Scan]]:
    """Groups of two or more scans that are equal in every one of `measures`, which are taken one after the other."""
    if not measures:
        return [scans]
    found: dict[object, list[Scan]] = {}
    for scan in scans:
        try:
            found.setdefault(measures[0](scan), []).append(scan)
        except Exception as error:  # noqa: BLE001 - put_aside raises it again unless it is the eye's own
            put_aside(scan[0], error, on_error)
    return [group for part in found.values() if len(part) > 1 for group in _groups(part, measures[1:], on_error)]


def _sizes(scan: Scan) -> tuple[int, ...]:
    return tuple(path.stat().st_size for path in scan[2])


def _sample(scan: Scan) -> bytes:
    """A block from the middle of the middle file."""
    path = scan[2][len(scan[2]) // 2]
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size // 2 - SAMPLE // 2))
        return hashlib.sha256(file.read(SAMPLE)).digest()


def _bytes(scan: Scan) -> bytes:
    digest = hashlib.sha256()
    for path in scan[2]:
        with path.open("rb") as file:
            while block := file.read(CHUNK):
                digest.update(block)
    return digest.digest()


def _where(source: Source, files: Sequence[Path], others: Sequence[Path]) -> str:
    named = (paths[0] if len(paths) == 1 else paths[0].parent for paths in (files, others))
    shown, other = map(source.called, named)
    return shown if shown == other else f"{shown} and {other} have the same bytes"

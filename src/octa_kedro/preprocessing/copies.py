"""One volume under two names: found among processed eyes by their sketches, then compared as a whole."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octa_kedro.cohort.columns import patients_of
from octa_kedro.errors import DataError
from octa_kedro.preprocessing.sketch import CELLS, SKETCH, VIEWS, details, likeness
from octa_kedro.results.stored import Stored

CANDIDATE = 0.65
"""Pairs whose sketches are more alike than this are compared as a whole. Of the phantom's 1128 pairs of different eyes
none is above .62; copies that are moved by two voxels have .74, by one voxel .92."""
ALIKE, COPY, SAME = 0.75, 0.95, 0.999
"""Correlations, after alignment, of what may be a near copy, what surely is one, and of one volume. Different eyes of
the phantom reach .62; copies with strong noise have .88, in four bits .93, with another contrast .95, moved by one or
two voxels .99. What is no eye may be more alike: different shapes of one kind have .87."""
FARTHEST = 8  # voxels along each axis that one copy may be moved against the other
MOST = 200  # pairs that are compared as a whole; more alike eyes than that are no cohort of eyes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Copy:
    """Two eyes whose images are alike: `correlation` of their details when one is laid over the other."""

    first: str
    second: str
    correlation: float

    def __str__(self) -> str:
        return f"{self.first} and {self.second} (correlation {self.correlation:.3f})"


def admit_images(images: Mapping[str, Stored], splits: pd.DataFrame) -> str:
    """`require_distinct` of the eyes of the splits (columns subject and, if any, patient); its words as lines of text,
    logged as warnings."""
    subjects = splits["subject"].astype(str).tolist()
    patients = dict(zip(subjects, patients_of(splits), strict=True))
    words = require_distinct({name: images[name] for name in subjects if name in images}, patients)
    for line in words:
        log.warning("eyes %s", line)
    return "".join(f"eyes {line}\n" for line in words)


def require_distinct(images: Mapping[str, Stored], patients: Mapping[str, str]) -> list[str]:
    """Words on eyes whose processed volumes are near copies of each other; eyes of one patient may be alike.

    DataError if two eyes have one and the same volume.
    """
    found = find_copies(images)
    for one in found:
        if one.correlation >= SAME:
            raise DataError(
                f"subjects {one.first} and {one.second} have the same volume, when processed; one scan is one eye: "
                "take one row out of the table, or correct its path"
            )
    return [
        f"{one}: nearly the same image; is it one scan under two names?"
        for one in found
        if patients.get(one.first, one.first) != patients.get(one.second, one.second)
    ]


def find_copies(images: Mapping[str, Stored]) -> list[Copy]:
    """Pairs of eyes whose volumes have a correlation of ALIKE or more, the most alike first.

    Volumes without a sketch, of earlier versions, are compared by their bytes alone.
    """
    found: list[Copy] = []
    by_bytes: dict[str, str] = {}
    for subject, stored in images.items():
        if (first := by_bytes.setdefault(stored.sha256, subject)) != subject:
            found.append(Copy(first, subject, 1.0))
    names = [name for name, stored in images.items() if stored.meta.get(SKETCH)]
    own = [images[name].meta[SKETCH][0] for name in names]
    pairs: list[tuple[float, str, str]] = []
    for index, name in enumerate(names):
        alike = likeness(images[name].meta[SKETCH], own[index + 1 :])
        pairs += [(float(alike[at]), name, names[index + 1 + at]) for at in np.flatnonzero(alike >= CANDIDATE)]
    known = {(one.first, one.second) for one in found}
    rest = [pair for pair in sorted(pairs, reverse=True) if pair[1:] not in known]
    if len(rest) > MOST:
        log.warning("%d pairs of eyes look alike at first sight; the %d most alike are compared", len(rest), MOST)
    for _, first, second in rest[:MOST]:
        correlation = compare_stored(images[first], images[second])
        if correlation >= ALIKE:
            found.append(Copy(first, second, correlation))
    return sorted(found, key=lambda one: -one.correlation)


def compare_stored(one: Stored, other: Stored) -> float:
    """`compare` of two stored images."""
    return compare(_array(one), _array(other))


def compare(one: NDArray, other: NDArray) -> float:
    """Correlation of the details (`sketch.details`) of two volumes ``[x, y, z]`` where they lie over each other best:
    moved by up to FARTHEST voxels and mirrored in plane; 0 for volumes of other shapes."""
    if one.shape != other.shape:
        return 0.0
    return max(_aligned(one, np.ascontiguousarray(other[view])) for view in VIEWS)


def _aligned(one: NDArray, other: NDArray) -> float:
    """After the shift with the highest cross-correlation (by FFT) of what is not common to a depth."""
    spectra = [np.fft.rfftn(array - array.mean((0, 1), keepdims=True)) for array in (one, other)]
    product = np.fft.irfftn(spectra[0] * spectra[1].conj(), s=one.shape, axes=(0, 1, 2))
    reach = [min(FARTHEST, n // 4) for n in one.shape]
    near = product[np.ix_(*(np.arange(-most, most + 1) for most in reach))]
    best = np.unravel_index(int(near.argmax()), near.shape)
    moves = [int(at) - most for at, most in zip(best, reach, strict=True)]
    left = one[tuple(slice(max(0, move), n + min(0, move)) for move, n in zip(moves, one.shape, strict=True))]
    right = other[tuple(slice(max(0, -move), n + min(0, -move)) for move, n in zip(moves, one.shape, strict=True))]
    a, b = (details(array, CELLS).ravel() for array in (left, right))
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > 0 else 0.0


def _array(stored: Stored) -> NDArray[np.float32]:
    numbers, slope, intercept = stored.mapped()
    return np.asarray(numbers, np.float32) * slope + intercept

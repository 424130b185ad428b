"""Grey levels to [0, 1]."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from octa_kedro.errors import DataError
from octa_kedro.preprocessing.intensity_config import IntensityConfig

SAMPLE = 2**16
"""Values from which the neighbourhood of a percentile is guessed."""
GUESS_WIDTH = 8.0
"""Half-width of that neighbourhood in standard errors; neighbouring voxels are alike, so a guess errs by more."""
CHUNK = 2**20
"""Values counted at a time, since counting takes eight bytes for each."""


def clip_and_scale(
    array: NDArray, config: IntensityConfig, *, what: str, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """`array` clipped at percentiles of its non-zero values, or of those in `mask`, then scaled to [0, 1].

    Voxels outside the mask are clipped and scaled like the others. `what` names the eye in the DataError that NaN, an
    empty or a constant array raises.
    """
    array = np.asarray(array)
    if mask is not None and mask.shape != array.shape:
        raise DataError(f"{what}: a mask of shape {mask.shape} for an image of shape {array.shape}")
    # the extremes of an array with NaN are NaN
    if not array.size or not np.isfinite([lowest := array.min(), array.max()]).all():
        raise DataError(f"{what}: is empty or holds NaN or infinite values; replace the volume or leave the eye out")
    if mask is not None:
        counted, skip_zeros = array[mask], False
    else:
        counted, skip_zeros = (array, True) if lowest >= 0 else (array[array != 0], False)
    low, high = percentiles(counted, (config.lower, config.upper), skip_zeros=skip_zeros)
    if np.isnan(low):
        raise DataError(f"{what}: is empty (all zero, or nothing in the mask); replace the volume or leave the eye out")
    clipped = np.empty_like(array, np.float32)  # laid out as the array is, or each pass would stride through memory
    # in single precision throughout: numpy would take the array to double and back
    np.minimum(array, np.float32(high), out=clipped, casting="unsafe")
    if config.below == "lower":
        np.maximum(clipped, np.float32(low), out=clipped)
    if config.below == "zero" and lowest < low:
        np.multiply(clipped, clipped >= np.float32(low), out=clipped)
    floor, ceiling = float(clipped.min()), float(clipped.max())
    if ceiling <= floor:
        raise DataError(f"{what}: is constant ({ceiling:g}); replace the volume or leave the eye out")
    if config.scale == "zscore":
        floor, ceiling = _span(clipped[array != 0 if mask is None else mask], config.sd_range)
    if floor:
        clipped -= np.float32(floor)
    clipped /= np.float32(ceiling - floor)
    return np.clip(clipped, 0, 1, out=clipped) if config.scale == "zscore" else clipped


def _span(counted: NDArray[np.float32], sd_range: float) -> tuple[float, float]:
    """`sd_range` deviations below and above the mean."""
    mean, deviation = float(counted.mean(dtype=np.float64)), float(counted.std(dtype=np.float64))
    # where only what was not counted varies, any width will do
    reach = sd_range * max(deviation, 1e-6)
    return mean - reach, mean + reach


def percentiles(values: NDArray, percents: tuple[float, ...], *, skip_zeros: bool = False) -> list[float]:
    """Exactly what `np.percentile` (linear interpolation) gives for finite `values`, without sorting them all.

    `skip_zeros` leaves zeros out and asks for values that are not negative. NaN where no value is left.
    """
    flat = values.reshape(-1) if values.flags.c_contiguous else values.ravel(order="K")
    zeros = flat.size - int(np.count_nonzero(flat != 0)) if skip_zeros else 0
    n = flat.size - zeros
    if not n:
        return [float("nan")] * len(percents)
    small = flat.dtype.kind == "u" and flat.dtype.itemsize <= 2
    pair_at = _pairs_by_counting(flat) if small else _pairs_by_guess(flat)
    found = []
    for percent in percents:
        place = percent / 100 * (n - 1)
        rank, share = int(place), place - int(place)
        low, high = pair_at(zeros + rank, zeros + min(rank + 1, n - 1))
        found.append(low + (high - low) * share)
    return found


def _pairs_by_counting(flat: NDArray) -> Callable[[int, int], tuple[float, float]]:
    """A function that gives the values of two ranks of unsigned 8 or 16 bit integers."""
    levels = np.iinfo(flat.dtype).max + 1
    counts = np.zeros(levels, np.int64)
    for start in range(0, flat.size, CHUNK):
        counts += np.bincount(flat[start : start + CHUNK], minlength=levels)
    below = np.cumsum(counts)

    def pair_at(first: int, second: int) -> tuple[float, float]:
        low, high = np.searchsorted(below, [first, second], side="right")
        return float(low), float(high)

    return pair_at


def _pairs_by_guess(flat: NDArray) -> Callable[[int, int], tuple[float, float]]:
    """A function that gives the values of two neighbouring ranks of any numbers.

    A sample tells between which values they lie; only what lies there is then ordered (Floyd and Rivest 1975).
    """
    step = max(1, flat.size // SAMPLE)
    # a step that shares a factor with an axis would meet some of its planes only
    while math.gcd(step, flat.size) > 1:
        step += 1
    sample = np.sort(flat[::step])
    least = np.nextafter(np.zeros((), flat.dtype), 1) if flat.dtype.kind == "f" else 1

    def pair_at(first: int, second: int) -> tuple[float, float]:
        share = first / flat.size
        reach = GUESS_WIDTH * math.sqrt(sample.size * share * (1 - share)) + GUESS_WIDTH
        start, stop = int(share * sample.size - reach), int(share * sample.size + reach)
        inside = np.ones(flat.shape, bool)
        below = 0
        if start >= 0:
            # zeros may be many, and are never sought where they are skipped
            edge = sample[start] or least
            np.greater_equal(flat, edge, out=inside)
            below = flat.size - int(np.count_nonzero(inside))
        if stop < sample.size:
            inside &= flat <= sample[stop]
        near = flat[inside]
        if not below <= first <= second < below + near.size:
            near, below = flat, 0
        low, high = np.partition(near, [first - below, second - below])[[first - below, second - below]]
        return float(low), float(high)

    return pair_at

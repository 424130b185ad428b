"""What a network's training eyes looked like, kept in its card, and how far another eye is from that."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import t

from octa_kedro.config import Config
from octa_kedro.preprocessing.appearance import LOOKS, NATIVE, looks_of_slab
from octa_kedro.preprocessing.processed_as import QUALITY, REFERENCES

LEAST_EYES = 4  # fewer cannot say what is usual
FLOOR = 0.01  # of the grey range: what no training eye varies in must not make a trifle look strange
FARTHER = 1.5  # times the farthest training eye is still taken for alike
RARE = 1e-3  # of eyes like the training eyes lie beyond the limits of one measure of quality
BESIDE = 0.05  # of its highest value a measure may lie beyond the training eyes however much these agree
NATIVE_TOLERANCE = 0.1  # of a spacing or a field: devices state them to a few percent


class Curve(Config):
    """A curve (`preprocessing.appearance`) over the training eyes: mean and standard deviation of each point, and the
    distance of the training eye that is farthest from the others (leave one out)."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    farthest: float

    def strangeness(self, values: Sequence[float]) -> float:
        """The distance of another eye's curve over the largest that passes: above 1 it is unlike them; infinite if it
        has another length or holds what is no number."""
        if len(values) != len(self.mean) or not np.isfinite(values).all():
            return math.inf
        return _distance(np.asarray(values), np.asarray(self.mean), np.asarray(self.deviation)) / (
            FARTHER * self.farthest
        )


class Span(Config):
    """The lowest and highest of a measure over the training eyes, and the limits beyond which it is strange."""

    low: float
    high: float
    least: float
    most: float

    def strangeness(self, value: float) -> float:
        """How far beyond the training eyes a value lies, over how far the limit does: above 1 it is strange."""
        return max((self.low - value) / (self.low - self.least), (value - self.high) / (self.most - self.high), 0.0)


class Familiar(Config):
    """What `eyes` training eyes looked like: curves, and spans of what was measured on their scans.

    `references` are the hashes of what they were registered to, by field of view; none where they were not.
    """

    eyes: int
    curves: dict[str, Curve]
    spans: dict[str, Span]
    references: dict[str, str] = Field({})

    def strangeness(self, facts: Mapping[str, Any]) -> dict[str, float]:
        """By name of a curve or measure, how strange the eye is whose image has these facts (above 1: unlike every
        training eye). A curve that the eye lacks is infinitely strange; a measure that could not be taken is left
        out."""
        curves = {name: curve.strangeness(facts.get(LOOKS, {}).get(name, ())) for name, curve in self.curves.items()}
        values = _measures(facts)
        return curves | {name: span.strangeness(values[name]) for name, span in self.spans.items() if name in values}


def familiar_from(facts: Sequence[Mapping[str, Any]], slabs: tuple[str, ...] = ()) -> Familiar | None:
    """What the training eyes look like whose stored images have these `facts`; `slabs` are those a 2D network sees.

    None where it cannot be known: for fewer than LEAST_EYES eyes, and for images whose facts do not say.
    """
    looks = [one.get(LOOKS, {}) for one in facts]
    names = [looks_of_slab(slab) for slab in slabs] or sorted(looks[0] if looks else ())
    if len(facts) < LEAST_EYES or not names or not all(name in one for one in looks for name in names):
        return None
    references: dict[str, str] = {}
    for one in facts:
        references |= one.get(REFERENCES, {})
    return Familiar(
        eyes=len(facts),
        curves={name: _curve(np.asarray([one[name] for one in looks])) for name in names},
        spans=_spans([_measures(one) for one in facts]),
        references=references,
    )


def _curve(values: NDArray[np.float64]) -> Curve:
    """Of the training eyes' curves ``(eyes, points)``."""
    others = [np.delete(values, index, axis=0) for index in range(len(values))]
    away = [_distance(own, rest.mean(0), rest.std(0, ddof=1)) for own, rest in zip(values, others, strict=True)]
    mean, deviation = (_rounded(one) for one in (values.mean(0), values.std(0, ddof=1)))
    return Curve(mean=mean, deviation=deviation, farthest=round(max(*away, 1.0), 4))


def _distance(values: NDArray, mean: NDArray, deviation: NDArray) -> float:
    """Root mean square over the points of how many standard deviations each is away."""
    return float(np.sqrt(np.mean(((values - mean) / np.maximum(deviation, FLOOR)) ** 2)))


def _spans(measured: Sequence[Mapping[str, float]]) -> dict[str, Span]:
    found: dict[str, list[float]] = {}
    for one in measured:
        for name, value in one.items():
            found.setdefault(name, []).append(value)
    return {name: _span(name, values) for name, values in found.items() if len(values) >= LEAST_EYES}


def _span(name: str, values: Sequence[float]) -> Span:
    """Limits: for a spacing or field NATIVE_TOLERANCE beyond the training eyes; for a measure of quality the interval
    in which another eye of a normal distribution falls but for a share of RARE (Student's t for the next observation:
    mean +- t s sqrt(1 + 1/n)), never narrower than what the training eyes fill."""
    low, high, n = min(values), max(values), len(values)
    if name.startswith(("spacing_", "field_")):
        return Span(low=low, high=high, least=low * (1 - NATIVE_TOLERANCE), most=high * (1 + NATIVE_TOLERANCE))
    reach = float(t.ppf(1 - RARE / 2, n - 1)) * float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / n)
    margin = max(BESIDE * abs(high), 1e-3)
    middle = float(np.mean(values))
    return Span(low=low, high=high, least=min(low - margin, middle - reach), most=max(high + margin, middle + reach))


def _measures(facts: Mapping[str, Any]) -> dict[str, float]:
    """Spacing, field and quality of a scan, without what could not be measured."""
    pairs: Iterable[tuple[str, Any]] = {**facts.get(NATIVE, {}), **facts.get(QUALITY, {})}.items()
    return {name: float(value) for name, value in pairs if math.isfinite(value)}


def _rounded(values: NDArray) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)

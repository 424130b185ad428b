"""Types of the phantom's settings: a range is (lowest, highest), and values are drawn from it uniformly."""

from typing import Annotated

from pydantic import AfterValidator


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"lowest value {value[0]} is above the highest {value[1]}")
    return value


def _positive(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] <= 0:
        raise ValueError(f"must be above 0, got {value[0]}")
    return _ordered(value)


def _not_negative(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] < 0:
        raise ValueError(f"must not be negative, got {value[0]}")
    return _ordered(value)


Span = Annotated[tuple[float, float], AfterValidator(_ordered)]
PositiveSpan = Annotated[tuple[float, float], AfterValidator(_positive)]
AmountSpan = Annotated[tuple[float, float], AfterValidator(_not_negative)]
CountSpan = Annotated[tuple[int, int], AfterValidator(_positive)]

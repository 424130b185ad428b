"""What is made of one eye."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from octa_kedro.io.volume import PlaneStack, Volume

Item = Volume | PlaneStack


@dataclass(frozen=True)
class Result:
    """One part of what is made of an eye.

    With `unit`, values in [0, 1] are stored as 16-bit integers. `facts`, what was measured while it was made, are
    stored beside it.
    """

    item: Item
    unit: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

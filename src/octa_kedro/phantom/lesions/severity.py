"""How a disease grows with its severity, from 0 (none) to 1 (as configured)."""

import numpy as np


def number(rng: np.random.Generator, span: tuple[int, int], severity: float) -> tuple[int, int]:
    """How many lesions to draw, and how many of them are present at this severity.

    All are drawn at any severity, so that a higher severity keeps the lesions of a lower one and adds others.
    """
    full = int(rng.integers(span[0], span[1] + 1))
    return full, int(full * severity + rng.random())


def size(severity: float) -> float:
    """Width and height of each of many lesions, relative to severity 1."""
    return 0.5 + 0.5 * severity


def extent(severity: float) -> float:
    """Width of a disease's only lesion, relative to severity 1."""
    return float(np.sqrt(severity))


def loss(severity: float) -> float:
    """Share of the full loss of flow."""
    return 1 - (1 - severity) ** 3

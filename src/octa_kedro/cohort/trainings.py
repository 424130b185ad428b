"""How the trainings of a model are called: ``fold_<n>``, and ``fold_<n>.seed_<s>`` for the second seed of a fold on.

The first seed has no number in its name, so that raising `seeds` in structure.yml keeps what is trained already.
"""

import re

_PLACE = re.compile(r"fold_(\d+)(?:\.seed_(\d+))?")


def place_of(fold: int, seed: int = 1) -> str:
    """The namespace and folder, below its model's, of the training of a fold with its `seed` (1, 2, ...)."""
    return f"fold_{fold}" if seed == 1 else f"fold_{fold}.seed_{seed}"


def numbers_in(place: str) -> tuple[int, int] | None:
    """The fold and seed that a name of `place_of` tells; None for another name."""
    match = _PLACE.fullmatch(place)
    return (int(match[1]), int(match[2] or 1)) if match else None


def training_words(fold: int, seed: int = 1) -> str:
    """The training in words: ``fold 3``, ``fold 3, seed 2``."""
    return f"fold {fold}" if seed == 1 else f"fold {fold}, seed {seed}"

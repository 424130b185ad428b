"""Keyword names by which nodes with many inputs know what each of them is."""

import re

FOLD_MARK, SEED_MARK = "__fold_", "__seed_"


def keyword(model: str, fold: int, seed: int = 1) -> str:
    """The keyword of one model's fold, and of its `seed` from the second on."""
    return f"{model}{FOLD_MARK}{fold}" + ("" if seed == 1 else f"{SEED_MARK}{seed}")


def model_of(keyword_name: str) -> str:
    """The model a keyword belongs to."""
    return keyword_name.split(FOLD_MARK, maxsplit=1)[0]


def seed_of(keyword_name: str) -> int:
    """The seed a keyword belongs to: 1 where it names none."""
    match = re.search(rf"{SEED_MARK}(\d+)$", keyword_name)
    return int(match[1]) if match else 1

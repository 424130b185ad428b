"""What this process has stored and a later run goes on from, for the words at an interruption."""

_kept: dict[str, str] = {}
"""Of each piece of work that is not finished: how far it has been stored."""


def note_kept(what: str, done: int, total: int, unit: str) -> None:
    """Note that `done` of `total` units of the work called `what` are stored; nothing is noted of finished work."""
    if 0 < done < total:
        _kept[what] = f"{what}: {done} of {total} {unit}"
    else:
        _kept.pop(what, None)


def all_kept() -> list[str]:
    """A line for each piece of work that was begun and is not finished."""
    return list(_kept.values())

"""What a run was asked for, for the report that it writes: its environment and the parameters that differ."""

from collections.abc import Sequence
from dataclasses import dataclass

from octa_kedro.configuration.given import Difference, shown

HIDDEN = ("source.path", "source.pseudonyms")
"""Paths, which may be named after patients."""


@dataclass(frozen=True)
class Noted:
    """The environment, the `source` of its structure, and for each parameter that differs from the base one: name,
    value, base value, its place."""

    environment: str
    source: str
    changed: tuple[tuple[str, str, str, str], ...]


_noted: list[Noted] = []


def note_run(environment: str | None, source: str, found: Sequence[Difference]) -> None:
    """Note what the running session was asked for."""
    changed = [(one.name, shown(one.value), shown(one.base), one.layer.place) for one in found]
    _noted[:] = [Noted(environment or "", source, tuple(row for row in changed if row[0] not in HIDDEN))]


def noted_run() -> Noted | None:
    """What `note_run` noted in this process; None if nothing was."""
    return _noted[0] if _noted else None

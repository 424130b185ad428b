"""The one way in which steps work on eye after eye: an eye that cannot be worked on ends the run, or is put aside with
its reason (`execution.on_error`)."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from octa_kedro.errors import DataError, OctaError, machine_fault
from octa_kedro.results.config import OnError

T = TypeVar("T")
GO_ON = "execution.on_error: quarantine goes on without it"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What became of each eye: what was made of it (`done`), or why it was put aside (`failed`)."""

    done: dict[str, T]
    failed: dict[str, str]


def each_eye(eyes: Iterable[str], work: Callable[[str], T], on_error: OnError) -> Outcome[T]:
    """`work` on one eye after the other; see `put_aside` for those at which it fails."""
    done: dict[str, T] = {}
    failed: dict[str, str] = {}
    for eye in eyes:
        try:
            done[eye] = work(eye)
        except Exception as error:  # noqa: BLE001 - put_aside raises it again unless it is the eye's own
            failed[eye] = put_aside(eye, error, on_error)
    return Outcome(done, failed)


def put_aside(eye: str, error: Exception, on_error: OnError, remedy: str = GO_ON) -> str:
    """The reason for which `eye` is left out, which names it.

    Raises what has to end the run: an error of the eye's data where `on_error` is stop (an OctaError with the eye's
    name and the `remedy`), a full or read-only disk and wrong parameters always, since no other eye would fare better,
    and a mistake of the program.
    """
    fault = machine_fault(error)
    if fault is None and not isinstance(error, OctaError):
        raise error
    told = str(error) if isinstance(error, OctaError) or fault is None else fault.words
    reason = told if told.startswith((f"subject {eye}: ", f"eye {eye}: ")) else f"subject {eye}: {told}"
    if fault is not None and fault.everywhere:
        raise OctaError(f"{reason}; then run again: finished eyes stay") from error
    kind = type(error) if isinstance(error, OctaError) else OctaError
    if fault is None and not isinstance(error, DataError):
        raise kind(reason) from error
    if on_error == "stop":
        raise kind(f"{reason} ({remedy})") from error
    return reason


def tell_left_out(failed: dict[str, str], what: str) -> None:
    """A warning for each eye that `what` goes on without, where no table names it."""
    for reason in failed.values():
        log.warning("%s goes on without %s", what, reason)

"""Ctrl-C, SIGTERM and a closed terminal end a run in a few lines: what is kept, and the command that goes on.

Everything that a run stores is written atomically and may be cut off anywhere, so an interrupted process need not be
taken down in order. It ends as soon as files that are being written have been removed.
"""

import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from octa_kedro.io.kept import all_kept
from octa_kedro.io.workers import kill_workers
from octa_kedro.running.typed_command import typed_command

_received: list[int] = []
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 5.0
"""Seconds after which a run that does not react (deep in a library) is ended all the same."""
SHOWN, STDERR = 5, 2


class Interrupted(KeyboardInterrupt):
    """A signal asks this process to end; a KeyboardInterrupt, so that libraries let it pass."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


@contextmanager
def interruptible() -> Iterator[None]:
    """Put around a run: an interruption ends the process, with its workers, by exit code 128 + signal (130 for Ctrl-C).

    A second one ends it at once. Signals that the process was told to ignore (``nohup``) stay ignored.
    """
    numbers = [number for number in NUMBERS if signal.getsignal(number) is not signal.SIG_IGN]
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    pipe_before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _raise_once) for number in numbers}
    unraisable_before, sys.unraisablehook = sys.unraisablehook, _end_if_swallowed
    threading.Thread(target=_watch, args=(reader, numbers), daemon=True, name="interruption").start()
    _received.clear()
    try:
        yield
    except BaseException as error:
        # workers that end by the same signal make other errors on the way
        if _received or isinstance(error, KeyboardInterrupt):
            _end(_received[0] if _received else signal.SIGINT)
            threading.Event().wait()  # the thread that says the last words ends this process
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = unraisable_before
        signal.set_wakeup_fd(pipe_before)
        os.close(writer)  # which ends the thread


def _raise_once(number: int, frame: FrameType | None) -> None:
    """Handler of the first signal; `_watch` is told of the second one, too."""
    for one in NUMBERS:
        if signal.getsignal(one) is _raise_once:
            signal.signal(one, _leave_to_watch)
    _received.append(number)
    raise Interrupted(number)


def _leave_to_watch(number: int, frame: FrameType | None) -> None: ...


def _end_if_swallowed(what: "sys.UnraisableHookArgs") -> None:
    """An interruption within a destructor, from which no exception gets out, ends the process there."""
    if isinstance(what.exc_value, Interrupted):
        _end(what.exc_value.number)
    sys.__unraisablehook__(what)


def _watch(reader: int, numbers: list[int]) -> None:
    """End the process at a second signal, or if it has not ended `GRACE` seconds after the first.

    Python runs handlers between two lines of the main thread only; this thread is told at once, through the pipe.
    """
    first = _next(reader, numbers, None)
    if first is not None:
        _next(reader, numbers, GRACE)
        _end(first)
        try:
            kill_workers()  # another thread may be at it, but not through
        finally:
            os._exit(128 + first)
    os.close(reader)


def _next(reader: int, numbers: list[int], seconds: float | None) -> int | None:
    """The next of these signals; None if the pipe is closed or the time is over."""
    while select.select([reader], [], [], seconds)[0]:
        if not (told := os.read(reader, 1)):
            return None
        if told[0] in numbers:
            return told[0]
    return None


_ending = threading.Lock()
"""Held by the thread that says the last words."""


def _end(number: int) -> None:
    """Say what is kept and how to go on, and end this process and its workers; nothing if another thread is at it."""
    if not _ending.acquire(blocking=False):
        return
    with suppress(OSError, ValueError):  # a closed terminal
        sys.stderr.write("\n" + "\n".join(last_words(number)) + "\n")
        sys.stderr.flush()
        sys.stdout.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDERR)  # threads of pools complain when their processes are gone
    try:
        kill_workers()
    finally:  # not by an exception: to take down an interpreter with these libraries can take ten seconds
        os._exit(128 + number)


def last_words(number: int) -> list[str]:
    """The lines that a run says when the signal of this `number` ends it."""
    name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
    kept = all_kept()
    more = [f"  and {len(kept) - SHOWN} more"] if len(kept) > SHOWN else []
    return [
        f"Interrupted ({name}). Finished eyes, stored epochs, finished trials and saved datasets are kept.",
        *(f"  {line}" for line in kept[:SHOWN]),
        *more,
        f"To go on from there: {typed_command()}",
    ]

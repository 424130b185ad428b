"""Shows progress: as a bar on a terminal, elsewhere as a line in the log from time to time."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from types import TracebackType
from typing import Any, Protocol, Self, cast

from tqdm import tqdm

logger = logging.getLogger(__name__)
EVERY = 20.0
"""Seconds between two lines of the log, at least."""


class Progress(Protocol):
    """The part of tqdm's interface that is used: iteration, `update`, `set_postfix`, `close`, and `with` blocks."""

    def __iter__(self) -> Iterator[Any]: ...
    def update(self, n: int = 1) -> Any: ...
    def set_postfix(self, **values: Any) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any: ...


def progress(
    iterable: Iterable[Any] | None = None,
    *,
    desc: str,
    unit: str,
    total: int | None = None,
    initial: int = 0,
    disable: bool = False,
) -> Progress:
    """Progress over `iterable`, or over `total` steps that `update` counts; `initial` steps are done already.

    If stderr is a terminal, it is tqdm's bar. If stderr is a file or a pipe, where a bar would write very many lines,
    a line goes to the log at most every `EVERY` seconds, and one at the end. With `disable` nothing is shown.
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    if sys.stderr is not None and sys.stderr.isatty():
        bar = tqdm(iterable, desc, total, unit=unit, initial=initial, mininterval=1, disable=disable)
        return cast(Progress, bar)
    return LoggedProgress(iterable, desc=desc, unit=unit, total=total, initial=initial, disable=disable)


class LoggedProgress:
    """Progress as lines in the log, with the interface of `Progress`."""

    def __init__(
        self,
        iterable: Iterable[Any] | None = None,
        *,
        desc: str,
        unit: str,
        total: int | None = None,
        initial: int = 0,
        disable: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.iterable, self.desc, self.unit, self.total = iterable, desc, unit, total
        self.n = self._initial = self._logged = initial
        self._postfix = ""
        self._clock = clock
        self._started = self._last = clock()
        self._open = not disable

    def __iter__(self) -> Iterator[Any]:
        try:
            for item in self.iterable or ():
                yield item
                self.update()
        finally:
            self.close()

    def update(self, n: int = 1) -> None:
        """Count `n` more steps."""
        self.n += n
        if self._open and self._clock() - self._last >= EVERY and self.n != self.total:  # `close` writes the last line
            self._log()

    def set_postfix(self, **values: Any) -> None:
        """Values that the next line shows at its end."""
        self._postfix = ", ".join(f"{name}={value}" for name, value in values.items())

    def close(self) -> None:
        """Log how many steps are done, unless none is or the log has it already."""
        if self._open and self.n > self._logged:
            self._log()
        self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _log(self) -> None:
        self._last = self._clock()
        self._logged = self.n
        elapsed, done = self._last - self._started, self.n - self._initial
        parts = [f"{self.unit} {self.n}/{self.total}" if self.total else f"{self.unit} {self.n}"]
        parts.append(f"{tqdm.format_interval(elapsed)} elapsed")
        if self.total and done and self.n < self.total:
            parts.append(f"{tqdm.format_interval(elapsed / done * (self.total - self.n))} left")
        if self._postfix:
            parts.append(self._postfix)
        logger.info("%s: %s", self.desc, ", ".join(parts))

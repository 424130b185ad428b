"""Faults at chosen points of writing, for a forked child: its k-th call ends it, or finds the disk full."""

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

CALLS = ("open", "fsync", "replace")
"""In this order a file is begun, brought to the disk and given its name."""


def die(_: str) -> None:
    """As a kill or a power cut: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def disk_full(place: str) -> None:
    """What the system says when no byte is left."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)


def at_call(number: int, root: Path, fault: Callable[[str], None]) -> Iterator[int]:
    """Let the `number`-th step of writing below `root` fail; the steps so far, which are counted while this process
    goes on. To be called once, in a child."""
    steps = count(1)
    reached = [0]
    opened, synced, replaced = io.open, os.fsync, os.replace

    def step(place: object) -> None:
        if str(place).startswith(str(root)):
            reached[0] = next(steps)
            if reached[0] == number:
                fault(str(place))

    def open_(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        made = opened(file, mode, *args, **kwargs)
        if {*mode} & {*"wax"}:
            step(os.path.abspath(file) if isinstance(file, str | Path) else "")  # noqa: PTH100 - of any kind of path
        return made

    def fsync(descriptor: int) -> None:
        step(Path(f"/proc/self/fd/{descriptor}").readlink())
        synced(descriptor)

    def replace(source: Any, target: Any, **kwargs: Any) -> None:
        replaced(source, target, **kwargs)
        step(Path(target).absolute())

    io.open = builtins.open = open_  # type: ignore[assignment]
    os.fsync, os.replace = fsync, replace  # type: ignore[assignment]
    while True:
        yield reached[0]

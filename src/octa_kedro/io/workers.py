"""Worker processes and signals; light, so that the command line may import it."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
ROUNDS, PAUSE = 50, 0.02
ENDED = "Z"
"""State of a process that has ended but was not waited for."""


def ignore_interrupts(worker: int = 0) -> None:
    """For the start of a worker process (`worker`: its number, which a DataLoader passes).

    Ctrl-C in a terminal reaches every process: workers ignore it, and the process that started them ends them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def kill_workers() -> None:
    """End all processes that this one has started through Python: those of pools, of loaders and of devices."""
    for _ in range(ROUNDS):  # a pool may have been about to start one more
        if not (living := list(_children())):
            return
        for process_id in living:
            with suppress(OSError):
                os.kill(process_id, signal.SIGKILL)
        time.sleep(PAUSE)


def _children() -> Iterator[int]:
    """Living children, without the one that cleans up behind pools; a pool that is being shut down forgets its own, so
    that the system is asked where it tells."""
    if not PROC.is_dir():
        yield from (child.pid for child in multiprocessing.active_children() if child.pid is not None)
        return
    for name in (name for name in os.listdir(PROC) if name.isdigit()):  # noqa: PTH208
        with suppress(OSError, ValueError, IndexError):
            state, parent = (PROC / name / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[:2]
            mine = int(parent) == os.getpid() and state != ENDED
            if mine and b"resource_tracker" not in (PROC / name / "cmdline").read_bytes():
                yield int(name)

"""Worker processes and signals; light, so that the command line may import it."""

import multiprocessing
import os
import signal
import sys
from contextlib import suppress


def ignore_interrupts(worker: int = 0) -> None:
    """For the start of a worker process (`worker`: its number, which a DataLoader passes).

    Ctrl-C in a terminal reaches every process: workers ignore it, and the process that started them ends them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def kill_workers() -> None:
    """End all processes that this one has started through Python: those of pools, of loaders and of devices."""
    for process in multiprocessing.active_children():
        process.kill()
    # loky keeps its own list of processes
    pool = getattr(sys.modules.get("joblib.externals.loky.reusable_executor"), "_executor", None)
    for number in [*(getattr(pool, "_processes", None) or {})]:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)

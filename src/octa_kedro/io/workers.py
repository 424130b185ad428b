"""Worker processes and signals; light, so that the command line may import it."""

import multiprocessing
import os
import signal
from contextlib import suppress
from pathlib import Path

LOKY = b"popen_loky"


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
    # loky's are not among them, and it forgets them while it is being shut down
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            if parent == os.getpid() and LOKY in (stat.parent / "cmdline").read_bytes():
                os.kill(int(stat.parent.name), signal.SIGKILL)

"""Worker processes and signals; light, so that the command line may import it."""

import multiprocessing
import os
import signal
from contextlib import suppress
from pathlib import Path


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
    there = [name for name in os.listdir("/proc") if name.isdigit()] if Path("/proc").is_dir() else []  # noqa: PTH208
    for name in there:
        with suppress(OSError, ValueError, IndexError):
            parent = int(Path("/proc", name, "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == os.getpid() and b"resource_tracker" not in Path("/proc", name, "cmdline").read_bytes():
                os.kill(int(name), signal.SIGKILL)

"""Work in several processes."""

import os
import signal
from collections.abc import Iterable, Iterator
from multiprocessing import resource_tracker
from typing import Any

from joblib import Parallel
from joblib.externals.loky.backend import resource_tracker as loky_tracker

from octa_kedro.io.workers import ignore_interrupts

QUIET = "ignore::UserWarning:joblib.externals.loky.backend.resource_tracker"
"""loky's cleaner tells what an interrupted run left to it."""


def in_processes(workers: int, calls: Iterable[Any]) -> Iterator[Any]:
    """The results of `calls` (joblib's `delayed`) by `workers` processes, each on one thread, as they are finished.

    loky starts fresh processes: a forked copy of one that has used torch or OpenMP can hang. They inherit that Ctrl-C
    is held back while they are started: a terminal sends it to every process, and they would answer by tracebacks.
    """
    pool = Parallel(
        workers,
        backend="loky",
        return_as="generator_unordered",
        batch_size=1,
        inner_max_num_threads=1,
        initializer=ignore_interrupts,
    )
    for tracker in (resource_tracker, loky_tracker):
        tracker.ensure_running()  # when one has started, it lets signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.setdefault("PYTHONWARNINGS", QUIET)
    try:
        results: Iterator[Any] = pool(calls)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return results

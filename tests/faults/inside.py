"""Faults of the machine, made inside the process that runs a command, before it begins."""

import builtins
import ctypes
import errno
import importlib
import io
import os
import re
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

VERSION_3 = 0x20080522  # of the structures of capset(2)


def without_privileges(project: Path) -> None:
    """Have permissions count for root too: drop what lets root read and write everything (capset(2))."""
    if os.geteuid() == 0:
        header, data = (ctypes.c_uint32 * 2)(VERSION_3, 0), (ctypes.c_uint32 * 6)()
        assert ctypes.CDLL(None, use_errno=True).capset(header, data) == 0


def largest_file(project: Path, size: int) -> None:
    """No file may become larger than `size` bytes, as on some file systems and with some quotas."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def least_memory(project: Path, function: str) -> None:
    """There is no memory left when `function` is called."""

    def fails(*arguments: Any, **named: Any) -> None:
        raise MemoryError

    _replace(function, lambda _: fails)


def killed_at(project: Path, function: str, call: int = 1) -> None:
    """The process is killed when `function` (``module:name``) is called for the n-th time."""
    stop_at(function, call, lambda: os.kill(os.getpid(), signal.SIGKILL))


def interrupted_at(project: Path, function: str, call: int = 1) -> None:
    """Ctrl-C when `function` is called for the n-th time."""
    stop_at(function, call, lambda: os.kill(os.getpid(), signal.SIGINT))


def terminated_at(project: Path, function: str, call: int = 1) -> None:
    """A scheduler ends the process when `function` is called for the n-th time."""
    stop_at(function, call, lambda: os.kill(os.getpid(), signal.SIGTERM))


def fails_at(project: Path, function: str, number: int, call: int = 1) -> None:
    """`function` reports the error of the operating system with that number when it is called for the n-th time."""

    def fails() -> None:
        raise OSError(number, os.strerror(number))

    stop_at(function, call, fails)


def stop_at(function: str, call: int, stop: Callable[[], None]) -> None:
    """Have `stop` done when `function` is called for the n-th time."""
    calls = []

    def wrapped(whole: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            calls.append(1)
            if len(calls) == call:
                stop()
            return whole(*arguments, **named)

        return counted

    _replace(function, wrapped)


def waits_at(project: Path, function: str, name: str, call: int = 1) -> None:
    """The process waits when `function` is called for the n-th time: it makes the file ``<name>.waits`` beside the
    project, and goes on when ``<name>.goes`` is there."""

    def wait() -> None:
        project.with_name(f"{name}.waits").touch()
        while not project.with_name(f"{name}.goes").exists():
            time.sleep(0.02)

    stop_at(function, call, wait)


def edited_at(project: Path, function: str, path: str, old: str, new: str) -> None:
    """Somebody edits a file of the project when `function` is called."""
    stop_at(function, 1, lambda: _edit(project / path, old, new))


def removed_at(project: Path, function: str, path: str) -> None:
    """Somebody deletes a file of the project when `function` is called."""
    stop_at(function, 1, (project / path).unlink)


def code_edited(project: Path, module: str) -> None:
    """A file of this package differs from what it was when the process began."""
    from octa_kedro.results import modules

    path = modules.ROOT / module
    assert path in modules._STAMPS
    modules._STAMPS[path] = (0, 0)


def beside(project: Path, writes: str) -> None:
    """Another run, in a process that ends with this one, is at work and saves to the path `writes`."""
    from octa_kedro.running import living_runs

    reader, writer = os.pipe()
    if os.fork() == 0:
        assert ctypes.CDLL(None).prctl(1, signal.SIGKILL) == 0  # PR_SET_PDEATHSIG
        living_runs.begin(project, "2026-01-01T00.00.00.000Z", {}, [Path(writes)])
        os.write(writer, b"1")
        while True:
            signal.pause()
    os.read(reader, 1)


def worker_killed(project: Path) -> None:
    """The machine kills a worker process soon after it was started, as it does when memory is short."""
    from octa_kedro.io import workers

    def kill() -> None:
        while not (living := [*workers._children()]):
            time.sleep(0.05)
        os.kill(living[0], signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()


def full_disk(project: Path, where: str, after: int = 0) -> None:
    """No space is left once `after` bytes were written to files below the project whose path `where` matches.

    Programs that do not write by Python's ``open`` learn it when they flush.
    """
    left, pattern, open_file, flush = [after], re.compile(where), io.open, os.fsync

    def refuse(path: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def full(path: object) -> bool:
        return str(path).startswith(str(project)) and pattern.search(str(path)) is not None

    class Short(io.FileIO):
        def write(self, data: Any) -> int:
            size = memoryview(data).nbytes
            if size > left[0]:
                super().write(memoryview(data).cast("B")[: left[0]])
                left[0] = 0
                refuse(self.name)
            left[0] -= size
            return super().write(data)

    def opened(path: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if isinstance(path, int) or not set(mode) & set("wax+") or not full(Path(path).absolute()):
            return open_file(path, mode, *rest, **named)
        raw = Short(path, mode.replace("b", "").replace("t", ""))
        if "b" in mode:
            return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding=named.get("encoding") or "utf-8")

    def flushed(number: int) -> None:
        path = Path(f"/proc/self/fd/{number}").readlink()
        if path.is_file() and full(path) and path.stat().st_size > left[0]:
            refuse(path)
        flush(number)

    builtins.open = io.open = opened  # type: ignore[assignment]
    os.fsync = flushed  # type: ignore[assignment]


def at_step(project: Path, number: int, fault: str) -> None:
    """The `number`-th step of writing ends the process (``die``) or finds the disk full (``disk_full``)."""
    from tests.kills import fault_points

    next(fault_points.at_call(number, project / "data", getattr(fault_points, fault)))


def clock(project: Path, hours: float) -> None:
    """Versions are named as if it were so many hours later (earlier, if negative)."""
    from datetime import UTC, datetime, timedelta

    from kedro.framework.session import session

    def shifted() -> str:
        now = datetime.now(UTC) + timedelta(hours=hours)
        return now.strftime("%Y-%m-%dT%H.%M.%S.%f")[:-3] + "Z"

    session.generate_timestamp = shifted


def stopped_clock(project: Path, version: str) -> None:
    """Every run has this version."""
    from kedro.framework.session import session

    session.generate_timestamp = lambda: version


def offline(project: Path) -> None:
    """No name can be resolved and nothing can be connected to."""

    def fails(*arguments: Any, **named: Any) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    socket.getaddrinfo = fails  # type: ignore[assignment]
    socket.socket.connect = fails  # type: ignore[method-assign, assignment]


def _replace(function: str, change: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    module, name = function.split(":")
    place: Any = importlib.import_module(module)
    *parts, last = name.split(".")
    for part in parts:
        place = getattr(place, part)
    setattr(place, last, change(getattr(place, last)))


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))

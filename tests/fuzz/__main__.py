"""Fuzzing of the readers: ``python -m tests.fuzz --reader vol --minutes 10`` (``--reader all``; ``--list`` names them).

Damaged files (`mutations`) are read in a child process, one after another. A finding is anything but an OctaError or
a reading that succeeds: another exception, the end of the process by a signal, more than `SECONDS` for one file, or
more memory than `MOST_MEMORY`. Findings are counted by where they were raised; the first file of each is kept in
``--out``. Number N of seed S is always the same file: ``--reader NAME --seed S --only N`` reads it again.
"""

import argparse
import json
import logging
import multiprocessing as mp
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from random import Random
from typing import Any

from octa_kedro.errors import OctaError, user_error
from tests.fuzz.mutations import damaged
from tests.fuzz.targets import TARGETS, Target

SECONDS = 20.0
MOST_MEMORY = 256 << 20
"""Bytes beyond those of the whole file; the files have less than one megabyte."""
MOST_ADDRESSES = 8 << 30
"""Address space of the child beyond what it has: a reader that takes more gets a MemoryError, which is a finding."""


def main() -> int:
    """Fuzz; the exit code is 1 if there are findings."""
    options = _options()
    if options.list:
        print("\n".join(TARGETS))
        return 0
    names = list(TARGETS) if options.reader == "all" else options.reader.split(",")
    total = 0
    for name in names:
        found = fuzz(name, options)
        total += len(found)
        for key, one in found.items():
            print(f"  {one['count']}x {key}: first {one['file']}\n{one['trace']}", flush=True)
    return int(total > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", default="all", help="a name, several with commas between them, or all")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="read this one number, and show what it raises")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "octa-fuzz")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def fuzz(name: str, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The findings of one reader, by where they were raised."""
    target, out = TARGETS[name], options.out / name
    out.mkdir(parents=True, exist_ok=True)
    findings: dict[str, dict[str, Any]] = {}
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        target.write(Path(folder) / target.name)
        whole = (Path(folder) / target.name).read_bytes()
        try:
            target.read(Path(folder) / target.name)
        except OctaError as error:
            print(f"{name}: even the whole file is refused: {error}")
            
        number, began = mp.Value("q", options.only or 0), time.time()
        end = began + 60 * options.minutes
        while time.time() < end:
            how = _child(target, whole, Path(folder), number, end, options, out / "found.jsonl")
            if how and options.only is None:
                _add(findings, {"key": how, "trace": "", "number": number.value}, name, options.seed)
                (out / f"{options.seed}-{number.value}").write_bytes(whole_of(whole, options.seed, number.value))
                number.value += 1
            if options.only is not None or not how:
                break
        n = number.value
    if (told := out / "found.jsonl").is_file():
        for line in told.read_text().splitlines():
            _add(findings, json.loads(line), name, options.seed)
        told.unlink()
    print(f"{name}: {n} files in {time.time() - began:.0f} s, {len(findings)} kinds of findings", flush=True)
    return findings


def whole_of(whole: bytes, seed: int, number: int) -> bytes:
    """The damaged file of that number."""
    return damaged(whole, Random(f"{seed}-{number}"))


def _add(findings: dict[str, dict[str, Any]], one: dict[str, Any], name: str, seed: int) -> None:
    file = f"--reader {name} --seed {seed} --only {one['number']}"
    findings.setdefault(one["key"], {"count": 0, "file": file, "trace": one["trace"]})["count"] += 1


def _child(target: Target, whole: bytes, folder: Path, number: Any, end: float, options: argparse.Namespace, told: Path) -> str:
    """Fuzz in a process of its own; how it ended against its will, empty if it did not."""
    if (process := os.fork()) == 0:
        code = 1
        try:
            _work(target, whole, folder, number, end, options, told)
            code = 0
        except BaseException:  # noqa: BLE001 - a fault of the tool itself
            traceback.print_exc()
        finally:
            os._exit(code)
    last, since = number.value, time.time()
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            if os.WIFSIGNALED(status):
                return f"the process ended by {signal.Signals(os.WTERMSIG(status)).name}"
            return "the tool failed" if os.WEXITSTATUS(status) else ""
        if number.value != last:
            last, since = number.value, time.time()
        if time.time() - since > SECONDS:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return f"more than {SECONDS:g} s"
        time.sleep(0.05)


def _work(target: Target, whole: bytes, folder: Path, number: Any, end: float, options: argparse.Namespace, told: Path) -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    os.nice(10)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MOST_ADDRESSES, taken + MOST_ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path, kept = folder / target.name, 0
    while time.time() < end:
        path.write_bytes(whole_of(whole, options.seed, number.value))
        Path("/proc/self/clear_refs").write_text("5")  # the peak of the memory begins anew
        before, one = _memory("VmRSS"), None
        try:
            target.read(path)
        except OctaError as error:
            if options.only is not None:
                print(f"{type(error).__name__}: {error}", flush=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            if user_error(error) is not None:  # Kedro wraps what a dataset raises, and the command line unwraps it
                pass
            else:
                one = {"key": _key(error), "trace": "".join(traceback.format_exception(error)[-6:])}
        if one is None and (more := _memory("VmHWM") - before) > MOST_MEMORY:
            one = {"key": "memory", "trace": f"{more >> 20} MB for a file of {path.stat().st_size} bytes"}
        if one is not None:
            if options.only is not None:
                print(one["trace"], flush=True)
            with told.open("a") as file:
                file.write(json.dumps(one | {"number": number.value}) + "\n")
            if (kept := kept + 1) <= 50:
                (told.parent / f"{options.seed}-{number.value}").write_bytes(path.read_bytes())
        if options.only is not None:
            return
        number.value += 1


def _key(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "octa_kedro" in frame.filename] or frames
    at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
    return f"{type(error).__name__} through {at}, raised in {Path(frames[-1].filename).name}:{frames[-1].lineno}"


def _memory(what: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) << 10
    raise RuntimeError(what)


if __name__ == "__main__":
    sys.exit(main())

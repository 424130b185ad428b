"""Fuzzing of the readers: ``python -m benchmarks.fuzz_readers --reader vol --minutes 10`` (all; ``--list`` names them).

Damaged files (`tests.fuzz`) are read in a child process, one after another. A finding is anything but an OctaError or
a reading that succeeds: another exception, the end of the process by a signal, too long (`SECONDS` of computing, or
`WAITING` of waiting) or too much memory (`MOST_MEMORY`) for one file. Findings are counted by where they were raised;
files are kept in ``--out``. Number N of seed S is always the same file: ``--reader NAME --seed S --only N`` reads it.
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
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutations import damaged
from tests.fuzz.targets import TARGETS, Target

from octa_kedro.errors import OctaError, user_error

SECONDS, WAITING = 20.0, 60.0
MOST_MEMORY = 256 << 20
"""Bytes beyond those of the whole file; the files have less than one megabyte."""
MOST_ADDRESSES = 8 << 30
"""Address space of the child beyond what it has: a reader that takes more gets a MemoryError, which is a finding."""
MOST_KEPT = 50
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Fuzz; the exit code is 1 if there are findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", default="all", help="a name, several with commas between them, or all")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="read this one number, and show what it raises")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "octa-fuzz")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        print("\n".join(TARGETS))
        return 0
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    total = 0
    for name in TARGETS if options.reader == "all" else options.reader.split(","):
        with tempfile.TemporaryDirectory() as folder:
            run = Fuzz(name, TARGETS[name], Path(folder), options.seed, options.out / name, options.only)
            run.go_on(60 * options.minutes)
        total += len(run.findings)
        for key, one in run.findings.items():
            print(f"  {one['count']}x {key}: first {one['file']}\n{one['trace']}", flush=True)
    return int(total > 0)


@dataclass
class Fuzz:
    """The damaged files of one reader; `findings` by where they were raised."""

    name: str
    target: Target
    folder: Path
    seed: int
    out: Path
    only: int | None
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        self.path, self.told = self.folder / self.target.name, self.out / "found.jsonl"
        self.told.unlink(missing_ok=True)
        self.number = mp.Value("q", self.only or 0)
        self.target.write(self.path)
        self.whole = self.path.read_bytes()
        try:
            self.target.read(self.path)  # what is imported late is no cost of the first damaged file
        except OctaError as error:
            print(f"{self.name}: even the whole file is refused: {error}")

    def go_on(self, seconds: float) -> None:
        """Fuzz for so long, in as many child processes as it takes."""
        began = time.time()
        while (left := began + seconds - time.time()) > 0 or self.only is not None:
            how = self._child(left)
            if how:
                self._add({"key": how, "trace": "", "number": self.number.value})
                (self.out / f"{self.seed}-{self.number.value}").write_bytes(self.file(self.number.value))
                self.number.value += 1
            if not how or self.only is not None:
                break
        for line in self.told.read_text().splitlines() if self.told.is_file() else ():
            self._add(json.loads(line))
        n, took = self.number.value, time.time() - began
        print(f"{self.name}: {n} files in {took:.0f} s, {len(self.findings)} kinds of findings", flush=True)

    def file(self, number: int) -> bytes:
        """The damaged file of that number."""
        return damaged(self.whole, Random(f"{self.seed}-{number}"))

    def _add(self, one: dict[str, Any]) -> None:
        file = f"--reader {self.name} --seed {self.seed} --only {one['number']}"
        self.findings.setdefault(one["key"], {"count": 0, "file": file, "trace": one["trace"]})["count"] += 1

    def _child(self, seconds: float) -> str:
        """Fuzz in a process of its own; how it ended against its will, empty if it did not."""
        if (process := os.fork()) == 0:
            code = 1
            try:
                self._work(time.time() + seconds)
                code = 0
            except BaseException:  # noqa: BLE001 - a fault of the tool itself
                traceback.print_exc()
            finally:
                os._exit(code)
        last, since, used = self.number.value, time.time(), _computing(process)
        while True:
            done, status = os.waitpid(process, os.WNOHANG)
            if done and os.WIFSIGNALED(status):
                return f"the process ended by {signal.Signals(os.WTERMSIG(status)).name}"
            if done:
                return "the tool failed" if os.WEXITSTATUS(status) else ""
            if self.number.value != last:
                last, since, used = self.number.value, time.time(), _computing(process)
            if _computing(process) - used > SECONDS or time.time() - since > WAITING:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                return f"more than {SECONDS:g} s of computing, or {WAITING:g} s of waiting"
            time.sleep(0.05)

    def _work(self, end: float) -> None:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MOST_ADDRESSES, taken + MOST_ADDRESSES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        kept = 0
        while time.time() < end or self.only is not None:
            self.path.write_bytes(self.file(self.number.value))
            if (one := self._read()) is not None:
                with self.told.open("a") as file:
                    file.write(json.dumps(one | {"number": self.number.value}) + "\n")
                if (kept := kept + 1) <= MOST_KEPT:
                    (self.out / f"{self.seed}-{self.number.value}").write_bytes(self.path.read_bytes())
            self.number.value += 1
            if self.only is not None:
                return

    def _read(self) -> dict[str, Any] | None:
        """Read the damaged file; what is wrong with how that ended."""
        Path("/proc/self/clear_refs").write_text("5")  # the peak of the memory begins anew
        before = _memory("VmRSS")
        try:
            self.target.read(self.path)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            ours = user_error(error)  # Kedro wraps what a dataset raises, and the command line unwraps it
            if ours is None:
                return {"key": _key(error), "trace": "".join(traceback.format_exception(error)[-6:])}
            if self.only is not None:
                print(f"{type(ours).__name__}: {ours}", flush=True)
        if (more := _memory("VmHWM") - before) > MOST_MEMORY:
            return {"key": "memory", "trace": f"{more >> 20} MB for a file of {self.path.stat().st_size} bytes"}
        return None


def _key(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "octa_kedro" in frame.filename] or frames
    at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
    return f"{type(error).__name__} through {at}, raised in {Path(frames[-1].filename).name}:{frames[-1].lineno}"


def _computing(process: int) -> float:
    """Seconds of a processor that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _memory(what: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) << 10
    raise RuntimeError(what)


if __name__ == "__main__":
    sys.exit(main())

"""What the whole mission costs: wall and CPU seconds per pipeline, peak memory, and the figures it prints.

    python benchmarks/mission.py --work /tmp/mission [--params training_3d.start.weights=pretraining]

Runs `kedro run` once in a fresh project (the installed code, this repository's configuration, empty data). Whenever
its log says that a node is completed, the time since the one before is the node's, and `start` and `end` are what lies
before the first node and after the last. CPU time is user and system time of the run and of all processes
below it, read from Linux's /proc: of living ones (workers wait for more eyes) what they have used so far, of ended
ones what they had when their parent waited for them. Times depend on the machine; the shares between pipelines less so.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from scratch import make_project

NODE = re.compile(r"INFO +(Running|Completed) node: (\S+)")
TICKS = os.sysconf("SC_CLK_TCK")
PIPELINES = {
    "pretraining": "pretraining",
    "training_3d": "training_3d",
    "training_2d": "training_2d",
    "evaluation": "evaluation",
    "explainability": "explainability",
    "describe_": "reporting",
    "write_report": "reporting",
    "write_phantom": "phantom",
    "draw_gallery": "phantom",
}


def fresh_project(work: Path) -> Path:
    """A fresh project folder; an old one is refused rather than measured with its results in place."""
    project = work / "project"
    if project.exists():
        sys.exit(f"{project} is there already; give another --work, a used one would be measured as a re-run")
    return make_project(project)


def cpu_seconds(root: int) -> float:
    """User and system time of a process, of those below it, and of those that they have waited for."""
    used, parents = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()  # a program's name may hold blanks
        except OSError:
            continue  # ended meanwhile
        parents[int(path.parent.name)] = int(fields[1])
        used[int(path.parent.name)] = sum(map(int, fields[11:15]))
    family, size = {root}, 0
    while len(family) > size:
        size = len(family)
        family |= {process for process, parent in parents.items() if parent in family}
    return sum(used.get(process, 0) for process in family) / TICKS


def costs(lines: Iterable[str], clocks: Callable[[], tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
    """What passes on each of the `clocks` while a run writes its log, added up by pipeline."""
    spent: dict[str, tuple[float, ...]] = {}
    before = clocks()

    def book(name: str) -> None:
        nonlocal before
        now = clocks()
        known = spent.get(name, (0.0,) * len(now))
        spent[name] = tuple(k + n - b for k, n, b in zip(known, now, before, strict=True))
        before = now

    for line in lines:
        if (found := NODE.search(line)) is None:
            continue
        if found[1] == "Completed":
            book(next((v for k, v in PIPELINES.items() if found[2].startswith(k)), "data_processing"))
        elif not spent:
            book("start")
    book("end")
    return spent


def main() -> None:
    """Run, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--params", default="")
    arguments = parser.parse_args()
    project = fresh_project(arguments.work.resolve())
    command = [sys.executable, "-m", "kedro", "run", *(["--params", arguments.params] if arguments.params else [])]
    log: list[str] = []
    with subprocess.Popen(
        command, cwd=project, env=os.environ | {"DO_NOT_TRACK": "1"}, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        lines = (log.append(line) or line for line in run.stderr)  # type: ignore[func-returns-value]
        spent = costs(lines, lambda: (time.perf_counter(), cpu_seconds(run.pid)))
    (arguments.work / "log.txt").write_text("".join(log))
    if run.returncode:
        sys.exit("".join(log[-5:]))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    parts = {name: {"wall_s": round(wall), "cpu_s": round(cpu)} for name, (wall, cpu) in spent.items()}
    whole = {key: sum(part[key] for part in parts.values()) for key in ("wall_s", "cpu_s")}
    print(json.dumps(whole | {"peak_gib": round(peak, 2), "parts": parts}, indent=1))
    for name in ("metrics.md", "depth_hits_training_3d.txt"):
        print(next((project / "data" / "08_reporting" / name).glob(f"*/{name}")).read_text())


if __name__ == "__main__":
    main()

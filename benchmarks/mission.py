"""What the whole mission costs: seconds per pipeline, peak memory, and the figures it prints.

    python benchmarks/mission.py --work /tmp/mission [--params training_3d.start.weights=pretraining]

Runs `kedro run` once in a fresh project (the installed code, this repository's configuration, empty data) and
reads its log. Times depend on the machine; the shares between pipelines less so.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

from scratch import make_project

NODE = re.compile(r"^(\d\d:\d\d:\d\d) INFO +Completed node: (\S+)")
START = re.compile(r"^(\d\d:\d\d:\d\d) INFO +(?:Kedro project|Using synchronous mode)")
PIPELINES = {
    "pretraining": "pretraining",
    "training_3d": "training_3d",
    "training_2d": "training_2d",
    "evaluation": "evaluation",
    "explainability": "explainability",
    "write_phantom": "phantom",
    "draw_gallery": "phantom",
}


def fresh_project(work: Path) -> Path:
    """A fresh project folder; an old one is refused rather than measured with its results in place."""
    project = work / "project"
    if project.exists():
        sys.exit(f"{project} is there already; give another --work, a used one would be measured as a re-run")
    return make_project(project)


def seconds_per_pipeline(log: str) -> dict[str, float]:
    """Time between the completion of one node and the next, added up by pipeline."""
    spent: dict[str, float] = {}
    previous = None
    for line in log.splitlines():
        if found := START.match(line):
            previous = datetime.strptime(found[1], "%H:%M:%S")
        if (found := NODE.match(line)) and previous is not None:
            now = datetime.strptime(found[1], "%H:%M:%S")
            name = next((v for k, v in PIPELINES.items() if found[2].startswith(k)), "data_processing")
            spent[name] = spent.get(name, 0.0) + (now - previous).seconds
            previous = now
    return spent


def main() -> None:
    """Run, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--params", default="")
    arguments = parser.parse_args()
    project = fresh_project(arguments.work.resolve())
    command = [sys.executable, "-m", "kedro", "run", *(["--params", arguments.params] if arguments.params else [])]
    started = time.perf_counter()
    result = subprocess.run(
        command, cwd=project, env=os.environ | {"DO_NOT_TRACK": "1"}, capture_output=True, text=True, check=False
    )
    wall = time.perf_counter() - started
    log = result.stderr.replace("\r", "\n")
    (arguments.work / "log.txt").write_text(log)
    if result.returncode:
        sys.exit("\n".join(log.splitlines()[-5:]))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    spent = seconds_per_pipeline(log)
    print(json.dumps({"wall_s": round(wall), "peak_gib": round(peak, 2), **spent}, indent=1))
    for name in ("metrics.md", "depth_hits_training_3d.txt"):
        print(next((project / "data" / "08_reporting" / name).glob(f"*/{name}")).read_text())


if __name__ == "__main__":
    main()

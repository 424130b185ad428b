"""How long Kedro's commands take to start in this project, beside Kedro itself outside of any.

    python benchmarks/start.py [--rounds 5]

Each round runs the commands one after the other in fresh processes; printed are medians of CPU and wall seconds, and
their ratio to `kedro --help` outside a project. Wanted: `registry list` at most 1.5, an error in a parameter at most 2.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from scratch import make_project

OUTSIDE = "kedro --help, outside a project"
COMMANDS = {
    OUTSIDE: ["--help"],
    "kedro registry list": ["registry", "list"],
    "kedro run, a misspelt parameter": ["run", "--params", "training_3d.max_epoch=3"],
    "kedro catalog describe-datasets": ["catalog", "describe-datasets"],
}


def seconds(command: list[str], folder: Path) -> tuple[float, float]:
    """CPU and wall seconds of one fresh process, whatever its exit code."""
    before, started = os.times(), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "kedro", *command],
        cwd=folder,
        env=os.environ | {"DO_NOT_TRACK": "1"},
        capture_output=True,
        check=False,
    )
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        project, elsewhere = make_project(Path(folder) / "project"), Path(folder)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
        for _ in range(rounds):
            for name, command in COMMANDS.items():
                taken[name].append(seconds(command, elsewhere if name == OUTSIDE else project))
    base = [median(column) for column in zip(*taken[OUTSIDE], strict=True)]
    print("| command | CPU s | wall s | ratio of CPU | ratio of wall |\n|---|---|---|---|---|")
    for name, pairs in taken.items():
        cpu, wall = (median(column) for column in zip(*pairs, strict=True))
        print(f"| {name} | {cpu:.2f} | {wall:.2f} | {cpu / base[0]:.2f} | {wall / base[1]:.2f} |")


if __name__ == "__main__":
    main()

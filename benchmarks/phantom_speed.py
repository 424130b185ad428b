"""What phantom eyes cost: seconds and peak memory at full size, on the demo grid, and for a cohort written to disk.

    python benchmarks/phantom_speed.py [--work /tmp/speed] [--runs 1]

Each figure comes from a fresh process, so that peak memory is its own. Times start after the imports.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, get_args

from octa_kedro.io.release_writer import write_release
from octa_kedro.phantom.config import Disease, PhantomConfig
from octa_kedro.phantom.plan import plan_cohort
from octa_kedro.phantom.scan import make_eye
from octa_kedro.pipelines.phantom.nodes import plan_phantom

FULL = {"3mm": (304, 304, 640), "6mm": (400, 400, 640)}
LIMITS = {"full 3mm": (30.0, 2.0), "demo": (1.5, None)}  # seconds an eye, GiB
COHORT_EYES = 12


def rows_of(config: PhantomConfig, fov_mm: float) -> list[dict[Hashable, Any]]:
    """One row of the cohort per disease."""
    table = plan_cohort(config)
    return table[table["fov_mm"] == fov_mm].drop_duplicates("Disease").to_dict("records")


def make_config(**settings: Any) -> PhantomConfig:
    """Four eyes of each disease, so that each is scanned in both fields of view."""
    return PhantomConfig.model_validate({"subjects": dict.fromkeys(get_args(Disease), 4)} | settings)


def time_full(field: str, _: Path) -> dict[str, float]:
    """One diseased eye at the release's size, in a process that has made none before."""
    config = make_config(shapes=FULL)
    row = next(row for row in rows_of(config, float(field.removesuffix("mm"))) if row["Disease"] == "DR")
    started = time.perf_counter()
    make_eye(config, row)
    return {"seconds": time.perf_counter() - started}


def time_demo(field: str, _: Path) -> dict[str, float]:
    """Mean and longest over an eye of each disease on the default grid, after one eye to warm up."""
    config = make_config()
    rows = rows_of(config, float(field.removesuffix("mm")))
    make_eye(config, rows[0])
    spent = []
    for row in rows:
        started = time.perf_counter()
        make_eye(config, row)
        spent.append(time.perf_counter() - started)
    return {"seconds": sum(spent) / len(spent), "longest": max(spent)}


def time_cohort(workers: str, work: Path) -> dict[str, float]:
    """A demo cohort made and written, per eye."""
    cohort = plan_phantom(make_config())
    table = cohort.table.head(COHORT_EYES)
    recipes = {subject: cohort.recipes[subject] for subject in table["ID"].astype(str)}
    with tempfile.TemporaryDirectory(dir=work) as root:
        started = time.perf_counter()
        write_release(Path(root), table, recipes, workers=int(workers))
        return {"seconds": (time.perf_counter() - started) / COHORT_EYES}


MEASUREMENTS: dict[str, tuple[Callable[[str, Path], dict[str, float]], str]] = {
    "full 3mm": (time_full, "3mm"),
    "full 6mm": (time_full, "6mm"),
    "demo 3mm": (time_demo, "3mm"),
    "demo 6mm": (time_demo, "6mm"),
    f"cohort of {COHORT_EYES} demo eyes written, 1 worker": (time_cohort, "1"),
    f"cohort of {COHORT_EYES} demo eyes written, 2 workers": (time_cohort, "2"),
}


def measure_here(name: str, work: Path) -> None:
    """In the child: print what it took as JSON. Peak memory is that of this process, not of workers it starts."""
    measure, argument = MEASUREMENTS[name]
    figures = measure(argument, work)
    print(json.dumps(figures | {"gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))


def measure_apart(name: str, work: Path) -> dict[str, float]:
    """In a fresh process."""
    command = [sys.executable, __file__, "--work", str(work), "--child", name]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"{name}: {result.stderr.strip()[-2000:]}")
    return json.loads(result.stdout.splitlines()[-1])


def write_row(name: str, figures: dict[str, float]) -> str:
    """A line of the table."""
    seconds, memory = next((limit for start, limit in LIMITS.items() if name.startswith(start)), (None, None))
    reached = all(limit is None or figures[key] <= limit for key, limit in (("seconds", seconds), ("gib", memory)))
    limits = ", ".join(f"{v:g} {unit}" for v, unit in ((seconds, "s"), (memory, "GiB")) if v is not None)
    longest = f" (longest {figures['longest']:.2f})" if "longest" in figures else ""
    verdict = ("yes" if reached else "**no**") if limits else ""
    return f"| {name} | {figures['seconds']:.2f}{longest} | {figures['gib']:.2f} | {limits} | {verdict} |"


def main() -> None:
    """Measure each in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()), help="where the cohort is written")
    parser.add_argument("--runs", type=int, default=1, help="repeat, and keep the quickest")
    parser.add_argument("--child", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.child:
        measure_here(arguments.child, arguments.work)
        return
    print(f"{os.cpu_count()} cores, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}\n")
    print("| what | seconds an eye | peak GiB of the main process | limit | reached |\n" + "|" + "---|" * 5)
    for name in MEASUREMENTS:
        runs = [measure_apart(name, arguments.work) for _ in range(arguments.runs)]
        print(write_row(name, min(runs, key=lambda run: run["seconds"])), flush=True)


if __name__ == "__main__":
    main()

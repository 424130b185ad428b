"""Run as a program: faults in every step of writing of a run, which is then run again to the end of one without.

    python -m tests.kills.every_step FOLDER {die,disk_full} PIPELINE FIRST EVERY

Steps are the opening, flushing and renaming of files; FIRST is the first one, and EVERY says which of them follow.
"""

import shutil
import sys
from functools import partial
from pathlib import Path

from tests.kills import fault_points
from tests.kills.fork_server import fork, preload
from tests.kills.project import differences, end_of, project_with_phantom, run

FAULTS = {"die": fault_points.die, "disk_full": fault_points.disk_full}


def counted(project: Path, pipeline: str, result: Path) -> None:
    """Run without a fault, and write to `result` how many steps of writing there are."""
    steps = fault_points.at_call(0, project / "data", fault_points.die)
    next(steps)
    run(project, pipeline_names=[pipeline])
    result.write_text(str(next(steps)))


def faulty(project: Path, pipeline: str, number: int, fault: str) -> None:
    """Run with a fault in step `number`."""
    next(fault_points.at_call(number, project / "data", FAULTS[fault]))
    run(project, pipeline_names=[pipeline])


def trial(start: Path, folder: Path, pipeline: str, *, number: int, fault: str, expected: dict[str, str]) -> bool:
    """Whether the run after a faulty one ends as expected, and the faulty one said why it ended in one line."""
    project = Path(shutil.copytree(start, folder))
    child = fork(partial(faulty, project, pipeline, number, fault), folder.with_suffix(".faulty.log"))
    first, line = child.wait(), child.error()
    again = fork(partial(run, project, pipeline_names=[pipeline]), folder.with_suffix(".log"))
    code = again.wait()
    differing = differences(expected, end_of(project))
    told = fault == "die" or first == 0 or "No space left" in line or "disk is full" in line
    good = code == 0 and not differing and told
    if not good:
        sys.stdout.write(f"step {number}: {first} {line or child.words()[-300:]}; {code} {again.error()} {differing}\n")
    shutil.rmtree(project)
    return good


def main(folder: Path, fault: str, pipeline: str, first: int, every: int) -> bool:
    """See the module's docstring; whether all ends were identical."""
    preload()
    folder.mkdir(parents=True)
    start, whole, result = folder / "start", folder / "whole", folder / "steps"
    for work in (partial(project_with_phantom, start), partial(shutil.copytree, start, whole)):
        fork(work, folder / "start.log").wait()
    fork(partial(counted, whole, pipeline, result), folder / "whole.log").wait()
    steps, expected = int(result.read_text()), end_of(whole)
    numbers = range(first, steps + 1, every)
    good = sum(trial(start, folder / f"step_{n}", pipeline, number=n, fault=fault, expected=expected) for n in numbers)
    sys.stdout.write(f"{pipeline}, {fault}: {steps} steps, {len(numbers)} faults, {good} identical ends\n")
    return good == len(numbers)


if __name__ == "__main__":
    sys.exit(not main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))

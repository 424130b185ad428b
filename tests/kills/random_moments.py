"""Run as a program: kills the whole mission at random moments, runs it again, and compares what it ends with.

    python -m tests.kills.random_moments FOLDER TRIALS SEED

A trial is killed once, twice or three times before its last run. Each prints a line, and the last line counts.
"""

import random
import re
import shutil
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.kills.fork_server import Child, fork, preload, processor_seconds
from tests.kills.project import differences, end_of, project_with_phantom, run

NODE = re.compile(r"Running node: (\S+?):")
MOST = 3


@dataclass
class Count:
    """What has been counted so far."""

    trials: int = 0
    kills: int = 0
    identical: int = 0
    told: list[str] = field(default_factory=list)


def measured(child: Child) -> float:
    """Wait for a run that nothing disturbs; its processor time. RuntimeError if it fails."""
    seconds = 0.0
    while (used := processor_seconds(child.process)) is not None:
        seconds = used
        time.sleep(0.01)
    if child.wait() != 0:
        raise RuntimeError(f"an undisturbed run fails: {child.words()[-2000:]}")
    return seconds


def last_node(child: Child) -> str:
    """The node that was at work when a run was killed."""
    return (NODE.findall(child.words()) or ["the start"])[-1]


def trial(start: Path, folder: Path, moments: list[float], expected: dict[str, str], count: Count) -> None:
    """Kill a run at each of `moments`, run it to its end, compare, and say what came of it."""
    project, log = Path(shutil.copytree(start, folder)), folder.with_suffix(".log")
    work, where = partial(run, project), []
    for moment in moments:
        child = fork(work, log)
        if child.kill_after(moment):
            where.append(last_node(child))
    child = fork(work, log)
    code = child.wait()
    differing = differences(expected, end_of(project))
    good = code == 0 and not differing
    count.trials, count.kills, count.identical = count.trials + 1, count.kills + len(where), count.identical + good
    result = "identical" if good else f"NOT identical: code {code} {child.error()} {differing[:9]}"
    sys.stdout.write(f"{count.trials}: killed in {', '.join(where) or 'nothing'}: {result}\n")
    sys.stdout.flush()
    if good:
        shutil.rmtree(project)


def main(folder: Path, trials: int, seed: int) -> bool:
    """See the module's docstring; whether all ends were identical."""
    preload()
    chance, count = random.Random(seed), Count()
    folder.mkdir(parents=True)
    start = folder / "start"
    measured(fork(partial(project_with_phantom, start), folder / "start.log"))
    whole = Path(shutil.copytree(start, folder / "whole"))
    seconds = measured(fork(partial(run, whole), folder / "whole.log"))
    expected = end_of(whole)
    sys.stdout.write(f"a run takes {seconds:.1f} s of processor time and leaves {len(expected)} files\n")
    for number in chance.sample(range(trials), trials):  # the part that was done, if it is stopped, is spread as well
        first = (number + chance.random()) / trials * seconds  # spread evenly over the run
        more = [chance.uniform(0, seconds) for _ in range(number % MOST)]
        trial(start, folder / f"trial_{number}", [first, *more], expected, count)
    sys.stdout.write(f"{count.trials} trials, {count.kills} kills, {count.identical} identical ends\n")
    return count.identical == count.trials


if __name__ == "__main__":
    sys.exit(not main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))

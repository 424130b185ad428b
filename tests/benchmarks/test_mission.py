"""How the mission's cost is counted."""

import importlib
import os
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
mission = importlib.import_module("mission")

LOG = """12:00:00 INFO    Kedro project x
12:00:09 INFO    Running node: write_phantom: plan_phantom([params:phantom]) -> [source]
12:00:12 INFO    Completed node: write_phantom
12:00:12 INFO    Running node: read_cohort: read_cohort([source]) -> [cohort_table]
12:00:13 INFO    Completed node: read_cohort
12:00:13 INFO    Completed node: training_3d.fold_1.train
12:00:13 INFO    Completed node: training_3d.fold_2.train
12:00:20 INFO    Pipeline execution completed successfully
"""


def test_time_goes_to_the_pipeline_of_the_node_that_ends():
    wall, cpu = count(0, 10), count(0, 3)
    spent = mission.costs(LOG.splitlines(), lambda: (next(wall), next(cpu)))
    ten = (10, 3)
    expected = {"start": ten, "phantom": ten, "data_processing": ten, "training_3d": (20, 6), "end": ten}
    assert spent == expected


BUSY = "import time\nwhile time.process_time() < 0.8: pass\n"  # more than is waited for: the system counts in ticks


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="needs Linux's /proc")
def test_children_are_counted_while_they_live_and_when_they_have_ended():
    before = mission.cpu_seconds(os.getpid())
    with subprocess.Popen([sys.executable, "-c", BUSY + "input()"], stdin=subprocess.PIPE) as child:
        end = time.monotonic() + 60
        while mission.cpu_seconds(child.pid) < 0.5 and time.monotonic() < end:
            time.sleep(0.05)
        assert mission.cpu_seconds(os.getpid()) - before >= 0.5
        child.communicate(b"\n")
    assert mission.cpu_seconds(os.getpid()) - before >= 0.5

"""The programs of this folder, on a few kills; each has its own process, as it forks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


def program(name: str, folder: Path, *arguments: object) -> str:
    """Its last line; it ends well only if all ends were identical."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    words = [sys.executable, "-m", f"tests.kills.{name}", str(folder / name), *map(str, arguments)]
    ended = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_mission_that_was_killed_at_random_moments_ends_alike(tmp_path: Path):
    assert re.fullmatch(r"4 trials, [3-9] kills, 4 identical ends", program("random_moments", tmp_path, 4, 5))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["die", "disk_full"])
@pytest.mark.parametrize(("pipeline", "every"), [("data_processing", 40), ("__default__", 400)])
def test_a_run_that_failed_in_a_step_of_writing_ends_alike(tmp_path: Path, fault: str, pipeline: str, every: int):
    last = program("every_step", tmp_path, fault, pipeline, 3, every)
    found = re.fullmatch(r"\w+, \w+: \d+ steps, (\d+) faults, (\d+) identical ends", last)
    assert found is not None
    assert found[1] == found[2] != "0"

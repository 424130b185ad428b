"""What is looked after in a data root before a run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.io.files import DAY_SECONDS, MACHINE, unfinished_name
from octa_kedro.running.upkeep import look_after

NOW, EARLIER, LATER = "2026-05-05T12.00.00.000Z", "2026-05-05T11.59.59.999Z", "2027-01-01T00.00.00.000Z"


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_process_left_is_removed_and_all_else_stays(tmp_path: Path):
    folder = tmp_path / "a" / "files"
    folder.mkdir(parents=True)
    mine, dead = unfinished_name(folder / "x.nii"), ended_process()
    left = folder / f".partial-{MACHINE}-{dead}-x.nii"
    page = folder / f".old-{MACHINE}-{dead}-viewer"
    page.mkdir()
    (page / "index.html").touch()
    elsewhere, long_ago = (folder / f".partial-other.node-{dead}-{name}" for name in ("x.nii", "y.nii"))
    for path in (mine, left, elsewhere, long_ago, folder / "x.nii", folder / ".partial-x"):
        path.touch()
    os.utime(long_ago, (0, long_ago.stat().st_mtime - 2 * DAY_SECONDS))
    look_after(tmp_path, NOW)
    assert {path.name for path in folder.iterdir()} == {mine.name, elsewhere.name, "x.nii", ".partial-x"}


def test_a_version_from_the_future_is_refused_by_name(tmp_path: Path):
    (tmp_path / "splits.csv" / EARLIER).mkdir(parents=True)
    look_after(tmp_path, NOW)
    (tmp_path / "splits.csv" / NOW).mkdir()
    look_after(tmp_path, NOW, living=[NOW])
    with pytest.raises(ConfigError, match=rf"splits\.csv/{NOW}: as old as this run \({NOW}\)"):
        look_after(tmp_path, NOW)
    (tmp_path / "splits.csv" / LATER).mkdir()
    with pytest.raises(ConfigError, match=rf"splits\.csv/{LATER}: newer than this run \({NOW}\)"):
        look_after(tmp_path, NOW)


def test_what_another_process_of_the_same_number_left_is_removed(tmp_path: Path):
    mine = unfinished_name(tmp_path / "x.nii")
    other = tmp_path / mine.name.replace(f"-{os.getpid()}.", f"-{os.getpid()}.1")
    for path in (mine, other):
        path.touch()
    look_after(tmp_path, NOW)
    assert mine.exists()
    assert not other.exists()


def test_a_container_of_the_same_name_counts_as_another_machine(tmp_path: Path):
    path = unfinished_name(tmp_path / "x.nii")
    assert re.fullmatch(r".*\.[0-9a-f]{8}", MACHINE)
    other = tmp_path / path.name.replace(MACHINE, f"{MACHINE[:-8]}00000000").replace(str(os.getpid()), "1")
    other.touch()
    look_after(tmp_path, NOW)
    assert other.exists()


def test_versions_of_a_run_at_work_are_not_from_the_future(tmp_path: Path):
    (tmp_path / "splits.csv" / LATER).mkdir(parents=True)
    look_after(tmp_path, NOW, [LATER])
    with pytest.raises(ConfigError, match="newer than this run"):
        look_after(tmp_path, NOW, [EARLIER])


def test_a_root_that_is_not_there_yet_is_no_fault(tmp_path: Path):
    look_after(tmp_path / "none", NOW)

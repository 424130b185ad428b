"""What is looked after in a data root before a run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.io.files import DAY_SECONDS, MACHINE, unfinished_name
from octa_kedro.upkeep import look_after

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
    (tmp_path / "splits.csv" / NOW).mkdir()
    look_after(tmp_path, NOW)
    (tmp_path / "splits.csv" / LATER).mkdir()
    with pytest.raises(ConfigError, match=rf"splits\.csv/{LATER}: newer than this run \({NOW}\)"):
        look_after(tmp_path, NOW)


def test_a_root_that_is_not_there_yet_is_no_fault(tmp_path: Path):
    look_after(tmp_path / "none", NOW)

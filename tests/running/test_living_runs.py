"""Which runs are at work, and what keeps two apart."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from octa_kedro.errors import ConfigError
from octa_kedro.io.files import MACHINE
from octa_kedro.running import living_runs

FIRST, SECOND = "2026-05-05T12.00.00.000Z", "2026-05-05T12.00.00.001Z"
SPLITS = Path("data/05_model_input/splits.csv")


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    yield
    living_runs.end()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is at work on a run which saves splits and a checkpoint."""
    words = f"""
        import sys
        from pathlib import Path
        from octa_kedro.running import living_runs
        writes = [Path({str(SPLITS)!r}), Path("data/06_models/training_3d/fold_1/checkpoint.safetensors")]
        living_runs.begin(Path({str(tmp_path)!r}), {FIRST!r}, {{}}, writes)
        print("begun", flush=True)
        sys.stdin.read()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    yield process
    process.kill()
    process.communicate()


def test_a_run_at_work_is_known_and_one_that_was_killed_is_not(tmp_path: Path, other: subprocess.Popen[str]):
    (run,) = living_runs.living(tmp_path)
    assert (run.version, run.process.split()[0]) == (FIRST, str(other.pid))
    other.kill()
    other.wait()
    assert living_runs.living(tmp_path) == []
    assert list((tmp_path / living_runs.RUNS).iterdir()) == []


@pytest.mark.usefixtures("other")
def test_two_runs_of_one_version_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="in the same millisecond"):
        living_runs.begin(tmp_path, FIRST, {}, [])
    assert len(list((tmp_path / living_runs.RUNS).iterdir())) == 1


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize("path", [SPLITS, Path("data/06_models/training_3d")])
def test_a_run_does_not_read_what_another_is_about_to_save(tmp_path: Path, path: Path):
    with pytest.raises(ConfigError, match=rf"x: another run \({FIRST}, process .*{path}; wait until it has ended"):
        living_runs.begin(tmp_path, SECOND, {"x": [path]}, [])


@pytest.mark.usefixtures("other")
def test_runs_that_only_save_the_same_go_side_by_side(tmp_path: Path):
    living_runs.begin(tmp_path, SECOND, {"models": [Path("data/06_models/training_2d")]}, [SPLITS])
    assert [run.version for run in living_runs.living(tmp_path)] == [FIRST]


def test_a_run_of_this_process_that_was_broken_off_is_no_longer_at_work(tmp_path: Path):
    living_runs.begin(tmp_path, FIRST, {}, [SPLITS])
    living_runs.begin(tmp_path, SECOND, {"splits": [SPLITS]}, [])
    assert [path.name for path in (tmp_path / living_runs.RUNS).iterdir()] == [SECOND]


def test_what_a_run_left_that_was_killed_while_it_began_is_removed(tmp_path: Path, other: subprocess.Popen[str]):
    folder = tmp_path / living_runs.RUNS
    left, mine = folder / f".partial-{MACHINE}-{other.pid}.1-{SECOND}", folder / f".partial-{MACHINE}-{os.getpid()}.-x"
    for path in (left, mine):
        path.touch()
    assert [run.version for run in living_runs.living(tmp_path)] == [FIRST]
    assert mine.exists()
    assert not left.exists()


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize("text", ["", '{"version": "2026', "[]", '{"version": "1"}'])
def test_a_damaged_note_of_a_run_at_work_is_refused_by_name(tmp_path: Path, text: str):
    (tmp_path / living_runs.RUNS / FIRST).write_text(text)
    with pytest.raises(ConfigError, match=f"{FIRST}: damaged, and the run that wrote it is at work, .*wait until"):
        living_runs.begin(tmp_path, SECOND, {}, [])

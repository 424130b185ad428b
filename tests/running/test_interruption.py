"""A signal ends a run in a few lines, with its workers; a second run of the same command ends as an undisturbed one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from octa_kedro.io.kept import all_kept, note_kept
from octa_kedro.running.interruption import last_words
from octa_kedro.running.typed_command import command_for, typed_command

SCRIPT = """
import sys, time
from joblib import delayed
from octa_kedro.running.interruption import interruptible
from octa_kedro.io.kept import note_kept
from octa_kedro.io.processes import in_processes

class Deaf:
    def __del__(self):
        print("ready", flush=True)
        time.sleep(60)

def deaf():
    print("ready", flush=True)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

if __name__ == "__main__":
    with interruptible():
        note_kept("volumes", 3, 12, "missing eyes")
        if sys.argv[1] == "deaf":
            deaf()
        if sys.argv[1] == "destructor":
            Deaf()
        if sys.argv[1] == "starting":
            work = in_processes(4, [delayed(time.sleep)(60) for _ in range(4)])
        if sys.argv[1] == "workers":
            work = in_processes(2, [delayed(time.sleep)(s) for s in (0.01, 60, 60)])
            next(work)
        print("ready", flush=True)
        time.sleep(60)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "work.py"
    path.write_text(SCRIPT)
    return path


def living_in(group: int) -> int:
    """How many processes of a group are alive."""
    living = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        living += fields[2] == str(group) and fields[0] not in "ZX"
    return living


def interrupt(script: Path, case: str, number: int, times: int = 1) -> tuple[int, list[str], int]:
    """Exit code, lines of stderr, and the processes of its group that are left."""
    command = [sys.executable, "-W", "ignore", str(script), case, "--a=b c"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(times):
            os.killpg(process.pid, number)  # as a terminal does
            time.sleep(0.3)
        error = process.communicate(timeout=30)[1]
    deadline = time.monotonic() + 10  # what cleans up behind pools ends a little later, on a busy machine much
    while (left := living_in(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return process.returncode, error.splitlines(), left


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_run_with_words_on_what_is_kept_and_how_to_go_on(script: Path, number: int, code: int):
    returned, lines, _ = interrupt(script, "alone", number)
    assert returned == code
    assert "volumes: 3 of 12 missing eyes" in " ".join(lines)
    assert lines[-1].endswith("work.py alone '--a=b c'")
    assert len(lines) <= 5


@pytest.mark.parametrize("case", ["workers", "starting"])
def test_worker_processes_end_too_and_say_nothing(script: Path, case: str):
    returned, lines, left = interrupt(script, case, signal.SIGINT)
    assert (returned, left) == (130, 0)
    assert not any("Traceback" in line for line in lines)


@pytest.mark.parametrize(("case", "times"), [("deaf", 2), ("destructor", 1)])
def test_a_second_signal_or_a_destructor_ends_at_once(script: Path, case: str, times: int):
    started = time.monotonic()
    returned, lines, _ = interrupt(script, case, signal.SIGINT, times)
    assert returned == 130
    assert time.monotonic() - started < 12
    assert "Interrupted (Ctrl-C)" in " ".join(lines)


def test_finished_work_is_not_mentioned():
    note_kept("a", 2, 3, "eyes")
    assert "a: 2 of 3 eyes" in all_kept()
    note_kept("a", 3, 3, "eyes")
    assert not any(line.startswith("a:") for line in all_kept())
    assert len(last_words(signal.SIGINT)) == 2


def test_the_command_is_told_as_it_was_typed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kedro", "run", "--params", "a=b c"])
    assert typed_command() == "kedro run --params 'a=b c'"
    assert command_for("evaluation", "test") == "kedro run --env test --pipelines evaluation"

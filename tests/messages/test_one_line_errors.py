"""Faults of the machine and of libraries that end a run are one line with the remedy."""

from types import SimpleNamespace

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from joblib.externals.loky.process_executor import TerminatedWorkerError

from octa_kedro import cli
from octa_kedro.errors import ConfigError
from octa_kedro.messages.one_line_errors import one_line

GPU = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has ... set PYTORCH_CUDA_ALLOC_CONF=..."
LOADER = "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that ..."


@pytest.mark.parametrize(
    ("error", "start", "remedy"),
    [
        (torch.OutOfMemoryError(GPU), "not enough memory (CUDA out of memory); ", "lower batch_size"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "not enough memory (Def", "batch_size"),
        (RuntimeError(LOADER), "a worker process was ended", "fewer processes (execution.workers, workers"),
        (RuntimeError("unable to open shared memory object </torch_1>"), "a worker process was ended", "/dev/shm"),
        (TerminatedWorkerError("A worker process ...\nThis"), "a worker process was ended", "run again"),
        (KeyboardInterrupt(), "interrupted (Ctrl-C) before a run began", "nothing was changed"),
    ],
)
def test_memory_workers_and_early_interruptions(error: BaseException, start: str, remedy: str):
    line = one_line(error) or ""
    assert line.startswith(start)
    assert remedy in line
    assert "PYTORCH_CUDA" not in line


def test_other_errors_are_shown_as_before():
    assert one_line(RuntimeError("sizes do not match")) is None


def test_a_notebook_shows_an_error_of_the_input_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)  # IPython warns if it is another than Python's own
    shell = InteractiveShell()
    shell.user_ns["error"] = ConfigError("conf/base: holds no catalog.yml")
    shell.run_cell("raise error")
    assert capsys.readouterr().out.strip() == "ERROR: conf/base: holds no catalog.yml"


@pytest.mark.parametrize(("encoding", "refused"), [("utf-8", False), ("UTF8", False), ("iso8859-1", True)])
def test_a_terminal_whose_text_is_not_utf8_is_refused(monkeypatch: pytest.MonkeyPatch, encoding: str, refused: bool):
    monkeypatch.setattr(cli.locale, "getencoding", lambda: encoding)
    monkeypatch.setattr(cli, "sys", SimpleNamespace(flags=SimpleNamespace(utf8_mode=0)))
    if refused:
        with pytest.raises(ConfigError, match=r"this terminal's text is iso8859-1, not UTF-8; set .* PYTHONUTF8=1"):
            cli._require_utf8()
    else:
        cli._require_utf8()

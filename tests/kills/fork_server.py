"""One process imports everything and then forks a child for each run, so that none costs the seconds of a start.

It only imports: a fork of a process that has computed with several threads can hang.
"""

import importlib
import os
import pkgutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
POLL_SECONDS = 0.004
ERROR = 1


def preload() -> None:
    """Import this package and with it every library that a run needs. RuntimeError if that has started a thread."""
    import torch

    import octa_kedro

    torch.set_num_threads(1)
    for module in pkgutil.walk_packages(octa_kedro.__path__, "octa_kedro."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in ("timm", "kedro_datasets.pandas", "kedro_datasets.text", "kedro_datasets.json", "tests.kills.project"):
        importlib.import_module(name)
    _lighten_figures()
    if len([*Path("/proc/self/task").iterdir()]) > 1:
        raise RuntimeError("importing has started threads; set OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1")


def _lighten_figures() -> None:
    """Pictures take most of the time of a tiny run: one pixel with all their words stands for each, and the gallery
    has one eye."""
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    from octa_kedro.phantom import gallery

    def save(figure: Figure, where: Any, **how: Any) -> None:
        if how.get("format") not in {"png", "svg"}:
            return whole(figure, where, **how)
        shown = " ".join(text.get_text() for text in figure.findobj(Text))
        if how["format"] == "svg":
            Path(where).write_text(shown)
            return None
        words = PngInfo()
        words.add_text("words", shown)
        return Image.new("RGB", (1, 1)).save(where, format="png", pnginfo=words)

    whole, every = Figure.savefig, gallery.gallery_eyes
    gallery.gallery_eyes = lambda config: dict(list(every(config).items())[:1])
    Figure.savefig = save


@dataclass(frozen=True)
class Child:
    """A forked run, the leader of a process group of its own; `log` receives all that it says."""

    process: int
    log: Path

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    def kill_after(self, seconds: float) -> bool:
        """Kill its whole group once it has used so much processor time; whether it was still at work."""
        while (used := processor_seconds(self.process)) is not None:
            if used >= seconds:
                os.killpg(self.process, signal.SIGKILL)
                break
            time.sleep(POLL_SECONDS)
        return self.wait() == -signal.SIGKILL

    def words(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace")

    def error(self) -> str:
        """The line of the error that ended it; empty without one."""
        lines = self.words().splitlines()
        return next((line for line in reversed(lines) if line.startswith("ERROR: ")), "")


def fork(work: Callable[[], object], log: Path) -> Child:
    """Begin `work` in a child. An exception that it raises is shown as `kedro run` shows it, and its code is 1."""
    sys.stdout.flush()
    sys.stderr.flush()
    if (process := os.fork()) != 0:
        return Child(process, log)
    code = ERROR
    try:
        os.setpgid(0, 0)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the child has to end here
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def processor_seconds(process: int) -> float | None:
    """The processor time of a child and of the children that it has waited for; None once it has ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return None if fields[0] == "Z" else sum(map(int, fields[11:15])) / TICKS


def children_of(process: int) -> list[int]:
    """The living processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == process and fields[0] != "Z":
            found.append(int(path.parent.name))
    return sorted(found)

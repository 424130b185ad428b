"""Run as a program: imports everything once, and forks itself for every command of Kedro that it is told to run.

A request and an answer are a line of JSON each. A command runs in a process of its own, with its own exit code and
output, but without the seconds that torch and MONAI take to be imported.
"""

import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

import octa_kedro
from tests.conftest import ROOT
from tests.faults import inside


def import_all() -> None:
    """What commands and nodes import. Nothing is computed: a fork of a process with threads can hang."""
    import torch

    torch.set_num_threads(1)
    for module in pkgutil.walk_packages(octa_kedro.__path__, "octa_kedro."):
        if not module.name.endswith(("__main__", ".settings", ".trackers", ".widget")):
            importlib.import_module(module.name)
    for file in sorted((ROOT / "conf").glob("*/*.yml")):
        OmegaConf.load(file)  # its parser learns the grammar from what it reads


def main() -> None:
    """Answer requests until there are no more."""
    import_all()
    gc.collect()
    gc.freeze()  # else every fork copies the pages that its first collection touches
    answer({})
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer({"code": os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])})
        elif (child := os.fork()) == 0:
            os._exit(run_command(**request))
        else:
            answer({"process": child})
    os._exit(0)  # at once: all that has been imported need not be taken apart


def answer(what: dict[str, Any]) -> None:
    """Write a line to the process that asked."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def run_command(project: str, arguments: list[str], output: str, within: list[tuple[str, dict[str, Any]]]) -> int:
    """In the forked process: the command line `kedro` with `arguments`; returns its exit code."""
    from kedro.framework.cli.cli import main as kedro

    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, own in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(number, own)
    # As in a terminal, also where the tests run in the background, which makes them deaf to these signals.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.chdir(project)
    sys.argv = ["kedro", *arguments]
    code = 0
    try:
        for name, options in within:
            getattr(inside, name)(Path(project), **options)
        kedro()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - what the interpreter does with an error that nobody catches
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    main()

"""How a fault is tried: made in a project, met by a command, judged, taken away, and met by the same command again."""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd
import pytest

from tests.conftest import ROOT

VERSION = re.compile(r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z")
BESIDE = re.compile(r"/source\.json$|/02_intermediate/fingerprints/|\.damaged$|/06_models/.*/running/")
"""What any run may write: notes about the source, damaged files set aside, and the folder that a training works in."""
MEASURED = re.compile(r"history\.csv\.seal\.json$| history_\w+\.(png(\.seal\.json)?|svg)$|: eyes\.json$")
"""Results that hold, or depend on, how long an epoch took, or the names of versions."""
DATA = "data/nifti_folder"
EARLIER = "/(02_intermediate|03_primary|04_feature)/"
PROCESSED = "/(02_intermediate|03_primary|04_feature|05_model_input/(processed|enface|flattening))"
"""What the steps before the processing of eyes, and before the splits, write."""
PROCESS = "run --env nifti_folder --to-nodes tabulate_folds"
TRAIN = "run --env nifti_folder --to-nodes training_3d.fold_1.predict"
MISSION = "run --env nifti_folder --pipelines data_processing,training_3d,evaluation"
Within = tuple[str, dict[str, Any]]


class Fault(NamedTuple):
    """One row of a table.

    `ends`: ``refused`` (an exit code that is not 0, and one line with what `says` says), ``told`` (the run ends
    well, and its log or the table `shown` has it), ``harmless`` (as told, and the results are those of an undisturbed
    run), or ``stopped`` (killed or interrupted; whatever it says, the next run is right).
    """

    name: str  # a sentence
    make: Callable[[Path], object]  # changes the project before the run
    says: str = ""  # what has to be in the answer; " ... " stands for anything between
    command: str = PROCESS
    ends: Literal["refused", "told", "harmless", "stopped"] = "refused"
    code: int | None = None  # None: 1 if refused, 0 if told or harmless, anything if stopped
    begin: str = "nifti"  # the snapshot to start from, see `SNAPSHOTS`
    inside: Sequence[Within] = ()  # functions of `inside`: faults of the machine
    shown: str = ""  # a glob below data/<environment>: tables or reports that have the words as well
    leaves: str = ""  # a refused run may leave files whose paths match: what earlier steps had finished
    again: str = ""  # the next command, where it is neither the same nor, from a fresh project, the whole run
    quick: bool = False  # whether `make test` tries it; the rest is slow
    known: str = ""  # why the answer is not good yet: a strict xfail


def nothing(project: Path) -> None:
    """The fault is in the command or in the machine, not in the project."""


def table(faults: list[Fault]) -> list[Any]:
    """The rows as parameters of a test, with their names as ids and their marks."""
    rows = []
    for fault in faults:
        marks = [] if fault.quick else [pytest.mark.slow]
        if fault.known:
            marks.append(pytest.mark.xfail(strict=True, reason=fault.known))
        rows.append(pytest.param(fault, id=fault.name, marks=marks))
    return rows


class Ended(NamedTuple):
    """What a command ended with."""

    code: int
    output: str

    @property
    def line(self) -> str:
        """The last line, which has to say what is wrong."""
        lines = [line for line in self.output.splitlines() if line.strip()]
        return lines[-1] if lines else ""


class Server:
    """Commands of Kedro, each in a fork of one process that has imported everything."""

    def __init__(self) -> None:
        environment = os.environ | {"DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        environment |= {"HF_HOME": "/nowhere"}  # no weights that were downloaded before
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *environment.get("PYTHONPATH", "").split(os.pathsep)])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        self._answer()

    def start(self, project: Path, command: str, within: Sequence[Within] = (), output: str = "output") -> int:
        """Begin a command; its process. What it prints goes to a file beside the project."""
        file = project.with_name(output)
        request = {"project": str(project), "arguments": shlex.split(command), "output": str(file), "within": [*within]}
        return int(self._ask(request)["process"])

    def wait(self, process: int, project: Path, output: str = "output") -> Ended:
        """Wait for the end of a command."""
        code = self._ask({"wait": process})["code"]
        return Ended(code, project.with_name(output).read_text())

    def run(self, project: Path, command: str, within: Sequence[Within] = ()) -> Ended:
        """A command, from its start to its end."""
        return self.wait(self.start(project, command, within), project)

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


class Tree(dict[str, str]):
    """The files, links and folders of a project by relative path, with what is in them."""

    @classmethod
    def of(cls, folder: Path) -> "Tree":
        return cls((path.relative_to(folder).as_posix(), _content(path)) for path in _below(folder))

    def changed(self, other: "Tree") -> set[str]:
        """Paths that are in only one of two, or differ."""
        return {path for path in self.keys() | other.keys() if self.get(path) != other.get(path)}


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != ".viz"]  # events for the page of kedro-viz
        yield from (Path(place, name) for name in (*folders, *files))


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if not path.is_file():
        return "no file"
    mode = path.stat().st_mode
    return hashlib.blake2b(path.read_bytes()).hexdigest() if mode & 0o400 else f"mode {mode}"


def restore(project: Path, snapshot: Path) -> None:
    """Make the project what the snapshot is."""
    _allow_all(project)
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(snapshot, project, symlinks=True)


def take_away(project: Path, snapshot: Path, paths: set[str]) -> None:
    """Make the named paths of a project what they are in the snapshot; everything else stays as a run left it."""
    _allow_all(project)
    for path in sorted(paths, reverse=True):  # what is in a folder before the folder
        mine = project / path
        if not (snapshot / path).is_dir() or mine.is_symlink():
            _remove(mine)
        elif mine.is_file():
            mine.unlink()
    for path in sorted(paths):
        original, mine = snapshot / path, project / path
        if original.is_dir():
            mine.mkdir(exist_ok=True, parents=True)
        elif original.exists():
            mine.parent.mkdir(exist_ok=True, parents=True)
            shutil.copy2(original, mine)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _allow_all(project: Path) -> None:
    for folder, folders, files in os.walk(project):
        for name in (*folders, *files):
            path = Path(folder, name)
            if not path.is_symlink() and path.stat().st_mode & 0o600 != 0o600:
                path.chmod(0o755 if path.is_dir() else 0o644)


def _result(path: Path) -> str:
    """What has to be the same in every run: all bytes, but not how long an epoch took."""
    if path.name != "history.csv":
        return _content(path)
    return pd.read_csv(path, dtype=str, comment="#").drop(columns=["seconds", "memory_gib"], errors="ignore").to_csv()


def by_version(project: Path) -> dict[str, dict[str, str]]:
    """What each run has saved, the oldest first, without the names of versions: hashes of files, by version."""
    found: dict[str, dict[str, str]] = {}
    for folder in sorted((project / "data").rglob("*Z"), key=lambda path: path.name):
        if VERSION.fullmatch(folder.name) and folder.is_dir():
            place = folder.parent.relative_to(project).as_posix()
            files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
            more = {f"{place}: {path.relative_to(folder).as_posix()}": _result(path) for path in files}
            more = {name: text for name, text in more.items() if not MEASURED.search(name)}
            found.setdefault(folder.name, {}).update(more)
    return found


def results(project: Path) -> dict[str, str]:
    """The newest version of everything that Kedro versions, without the name of the version: hashes of the files."""
    newest: dict[str, tuple[str, dict[str, str]]] = {}
    for folder in (project / "data").rglob("*Z"):
        if VERSION.fullmatch(folder.name) and folder.is_dir():
            place = folder.parent.relative_to(project).as_posix()
            files = {p.relative_to(folder).as_posix(): _result(p) for p in sorted(folder.rglob("*")) if p.is_file()}
            if files and folder.name > newest.get(place, ("", {}))[0]:
                newest[place] = (folder.name, files)
    whole = {f"{place}: {name}": text for place, (_, files) in newest.items() for name, text in files.items()}
    return {name: text for name, text in whole.items() if not MEASURED.search(name)}

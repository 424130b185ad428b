"""What every fault has to satisfy."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.faults.harness import BESIDE, VERSION, Ended, Fault, Server, Tree, restore, results, take_away

NEVER = re.compile(r"Traceback|weights_only|only if you trust|\x1b\[")
"""What no answer may hold: a traceback, advice to load what was refused, codes of colours."""


class Undisturbed(NamedTuple):
    """What makes a project in an empty folder, and a command that ends well in it."""

    make: Callable[[Path], object]
    command: str


class Bench:
    """A project at one place in `folder`, snapshots of it, and the server that runs commands in it.

    There are a snapshot before each of the `undisturbed` runs (its name with ``_fresh``) and one after it. All of them
    are made at one place, since results and claims hold the absolute path of a source.
    """

    def __init__(self, folder: Path, undisturbed: Mapping[str, Undisturbed], server: Server) -> None:
        self.folder, self.undisturbed, self.server = folder, undisturbed, server
        self.project = folder / "project"

    def snapshot(self, state: str) -> Path:
        """The snapshot of this name; made if it is asked for the first time."""
        name = state.removesuffix("_fresh")
        if not (self.folder / name).is_dir():
            shutil.rmtree(self.project, ignore_errors=True)
            self.project.mkdir()
            self.undisturbed[name].make(self.project)
            shutil.copytree(self.project, self.folder / f"{name}_fresh", symlinks=True)
            ended = self.server.run(self.project, self.undisturbed[name].command)
            assert ended.code == 0, ended.output
            shutil.copytree(self.project, self.folder / name, symlinks=True)
        return self.folder / state

    def judge(self, fault: Fault) -> None:
        """Make the fault, run, look at the answer; take the fault away, run again, compare with what it should be."""
        snapshot = self.snapshot(fault.begin)
        restore(self.project, snapshot)
        before = Tree.of(self.project)
        fault.make(self.project)
        faulty = Tree.of(self.project)
        ended = self.server.run(self.project, fault.command, fault.inside)
        after = Tree.of(self.project)
        self.answers(fault, ended)
        made = before.changed(faulty)
        nothing_lost(before, after, made)
        if fault.ends == "refused":
            nothing_accepted(fault, faulty, after)
        if fault.ends == "harmless":
            self.same_as_undisturbed(fault)
        elif after != faulty or fault.ends == "stopped":
            take_away(self.project, snapshot, made)
            again = self.server.run(self.project, fault.again or self.rest_of(fault))
            assert again.code == 0, again.output
            self.same_as_undisturbed(fault)
            nothing_lost(before, Tree.of(self.project), made)
        # Else the fault has left no trace: the next run is that of a project that never had it.

    def rest_of(self, fault: Fault) -> str:
        """The command that has to end well afterwards: the same one, or the whole run where there was none before."""
        fresh = fault.begin.endswith("_fresh")
        return self.undisturbed[fault.begin.removesuffix("_fresh")].command if fresh else fault.command

    def answers(self, fault: Fault, ended: Ended) -> None:
        """The exit code, and what the run says."""
        expected = {"refused": 1, "told": 0, "harmless": 0, "stopped": None}[fault.ends]
        expected = expected if fault.code is None else fault.code
        assert expected is None or ended.code == expected, ended.output
        assert not NEVER.search(ended.output), ended.output
        words = ended.line if fault.ends == "refused" else ended.output + self.shown(fault)
        if fault.ends == "refused":
            assert re.match(r"ERROR: |Error: ", words), ended.output
        pattern = ".*".join(map(re.escape, fault.says.split(" ... ")))
        assert re.search(pattern, words, re.DOTALL), f"{fault.says!r} is not in: {words}"

    def shown(self, fault: Fault) -> str:
        """The newest of the tables and reports that have to have the words as well."""
        if not fault.shown:
            return ""
        newest = max(self.project.glob(f"data/{fault.shown}"))
        return newest.read_text()

    def same_as_undisturbed(self, fault: Fault) -> None:
        """Every result is that of the undisturbed runs, byte for byte, and nothing unfinished is left."""
        wanted, found = results(self.snapshot(fault.begin.removesuffix("_fresh"))), results(self.project)
        assert not wanted.keys() - found.keys()
        differ = sorted(name for name in wanted if found[name] != wanted[name])
        assert not differ, differ
        assert not [path for path in self.project.rglob(".partial-*") if path.exists()]


def nothing_lost(before: Tree, after: Tree, made: set[str]) -> None:
    """What was there before is still there, byte for byte, except what the fault itself changed."""
    lost = {path for path, content in before.items() if path not in made and after.get(path) != content}
    lost = {path for path in lost if path.startswith("data/") and not BESIDE.search("/" + path)}
    assert not lost, f"lost or changed: {sorted(lost)}"


def nothing_accepted(fault: Fault, faulty: Tree, after: Tree) -> None:
    """A refused run leaves no version of a dataset and nothing unfinished, but for what earlier steps had finished."""
    new = {path for path in faulty.changed(after) if after.get(path) not in {None, "no file"}}
    new = {path for path in new if not BESIDE.search("/" + path)}
    new = {path for path in new if not (fault.leaves and re.search(fault.leaves, path))}
    assert not new, f"left by a refused run: {sorted(new)}"
    assert not [path for path in after if VERSION.search(path) and "/.partial-" in path]

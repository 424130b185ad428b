"""A kill, and a full disk, in single steps of writing: the opening, flushing and renaming of files."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.faults.harness import PROCESS, Server, restore, results
from tests.faults.projects import nifti_project

QUICK, MORE = (14,), (1, 2, 5, 23, 40, 57, 80)


@pytest.fixture(scope="module")
def place(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, what it was before its first run (`fresh`), and after a processing (`processed`)."""
    folder = tmp_path_factory.mktemp("steps")
    project = folder / "project"
    project.mkdir()
    nifti_project(project)
    shutil.copytree(project, folder / "fresh")
    ended = server.run(project, PROCESS)
    assert ended.code == 0, ended.output
    shutil.copytree(project, folder / "processed")
    return project


def steps(*numbers: int) -> list[Any]:
    slow = [pytest.param(number, marks=pytest.mark.slow) for number in MORE]
    return [*numbers, *slow]


@pytest.mark.parametrize("fault", ["die", "disk_full"])
@pytest.mark.parametrize("number", steps(*QUICK))
def test_a_processing_ends_alike(place: Path, server: Server, fault: str, number: int):
    restore(place, place.with_name("fresh"))
    ended = server.run(place, PROCESS, [("at_step", {"number": number, "fault": fault})])
    if fault == "die":
        assert ended.code == -9, ended.output
    else:
        assert ended.code == 1, ended.output
        assert ended.line.startswith("ERROR: "), ended.output
        assert "No space left on device; free space" in ended.line or "the disk is full" in ended.line, ended.line
        assert "Traceback" not in ended.output
    again = server.run(place, PROCESS)
    assert again.code == 0, again.output
    assert results(place) == results(place.with_name("processed"))
    assert not [*place.rglob(".partial-*"), *place.rglob(".working-*")]

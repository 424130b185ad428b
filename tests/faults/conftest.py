"""Projects that were run once, and the server that runs commands in them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.harness import MISSION, Server, restore
from tests.faults.judge import Bench
from tests.faults.projects import nifti_project, release_project


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def bench(server: Server, phantom_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Snapshots before and after undisturbed runs: `nifti` and `nifti_fresh`, `release` and `release_fresh`.

    All of them were made at one place, since results and claims hold the absolute path of a source.
    """
    folder = tmp_path_factory.mktemp("faults")
    project, snapshots = folder / "project", {}
    undisturbed = {"nifti": MISSION, "release": "run --env test --nodes read_cohort"}
    for name, command in undisturbed.items():
        project.mkdir()
        nifti_project(project) if name == "nifti" else release_project(project, phantom_root)
        for state in (f"{name}_fresh", name):
            snapshots[state] = folder / state
            if state == name:
                ended = server.run(project, command)
                assert ended.code == 0, ended.output
            shutil.copytree(project, folder / state, symlinks=True)
        shutil.rmtree(project)
    restore(project, snapshots["nifti"])
    return Bench(project, snapshots, server)

"""Projects that were run once, and the server that runs commands in them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.harness import MISSION, Server
from tests.faults.judge import Bench, Undisturbed
from tests.faults.projects import VENDOR, nifti_project, release_project, vendor_project


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def bench(server: Server, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The snapshots, and the phantom, are made when the first row asks for them: see `judge.Bench`."""

    def release(folder: Path) -> None:
        release_project(folder, request.getfixturevalue("phantom_root"))

    undisturbed = {
        "nifti": Undisturbed(nifti_project, MISSION),
        "release": Undisturbed(release, "run --env test --nodes read_cohort"),
        "vendor": Undisturbed(vendor_project, VENDOR),
    }
    return Bench(tmp_path_factory.mktemp("faults"), undisturbed, server)

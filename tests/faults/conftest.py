"""Projects that were run once, and the server that runs commands in them."""

from collections.abc import Iterator
from functools import partial
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
def bench(server: Server, phantom_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The snapshots are made when the first row asks for them: see `judge.Bench`."""
    undisturbed = {
        "nifti": Undisturbed(nifti_project, MISSION),
        "release": Undisturbed(partial(release_project, release=phantom_root), "run --env test --nodes read_cohort"),
        "vendor": Undisturbed(vendor_project, VENDOR),
    }
    return Bench(tmp_path_factory.mktemp("faults"), undisturbed, server)

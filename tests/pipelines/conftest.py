"""A project of its own in a temporary folder, and runs of it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from tests.conftest import ROOT

PHANTOM = Path("data/test/01_raw/phantom")
Run = Callable[..., str]


def new_project(folder: Path, phantom: Path | None = None) -> Path:
    """Configuration and empty data folders, or a copy of a written `phantom` in them; the code is the installed one."""
    # without what stands in conf/local of this checkout, which would count in every run
    shutil.copytree(ROOT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "src").mkdir()
    (folder / "conf" / "local").mkdir(exist_ok=True)
    if phantom is not None:
        shutil.copytree(phantom, folder / PHANTOM)
    return folder


def run(project: Path, *, env: str = "test", params: dict[str, Any] | None = None, **what: Any) -> str:
    """Run pipelines in this process; the version that the run saved."""
    # The training code is the same on the way back from a run that changed folders or environment.
    before = Path.cwd()
    os.chdir(project)
    try:
        bootstrap_project(project)
        with KedroSession.create(project, env=env, runtime_params=params) as session:
            session.run(**what)
            return session.session_id
    finally:
        os.chdir(before)


def catalog(
    project: Path,
    *,
    env: str = "test",
    params: dict[str, Any] | None = None,
    load_versions: dict[str, str] | None = None,
) -> Any:
    """The catalog of a project, for looking at what runs left."""
    before = Path.cwd()
    os.chdir(project)
    try:
        bootstrap_project(project)
        with KedroSession.create(project, env=env, runtime_params=params) as session:
            return session.load_context()._get_catalog(load_versions=load_versions)
    finally:
        os.chdir(before)


def kedro(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=project,
        env=os.environ | {"DO_NOT_TRACK": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="session", autouse=True)
def no_telemetry() -> None:
    os.environ["DO_NOT_TRACK"] = "1"


@pytest.fixture(scope="session")
def mission(tmp_path_factory: pytest.TempPathFactory, phantom_root: Path) -> tuple[Path, str]:
    """A project in which the whole mission has been run once, and that run's version.

    Eleven eyes of the phantom are there before it, the twelfth it has to write.
    """
    project = new_project(tmp_path_factory.mktemp("mission"), phantom_root)
    min((project / PHANTOM / ".written").glob("*.json")).unlink()
    return project, run(project)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return new_project(tmp_path)


@pytest.fixture
def with_release(project: Path, release_copy: Path) -> Path:
    """A project whose phantom folder holds the small cohort, to be damaged."""
    target = project / PHANTOM
    target.parent.mkdir(parents=True)
    shutil.move(release_copy, target)
    return project

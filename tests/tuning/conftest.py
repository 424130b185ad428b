"""A search trains, so its tests use the small images of the training tests."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.training.conftest import config, encoder_config, planes, splits, table, volumes
from tests.tuning.searching import search

__all__ = ["config", "encoder_config", "planes", "splits", "table", "volumes"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """The folder and the trials of a search that nothing interrupted, two of them drawn at random."""
    folder = tmp_path_factory.mktemp("done")
    return folder, search(folder).trials


@pytest.fixture
def whole(done: tuple[Path, pd.DataFrame]) -> pd.DataFrame:
    return done[1]


@pytest.fixture
def folder(done: tuple[Path, pd.DataFrame], tmp_path: Path) -> Path:
    """A copy of the folder of a finished search."""
    return Path(shutil.copytree(done[0], tmp_path / "copy"))

"""The workspace of a training in the catalog."""

from pathlib import Path

import pytest
from kedro.io import DatasetError

from octa_kedro.datasets.workspace import WorkspaceDataset
from octa_kedro.training.state.workspace import Workspace


def test_it_is_a_folder_that_need_not_be_there(tmp_path: Path):
    dataset = WorkspaceDataset(filepath=str(tmp_path / "running"))
    assert dataset.exists()
    workspace = dataset.load()
    assert workspace == Workspace(tmp_path / "running")
    with workspace.opened("k" * 40, {"training": "3D fold 1"}) as bench:
        assert bench.begun() is None
        assert not bench.ended


def test_nothing_is_saved_as_a_workspace(tmp_path: Path):
    with pytest.raises(DatasetError, match="fills its workspace itself"):
        WorkspaceDataset(filepath=str(tmp_path)).save(Workspace(tmp_path))

"""Run folders in the catalog."""

from pathlib import Path

import pytest
from kedro.io import DatasetError

from octa_kedro.datasets.run_folders import RunFoldersDataset
from octa_kedro.training.state.run_folders import RunFolders


def test_it_is_a_folder_that_need_not_be_there(tmp_path: Path):
    dataset = RunFoldersDataset(filepath=str(tmp_path / "running"))
    assert dataset.exists()
    run_folders = dataset.load()
    assert run_folders == RunFolders(tmp_path / "running")
    with run_folders.opened("k" * 40, {"training": "3D fold 1"}) as run_folder:
        assert run_folder.stored_state() is None
        assert not run_folder.ended


def test_no_node_can_save_run_folders(tmp_path: Path):
    with pytest.raises(DatasetError, match="writes its run folder itself"):
        RunFoldersDataset(filepath=str(tmp_path)).save(RunFolders(tmp_path))

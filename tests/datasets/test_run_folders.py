"""Run folders in the catalog."""

from pathlib import Path

import pytest
from kedro.io import AbstractDataset, DatasetError

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


def test_the_catalog_says_where_the_weights_are_saved(tmp_path: Path):
    entry = {
        "type": "octa_kedro.datasets.run_folders.RunFoldersDataset",
        "filepath": str(tmp_path / "running"),
        "checkpoint": "training_3d.fold_1.checkpoint",
        "versioned": True,
    }
    run_folders = AbstractDataset.from_config("run_folders", entry, save_version="2026-01-02T03.04.05.678Z").load()
    assert run_folders.folder == tmp_path / "running"
    assert run_folders.saved_as == "training_3d.fold_1.checkpoint:2026-01-02T03.04.05.678Z"


def test_no_node_can_save_run_folders(tmp_path: Path):
    with pytest.raises(DatasetError, match="writes its run folder itself"):
        RunFoldersDataset(filepath=str(tmp_path)).save(RunFolders(tmp_path))

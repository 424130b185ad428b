"""The study in the catalog: a place, not a file that is read."""

from pathlib import Path

import pytest
from kedro.io import DatasetError

from octa_kedro.datasets.study import StudyDataset
from octa_kedro.tuning.study import StudyFile


def test_it_names_the_file_and_leaves_it_alone(tmp_path: Path):
    dataset = StudyDataset(filepath=str(tmp_path / "study.db"), model="training_3d")
    assert not dataset.exists()
    assert dataset.load() == StudyFile(tmp_path / "study.db", "training_3d")
    assert not list(tmp_path.iterdir())
    with pytest.raises(DatasetError, match="written by its search"):
        dataset.save(1)
    (tmp_path / "study.db").touch()
    assert dataset.exists()

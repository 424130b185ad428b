"""Where a training keeps what it goes on from."""

from pathlib import Path

import pytest
import torch

from octa_kedro.errors import CheckpointError
from octa_kedro.training.state.run_folders import RunFolder
from tests.exchanging import exchange

STATE = {"epoch": 1, "rows": [], "stopping": {"best_epoch": 1}}


def test_a_state_comes_back(tmp_path: Path):
    (tmp_path / "key").mkdir()
    folder = RunFolder(tmp_path / "key")
    folder.keep(STATE, {"weight": torch.ones(2)})
    assert folder.stored_state()["stopping"] == STATE["stopping"]
    assert folder.best_weights()["weight"].tolist() == [1, 1]


@pytest.mark.parametrize("name", ["state.safetensors", "best-0001.safetensors"])
def test_what_another_training_has_stored_is_refused(tmp_path: Path, name: str):
    """Its network may have learnt from the very eyes that judge this one."""
    folders = [RunFolder(tmp_path / key) for key in ("fold_1", "fold_2")]
    for folder in folders:
        folder.path.mkdir()
        folder.keep(STATE, {"weight": torch.ones(2)})
    exchange(*(folder.path / name for folder in folders))
    with pytest.raises(CheckpointError, match=rf"{name}: is of another training"):
        folders[0].best_weights()

"""A list of networks over the same folds, in one table."""

from pathlib import Path
from typing import Any

import pytest

from octa_kedro.cohort.columns import subjects_of
from tests.pipelines.conftest import catalog, run

NAMES = {"tiny_2d", "tiny_3d"}
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def compared(mission: tuple[Path, str]) -> Any:
    run(mission[0], pipeline_names=["comparison"])
    return catalog(mission[0])


def test_the_table_has_every_network_on_the_same_eyes(compared: Any):
    table = compared.load("comparison.table")
    networks = table[table["spatial_dims"] > 0]
    assert set(networks["model"]) == NAMES
    assert networks.set_index("model")["start_weights"].to_dict() == {"tiny_2d": "random", "tiny_3d": "autoencoder"}
    assert networks.set_index("model")["network"].to_dict() == {"tiny_2d": "resnet10t", "tiny_3d": "resnet10"}
    for name, told in networks.groupby("model")["parameters"]:
        weights = compared.load(f"comparison.{name}.fold_1.checkpoint").weights
        learnt = (tensor.numel() for key, tensor in weights.items() if not key.endswith(BUFFERS))
        assert set(told) == {sum(learnt)}
    for _, rows in table.groupby("part"):
        assert rows["n_eyes"].nunique() == 1


def test_every_network_learnt_from_the_folds_of_the_mission(compared: Any):
    for fold in (1, 2):
        wanted = set(subjects_of(compared.load(f"splits_fold_{fold}"), "train"))
        for name in NAMES:
            card = compared.load(f"comparison.{name}.fold_{fold}.checkpoint").card
            assert set(card.seen["training"]) == wanted
            assert card.fold == fold
    assert set(compared.load("comparison.tiny_3d.fold_2.checkpoint").card.seen["pretraining"]) == wanted


def test_all_pairs_and_the_verdict_are_there(compared: Any):
    pairs = compared.load("comparison.comparisons")
    own = pairs[(pairs["first"].isin(NAMES)) & (pairs["second"].isin(NAMES)) & (pairs["metric"] == "auroc")]
    assert len(own) == 2
    text = compared.load("comparison.verdict")
    assert "# What the comparison shows" in text
    assert "| tiny_3d" in text
    assert compared.load("comparison.forest_figure").is_file()

"""Which networks explain an eye, with one and with several repeats of the folds, and that their maps are averaged."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from octa_kedro.cohort.config import SplitConfig
from octa_kedro.cohort.splits import fold_table, make_splits
from octa_kedro.configuration.structure import Structure
from octa_kedro.errors import LeakError
from octa_kedro.explain import explainer as explainer_module
from octa_kedro.explain import random_network
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.context import Context
from octa_kedro.explain.explainer import Explainer, mean_map
from octa_kedro.explain.making import MAP, map_parts
from octa_kedro.explain.random_network import random_checkpoint
from octa_kedro.explain.recipes import map_recipes, random_map_job
from octa_kedro.models.config import ModelConfig
from octa_kedro.pipelines.explainability import create_pipeline
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint
from tests.explain.eyes import volume
from tests.explain.networks import BlobCounter
from tests.explain.test_patches import checkpoint

FOLDS, REPEATS = 3, 2
CONFIG = ExplainConfig(device="cpu", method_3d="gradient_x_input", smooth_depth_mm=0, smooth_lateral_mm=0)


@pytest.fixture(scope="module")
def splits() -> pd.DataFrame:
    cohort = pd.DataFrame(
        {"subject": [str(n) for n in range(24)], "disease": ["DR", "NORMAL"] * 12, "field_of_view_mm": 3}
    )
    cohort = cohort.assign(label=cohort["disease"], target=(cohort["disease"] == "DR").astype(int))
    return make_splits(cohort, SplitConfig(folds=FOLDS, repeats=REPEATS))


@pytest.fixture(scope="module")
def networks(splits: pd.DataFrame) -> list[Checkpoint]:
    """A card for every fold of every repeat, which has learnt from that fold's training eyes."""
    made = []
    for fold in range(1, FOLDS * REPEATS + 1):
        table = fold_table(splits, fold)
        learnt = tuple(table.loc[table["role"] == "train", "subject"])
        made.append(checkpoint(fold=fold, seen={"training": learnt}, model=ModelConfig(name="resnet10"), slabs=()))
    return made


@pytest.fixture
def images(splits: pd.DataFrame) -> dict[str, Stored]:
    meta = {"processed_as": None}
    return {subject: Stored(Path(f"{subject}.nii"), subject, meta) for subject in splits["subject"]}


@pytest.fixture(autouse=True)
def any_processing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("octa_kedro.explain.recipes.require_processed_as", lambda *_args, **_named: None)


def test_every_network_that_has_not_learnt_from_an_eye_explains_it_once(
    splits: pd.DataFrame, networks: list[Checkpoint], images: dict[str, Stored]
):
    recipes = map_recipes(images, splits, networks, CONFIG)
    fold_of = splits.set_index("subject")
    for subject, recipe in recipes.items():
        used = [explainer.checkpoint.card.fold for explainer in recipe.make.args[0]]
        row = fold_of.loc[subject]
        assert used == (list(range(1, 7)) if row["held_out"] else [row["fold"], row["fold_repeat_2"]])
    assert recipes.keys() == images.keys()
    assert splits["held_out"].any()


def test_a_held_out_eye_that_a_network_has_learnt_from_is_refused(
    splits: pd.DataFrame, networks: list[Checkpoint], images: dict[str, Stored]
):
    held_out = splits.loc[splits["held_out"], "subject"].iloc[0]
    leaky = checkpoint(fold=7, seen={"training": (held_out,)}, model=ModelConfig(name="resnet10"), slabs=())
    with pytest.raises(LeakError, match=f"held-out subject {held_out} was learnt from"):
        map_recipes(images, splits, [*networks, leaky], CONFIG)


@pytest.mark.filterwarnings("ignore:One or more dataset names contain '.'")  # of Kedro, once a process
def test_the_pipeline_takes_the_networks_of_all_repeats():
    structure = Structure(
        source="phantom", folds=FOLDS, repeats=REPEATS, pretraining=False, models={"net": 3}, explain=("net",)
    )
    node = next(n for n in create_pipeline(structure).nodes if n.name.endswith(".explain"))
    assert {f"net.fold_{fold}.checkpoint" for fold in range(1, 7)} <= set(node.inputs)


def test_a_map_is_the_mean_of_the_networks_maps(monkeypatch: pytest.MonkeyPatch):
    def brighter(card: Checkpoint) -> torch.nn.Module:
        model = BlobCounter(3, stride=1).eval()
        model.fc.weight.data *= card.card.fold  # its evidence is as many times that of the first
        return model

    monkeypatch.setattr(explainer_module, "restore_model", brighter)
    explainers = [Explainer(checkpoint(fold=fold, slabs=()), CONFIG) for fold in (1, 2, 6)]
    image = volume(np.random.default_rng(0).random((8, 6, 20), np.float32), "OCTA")
    first = explainers[0].explain(image)
    assert first.array.any()
    np.testing.assert_allclose(mean_map(explainers, image).array, 3 * first.array, rtol=1e-5)
    stored = map_parts(explainers, 1, lambda: image, Context(), [MAP])[MAP].item
    np.testing.assert_array_equal(stored.array, mean_map(explainers, image).array)


def test_networks_that_differ_in_training_have_the_same_random_one(networks: list[Checkpoint]):
    one, other = (random_checkpoint(network) for network in networks[:2])
    assert one.card == other.card
    assert not one.card.learnt_from()
    assert all(torch.equal(weights, other.weights[name]) for name, weights in one.weights.items())
    third = random_checkpoint(networks[0], seed=1)
    assert not torch.equal(one.weights["conv1.weight"], third.weights["conv1.weight"])
    assert one.card.weights_sha256 != third.card.weights_sha256


def test_weights_that_are_drawn_in_another_way_have_other_maps(networks: list[Checkpoint], monkeypatch):
    before = random_checkpoint(networks[0])
    monkeypatch.setattr(random_network, "randomise", lambda module, generator: None)
    assert random_checkpoint(networks[0]).card.weights_sha256 != before.card.weights_sha256


def test_random_maps_are_made_of_the_eyes_asked_for_and_outlive_a_training(
    splits: pd.DataFrame, networks: list[Checkpoint], images: dict[str, Stored]
):
    chosen = list(images)[:3]
    jobs = [random_map_job(images, splits, network, CONFIG, subjects=chosen) for network in networks[:2]]
    keys = [{subject: recipe.ingredients[MAP] for subject, recipe in job.recipes.items()} for job in jobs]
    assert list(keys[0]) == chosen
    assert keys[0] == keys[1]
    trained = map_recipes(images, splits, networks, CONFIG)
    assert all(trained[subject].ingredients[MAP] != key for subject, key in keys[0].items())

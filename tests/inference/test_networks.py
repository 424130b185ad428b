"""Which networks an inference takes, and that they agree."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from octa_kedro.config import first_problem
from octa_kedro.errors import CheckpointError
from octa_kedro.inference.config import InferenceConfig
from octa_kedro.inference.networks import FILE, ModelFolder
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.training.checkpoint import Checkpoint, save_checkpoint
from tests.explain.test_patches import checkpoint


def put(path: Path, **changes: Any) -> Path:
    card = checkpoint(**changes).card
    save_checkpoint(path, Checkpoint({"weight": torch.full((2,), card.fold + card.seed / 10)}, card))
    return path


def put_version(root: Path, fold: int, version: str, **changes: Any) -> Path:
    return put(root / f"fold_{fold}" / FILE / version / FILE, fold=fold, **changes)


def models(root: Path, folds: int | None = 2, version: str | None = None) -> ModelFolder:
    return ModelFolder(root / "models", root, folds, "test", version)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Two folds with an old and a new version each, and a third fold of an earlier structure."""
    for fold, version in ((1, "v1"), (2, "v1"), (1, "v2"), (2, "v2"), (3, "v1")):
        put_version(tmp_path / "models" / "training_3d", fold, version, epoch=int(version[1]))
    return tmp_path


def test_the_newest_of_every_fold_of_the_structure_is_taken(trained: Path):
    networks = models(trained).take(InferenceConfig())
    assert [(n.card.fold, n.version, n.card.epoch) for n in networks] == [(1, "v2", 2), (2, "v2", 2)]


def test_a_version_can_be_asked_for(trained: Path):
    assert [n.version for n in models(trained, version="v1").take(InferenceConfig())] == ["v1", "v1"]


def test_a_missing_fold_is_named(trained: Path):
    with pytest.raises(
        CheckpointError, match=r"fold_4: no checkpoint there, .*all folds and seeds of training_3d; train"
    ):
        models(trained, folds=4).take(InferenceConfig())


def test_all_seeds_of_all_folds_are_taken(trained: Path):
    root, folder = trained / "models", trained / "models" / "training_3d"
    for fold in (1, 2):
        put(folder / f"fold_{fold}.seed_2" / FILE / "v2" / FILE, fold=fold, seed=2)
    for folds in (2, None):
        seeded = ModelFolder(root, trained, folds, "test", seeds=2)
        if folds is None:
            with pytest.raises(CheckpointError, match=r"fold_3\.seed_2: no checkpoint there, .*all folds and seeds"):
                seeded.take(InferenceConfig())
            continue
        found = seeded.take(InferenceConfig())
        assert [(n.card.fold, n.card.seed) for n in found] == [(1, 1), (2, 1), (1, 2), (2, 2)]
    once = models(trained).take(InferenceConfig())  # seeds of an earlier structure are left out
    assert [n.card.seed for n in once] == [1, 1]


def test_the_network_of_another_seed_is_refused(trained: Path):
    folder = trained / "models" / "training_3d"
    put(folder / "fold_1.seed_2" / FILE / "v2" / FILE, fold=1, seed=3)
    put(folder / "fold_2.seed_2" / FILE / "v2" / FILE, fold=2, seed=2)
    with pytest.raises(CheckpointError, match=r"is the network of fold_1\.seed_3, not of fold_1\.seed_2"):
        ModelFolder(trained / "models", trained, 2, "test", seeds=2).take(InferenceConfig())


def test_where_their_number_follows_from_the_data_all_folds_are_taken(trained: Path):
    assert [network.card.fold for network in models(trained, folds=None).take(InferenceConfig())] == [1, 2, 3]


def test_one_file_has_no_version(trained: Path):
    path = put(trained / "elsewhere.safetensors")
    (network,) = models(trained).take(InferenceConfig(checkpoint="elsewhere.safetensors"))
    assert (network.path, network.version) == (path, "")


def test_a_folder_gives_all_its_folds(trained: Path):
    networks = models(trained).take(InferenceConfig(checkpoints="models/training_3d"))
    assert [network.card.fold for network in networks] == [1, 2, 3]


@pytest.mark.parametrize("form", ["{}\n{}\n", "# two networks\n- {}\n- '{}'\n"])
def test_a_file_lists_networks(trained: Path, form: str):
    files = [put(trained / f"{name}.safetensors", fold=n) for n, name in enumerate("ab", start=1)]
    (trained / "list.yml").write_text(form.format(files[0], files[1].relative_to(trained)))
    networks = models(trained).take(InferenceConfig(checkpoints="list.yml"))
    assert [network.path for network in networks] == files


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"processing": ProcessingConfig(depth_mm=1.0)}, "processing.depth_mm is 1.0, but 0.8 in"),
        ({"classes": ("NORMAL", "DR")}, "classes is ['NORMAL', 'DR']"),
        ({"kind": "encoder"}, "kind 'encoder' cannot classify"),
    ],
)
def test_networks_that_do_not_agree_are_refused(trained: Path, change: dict[str, Any], words: str):
    put_version(trained / "models" / "training_3d", 2, "v3", **change)
    with pytest.raises(CheckpointError, match=re.escape(words)):
        models(trained).take(InferenceConfig())


@pytest.mark.parametrize("named", ["nowhere", "empty.txt"])
def test_what_lists_no_network_is_named(trained: Path, named: str):
    (trained / "empty.txt").write_text("\n")
    with pytest.raises(CheckpointError, match=named):
        models(trained).take(InferenceConfig(checkpoints=named))


def test_one_network_and_several_cannot_both_be_named():
    with pytest.raises(ValueError, match="not both") as caught:
        InferenceConfig(checkpoint="a", checkpoints="b")
    assert "checkpoint" in first_problem(caught.value, InferenceConfig)  # type: ignore[arg-type]


def test_a_network_that_is_named_twice_is_refused(trained: Path):
    path = put(trained / "one.safetensors")
    shutil.copy(path, trained / "copy.safetensors")
    shutil.copy(path.with_suffix(".json"), trained / "copy.json")
    with pytest.raises(CheckpointError, match=r"copy.safetensors: the same network as .*one.safetensors"):
        models(trained).take(InferenceConfig(checkpoints=("one.safetensors", "copy.safetensors")))


@pytest.mark.parametrize("what", ["splits", "params:training_3d", "processed_volumes"])
def test_folds_of_two_trainings_are_refused_unless_they_are_listed(trained: Path, what: str):
    folder = trained / "models" / "training_3d"
    paths = [put_version(folder, n, "v3", made_from={what: f"{n}", "of its own": f"{n}"}) for n in (1, 2)]
    with pytest.raises(CheckpointError, match=rf"was trained with other {what} than .*fold_1"):
        models(trained).take(InferenceConfig())
    listed = tuple(str(path.relative_to(trained)) for path in paths)
    assert len(models(trained).take(InferenceConfig(checkpoints=listed))) == 2


def test_the_network_of_another_fold_is_refused(trained: Path):
    put(trained / "models" / "training_3d" / "fold_1" / FILE / "v3" / FILE, fold=5)
    with pytest.raises(CheckpointError, match="is the network of fold_5, not of fold_1"):
        models(trained).take(InferenceConfig())

"""The loop: it learns, keeps the best epoch, repeats itself to the bit, and refuses to leak."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score

from octa_kedro.cohort.columns import subjects_of
from octa_kedro.cohort.splits import fold_table
from octa_kedro.errors import CheckpointError, ConfigError, DataError, LeakError
from octa_kedro.models.factory import build_model
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.preprocessing.processed_as import PROCESSING_KEY
from octa_kedro.training.autoencoder import fit_autoencoder
from octa_kedro.training.checkpoint import load_checkpoint, restore_model, save_checkpoint
from octa_kedro.training.classifier import fit_classifier
from octa_kedro.training.config import TrainingConfig
from octa_kedro.training.data.dataset import EyeDataset, in_order, loader
from octa_kedro.training.engine.seeding import derive_seed, generator, seed_everything
from octa_kedro.training.predict import predict_fold

PROCESSING = ProcessingConfig()
PRETRAINING = {"weights": "pretraining"}


def changed(config, **values):
    """With other values; those of a group are changed within it, but a network is another one."""
    before = config.model_dump()
    groups = {name for name, value in values.items() if isinstance(value, dict) and before[name]} - {"model"}
    merged = {name: before[name] | value if name in groups else value for name, value in values.items()}
    return type(config).model_validate(before | merged)


@pytest.mark.parametrize("dims", [3, 2])
def test_it_learns_what_can_be_seen(dims: int, volumes, planes, table: pd.DataFrame, config: TrainingConfig):
    # Twelve eyes are enough for this network with every seed tried, which they are not for a deep one.
    config = changed(config, model={"name": "cv3fc2", "width": 0.5}, max_epochs=40, stop={"patience": 40})
    if dims == 2:
        model = {"name": "resnet10t", "spatial_dims": 2, "in_channels": 1}
        config = changed(config, model=model, slabs=["ILM_OPL"], max_epochs=25, stop={"patience": 25})
    images = volumes if dims == 3 else planes
    fitted = fit_classifier(images, table, config, PROCESSING)
    predictions = predict_fold(images, table, fitted.checkpoint, config)
    assert roc_auc_score(predictions["target"], predictions["probability"]) > 0.9
    assert set(predictions["part"]) == {"out_of_fold", "held_out"}


def test_the_best_epoch_is_kept_not_the_last(volumes, table, config):
    fitted = fit_classifier(
        volumes, table, changed(config, optimiser={"learning_rate": 0.05}, max_epochs=6), PROCESSING
    )
    history, card = fitted.history, fitted.checkpoint.card
    assert card.epoch == history.loc[history["val_loss"].idxmin(), "epoch"]
    # The stored weights give the stored loss again: they are that epoch's.
    data = EyeDataset(volumes, subjects_of(table, "validation"), table.query("role == 'validation'")["target"].tolist())
    model = restore_model(fitted.checkpoint)
    images = (batch.images(torch.device("cpu")) for batch in loader(data, in_order(len(data), 4)))
    logits = torch.cat([model(x).detach() for x in images])
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(data.targets))
    assert float(loss) == pytest.approx(card.metrics["val_loss"], rel=1e-4)


def test_patience_ends_training(volumes, table, config):
    fitted = fit_classifier(
        volumes,
        table,
        changed(config, optimiser={"learning_rate": 0.1}, max_epochs=40, stop={"patience": 2}),
        PROCESSING,
    )
    history = fitted.history
    assert len(history) < 40
    assert len(history) == history.loc[history["best"], "epoch"].item() + 2


def test_same_seed_same_bits_other_seed_other_bits(volumes, table, config):
    runs = [fit_classifier(volumes, table, c, PROCESSING) for c in (config, config, changed(config, seed=1))]
    first, same, other = (run.checkpoint.weights for run in runs)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    columns = ["epoch", "train_loss", "val_loss", "val_auroc", "lr", "best"]
    pd.testing.assert_frame_equal(runs[0].history[columns], runs[1].history[columns])


def test_folds_have_streams_of_their_own():
    assert derive_seed(0, "weights", 1) != derive_seed(0, "weights", 2) != derive_seed(1, "weights", 2)
    assert torch.equal(torch.rand(3, generator=generator(0, "a")), torch.rand(3, generator=generator(0, "a")))


def test_autoencoder_reads_training_subjects_only(volumes, table, encoder_config):
    train = subjects_of(table, "train")
    longer = changed(encoder_config, max_epochs=12, optimiser={"learning_rate": 0.01})
    fitted = fit_autoencoder({s: volumes[s] for s in train}, table, longer, PROCESSING)
    assert fitted.checkpoint.card.learnt_from() == set(train)
    assert fitted.history["train_loss"].iloc[-1] < fitted.history["train_loss"].iloc[0]


def test_the_autoencoder_does_not_learn_from_excluded_subjects(volumes, table, encoder_config):
    first, *others = subjects_of(table, "train")
    fitted = fit_autoencoder(volumes, table, changed(encoder_config, exclude={first: "tilted"}), PROCESSING)
    assert fitted.checkpoint.card.learnt_from() == set(others)


def test_training_starts_from_pretrained_weights(volumes, table, config, encoder_config):
    encoder = fit_autoencoder(volumes, table, encoder_config, PROCESSING).checkpoint
    slow = changed(config, start=PRETRAINING, max_epochs=1, optimiser={"learning_rate": 1e-12, "weight_decay": 0})
    fitted = fit_classifier(volumes, table, slow, PROCESSING, encoder)
    name = "layer2.0.conv1.weight"
    torch.testing.assert_close(fitted.checkpoint.weights[name], encoder.weights[name])
    assert fitted.checkpoint.card.seen["pretraining"] == tuple(sorted(subjects_of(table, "train")))
    random = fit_classifier(volumes, table, changed(slow, start={"weights": "random"}), PROCESSING, encoder)
    assert not torch.allclose(random.checkpoint.weights[name], encoder.weights[name])


def test_frozen_stages_stay_as_they_start(volumes, table, config):
    one = changed(config, max_epochs=1)
    free = fit_classifier(volumes, table, one, PROCESSING).checkpoint.weights
    kept = fit_classifier(volumes, table, changed(one, start={"frozen_stages": 2}), PROCESSING).checkpoint.weights
    seed_everything(config.seed, "weights", 1)
    fresh = build_model(config.model).state_dict()
    for name in ("conv1.weight", "layer2.0.conv1.weight", "layer1.0.bn1.running_mean"):
        assert torch.equal(kept[name], fresh[name]), name
        assert not torch.equal(free[name], fresh[name]), name
    assert not torch.equal(kept["layer4.0.conv1.weight"], fresh["layer4.0.conv1.weight"])


def test_images_that_a_network_cannot_take_are_refused_before_training(volumes, table, config):
    wide = changed(config, model={"name": "inception_v3", "spatial_dims": 3, "width": 0.1})
    with pytest.raises(ConfigError, match=r"inception_v3 cannot take images of 32 x 32 x 32; the smallest side .* 75"):
        fit_classifier(volumes, table, wide, PROCESSING)


def test_missing_pretrained_weights_say_what_to_run(volumes, table, config):
    with pytest.raises(ConfigError, match="--pipelines pretraining"):
        fit_classifier(volumes, table, changed(config, start=PRETRAINING), PROCESSING, None)


def test_pretraining_on_judged_subjects_is_a_leak(volumes, splits, table, config, encoder_config):
    other_fold = fit_autoencoder(volumes, fold_table(splits, 2), encoder_config, PROCESSING).checkpoint
    with pytest.raises(LeakError, match=r"fold 1: 6 subjects .* seen by the pre-training"):
        fit_classifier(volumes, table, changed(config, start=PRETRAINING), PROCESSING, other_fold)


def test_predicting_training_subjects_is_a_leak(volumes, splits, table, config):
    fitted = fit_classifier(volumes, table, changed(config, max_epochs=1), PROCESSING)
    with pytest.raises(LeakError, match="seen by its checkpoint"):
        predict_fold(volumes, fold_table(splits, 2), fitted.checkpoint, config)


def test_checkpoints_survive_the_disk_and_refuse_damage(tmp_path: Path, volumes, table, config):
    checkpoint = fit_classifier(volumes, table, changed(config, max_epochs=1), PROCESSING).checkpoint
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, checkpoint)
    loaded = load_checkpoint(path)
    assert loaded.card.model_copy(update={"weights_sha256": ""}) == checkpoint.card
    image = torch.rand(1, 1, 32, 32, 32)
    torch.testing.assert_close(restore_model(loaded)(image), restore_model(checkpoint)(image))
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    with pytest.raises(CheckpointError, match="is not the file"):
        load_checkpoint(path)
    path.write_bytes(whole)
    path.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match=r"c\.json: no such file"):
        load_checkpoint(path)


def test_weights_that_do_not_fit_raise(volumes, table, config):
    checkpoint = fit_classifier(volumes, table, changed(config, max_epochs=1), PROCESSING).checkpoint
    del checkpoint.weights["fc.bias"]
    with pytest.raises(CheckpointError, match=r"fc\.bias"):
        restore_model(checkpoint)


def test_a_subject_without_an_image_is_named_before_training(volumes, table, config):
    with pytest.raises(DataError, match="s03"):
        fit_classifier({s: v for s, v in volumes.items() if s != "s03"}, table, config, PROCESSING)


def test_images_made_with_other_parameters_are_refused(volumes, table, config):
    other = PROCESSING.model_copy(update={"depth_mm": 1.0})
    facts = {PROCESSING_KEY: other.model_dump(mode="json")}
    images = {s: replace(v, meta={**v.meta, **facts}) for s, v in volumes.items()}
    with pytest.raises(ConfigError, match=r"processing\.depth_mm = 1\.0, but params:processing goes by 0\.8"):
        fit_classifier(images, table, config, PROCESSING)
    checkpoint = fit_classifier(volumes, table, changed(config, max_epochs=1), PROCESSING).checkpoint
    with pytest.raises(ConfigError, match="but the checkpoint goes by"):
        predict_fold(images, table, checkpoint, config)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"slabs": ["ILM_OPL"]}, "slabs"),
        ({"optimiser": {"learning_rate": 0}}, "learning_rate"),
        ({"patiance": 3}, "patiance"),
        ({"model": {"spatial_dims": 2}}, "slabs"),
        (
            {"model": {"spatial_dims": 2}, "slabs": ["ILM_OPL"], "start": PRETRAINING},
            r"start\.weights: pretraining is for 3D",
        ),
        ({"start": {"weights": "imagenet"}}, "weights"),
        ({"start": PRETRAINING | {"weights_file": "x.pth"}}, "reads no weights_file"),
        ({"weights": "pretraining"}, r"weights: has moved to start\.weights; write start: {weights: pretraining}"),
    ],
)
def test_contradictory_parameters_are_named(values: dict, words: str):
    with pytest.raises(ValidationError, match=words):
        TrainingConfig.model_validate({"model": {"spatial_dims": 3}} | values)


@pytest.mark.gpu
def test_a_gpu_learns_the_same_task(volumes, table, config):
    gpu = changed(config, device="cuda", max_epochs=20)
    fitted = fit_classifier(volumes, table, gpu, PROCESSING)
    predictions = predict_fold(volumes, table, fitted.checkpoint, gpu)
    assert roc_auc_score(predictions["target"], predictions["probability"]) > 0.9
    assert all(tensor.device.type == "cpu" for tensor in fitted.checkpoint.weights.values())

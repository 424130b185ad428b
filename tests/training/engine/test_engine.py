"""What the engine promises of a step: one meaning for any number of batches and devices, and clear failures."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from octa_kedro.errors import ConfigError, DataError
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.training.autoencoder import fit_autoencoder
from octa_kedro.training.classifier import fit_classifier
from octa_kedro.training.data.dataset import EyeDataset
from octa_kedro.training.engine.devices import make_fabric
from octa_kedro.training.engine.failures import reporting_lack_of_memory
from octa_kedro.training.engine.loop import TrainingRun, run_training, training_key
from octa_kedro.training.engine.losses import make_loss
from octa_kedro.training.engine.objective import Classification
from octa_kedro.training.engine.seeding import seed_everything
from octa_kedro.training.engine.trainer import Trainer, make_trainer
from octa_kedro.training.predict import predict_fold
from octa_kedro.training.state.run_folders import RunFolders
from tests.training.test_training import PROCESSING, changed

STILL = {"flip": False, "brightness": 0.0}


@pytest.fixture
def still(config):
    """Without augmentation, with a norm that looks at one image at a time."""
    model = {"name": "cv3fc2", "norm": "instance", "width": 0.5}
    return changed(
        config, model=model, augmentation=STILL, optimiser={"name": "sgd", "learning_rate": 0.05, "weight_decay": 0}
    )


@pytest.fixture
def data(volumes, table) -> EyeDataset:
    rows = table[table["role"] == "train"]
    return EyeDataset(volumes, rows["subject"].tolist(), rows["target"].tolist())


def trainer(config, data: EyeDataset) -> Trainer:
    seed_everything(0, "engine")
    objective = Classification(make_loss(config.loss, data.targets, 2), config.mixup)
    return make_trainer(
        make_fabric(config), build_model(config.model), objective, data=data, config=config, purpose=("test", 1)
    )


def close(one: Trainer, other: Trainer) -> None:
    for name, tensor in one.model.state_dict().items():
        torch.testing.assert_close(tensor, other.model.state_dict()[name], rtol=1e-4, atol=1e-5, msg=name)


def test_accumulated_batches_make_the_step_of_one_large_batch(still, data):
    whole, parts = (
        trainer(changed(still, batch_size=6), data),
        trainer(changed(still, batch_size=2, accumulate=3), data),
    )
    losses = [one.epoch(1) for one in (whole, parts)]
    close(whole, parts)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_an_epoch_by_hand(still, data):
    ours = trainer(changed(still, batch_size=4), data)
    model = build_model(still.model)
    model.load_state_dict(ours.model.state_dict())
    optimiser = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9, weight_decay=still.optimiser.weight_decay)
    total = 0.0
    for batch in ours.order.batches(1):
        for group in optimiser.param_groups:
            group["lr"] = ours.schedule.rate  # of the first step: the other rates are the schedule's tests'
        images = torch.stack([torch.from_numpy(data[i].array.astype(np.float32)) / 65535 for i in batch])
        targets = torch.tensor([data.image_targets()[i] for i in batch])
        loss = torch.nn.functional.cross_entropy(model(images), targets)  # classes are balanced: all weights are 1
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += float(loss.detach()) * len(batch)
        break
    first = EyeDataset(data.images, [data.subjects[i] for i in ours.order.batches(1)[0]])
    assert len(first) == 4
    ours.order._known[1] = ours.order.batches(1)[:1]
    assert ours.epoch(1) == pytest.approx(total / 4, rel=1e-4)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(ours.model.state_dict()[name], tensor, rtol=1e-4, atol=1e-5)


def test_reading_processes_change_nothing(config, data):
    both = [trainer(changed(config, workers=workers), data) for workers in (0, 2)]
    losses = [[one.epoch(number) for number in (1, 2)] for one in both]
    assert losses[0] == losses[1]
    assert all(torch.equal(a, b) for a, b in zip(*(one.model.state_dict().values() for one in both), strict=True))


def test_two_devices_train_as_one_does(still, volumes, table, tmp_path):
    config = changed(still, max_epochs=2)
    one = fit_classifier(volumes, table, config, PROCESSING)
    two = fit_classifier(volumes, table, changed(config, devices=2), PROCESSING, run_folders=RunFolders(tmp_path))
    compared = ["epoch", "train_loss", "val_loss", "val_brier", "lr", "best"]
    pd.testing.assert_frame_equal(one.history[compared], two.history[compared], rtol=1e-3)
    for name, tensor in one.checkpoint.weights.items():
        torch.testing.assert_close(two.checkpoint.weights[name], tensor, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_what_stops_one_process_stops_the_training_in_its_own_words(still, volumes, table, tmp_path):
    wild = changed(still, devices=2, optimiser={"learning_rate": 1e30})
    with pytest.raises(
        DataError, match=r"fold 1, epoch \d, batch \d+: the (loss|gradient) is not finite; subjects .* s\d\d"
    ):
        fit_classifier(volumes, table, wild, PROCESSING, run_folders=RunFolders(tmp_path))


def test_a_loss_that_is_not_finite_names_epoch_batch_and_subjects(config, volumes, table, tmp_path):
    wild = changed(config, optimiser={"name": "sgd", "learning_rate": 1e30}, schedule={"name": "constant"})
    words = (
        r"fold 1, epoch 1, batch \d: the (loss|gradient) is not finite; subjects of that batch: s\d\d, .*learning_rate"
    )
    with pytest.raises(DataError, match=words):
        fit_classifier(volumes, table, wild, PROCESSING)


def test_what_was_best_before_the_failure_stays(config, volumes, table, tmp_path, monkeypatch):
    original = Trainer._learn

    def learn(self, batch, place, whole, *, last):
        if place == (3, 1):
            raise FloatingPointError("loss")
        return original(self, batch, place, whole, last=last)

    monkeypatch.setattr(Trainer, "_learn", learn)
    with pytest.raises(DataError, match="epoch 3, batch 2"):
        fit_classifier(
            volumes, table, changed(config, max_epochs=5, save_seconds=0), PROCESSING, run_folders=RunFolders(tmp_path)
        )
    assert len(list(tmp_path.glob("*/best-*.safetensors"))) == 1
    history = pd.read_csv(next(tmp_path.glob("*/history.csv")))
    assert history["epoch"].tolist() == [1, 2]


def test_the_history_can_be_followed_while_it_grows(config, volumes, table, tmp_path, monkeypatch):
    seen = []
    original = Trainer.epoch

    def epoch(self: Trainer, number: int) -> float:
        seen.append([len(pd.read_csv(path)) for path in tmp_path.glob("*/history.csv")])
        return original(self, number)

    monkeypatch.setattr(Trainer, "epoch", epoch)
    followed = changed(config, tracking={"trackers": ["tensorboard"]})
    fitted = fit_classifier(volumes, table, followed, PROCESSING, run_folders=RunFolders(tmp_path))
    assert seen == [[], [1], [2]]
    (folder,) = (path for path in tmp_path.iterdir() if path.name != "tensorboard")
    assert (folder / "history.png").stat().st_size > 10_000
    written = pd.read_csv(folder / "history.csv")
    pd.testing.assert_frame_equal(written, fitted.history[[*written]], check_dtype=False)
    assert {*fitted.history} - {*written} == {"seed", "best_by", "kept_from"}
    assert list(tmp_path.glob("tensorboard/3D fold 1*/events*"))


def test_an_autoencoder_can_be_followed_too(encoder_config, volumes, table, tmp_path):
    fitted = fit_autoencoder(volumes, table, encoder_config, PROCESSING, run_folders=RunFolders(tmp_path))
    (folder,) = tmp_path.iterdir()
    assert (folder / "history.png").stat().st_size > 10_000
    assert pd.read_csv(folder / "history.csv")["train_loss"].tolist() == pytest.approx(fitted.history["train_loss"])


@pytest.mark.parametrize(("metric", "halved"), [("val_loss", False), ("val_auroc", True)])
def test_a_plateau_follows_the_metric_that_stops(still, data, metric: str, halved: bool):
    class Validator:
        """The loss gets better and better while the AUROC gets worse and worse."""

        epochs = 0

        def __call__(self, _trainer: Trainer) -> dict[str, float]:
            self.epochs += 1
            return {"val_loss": 1 / self.epochs, "val_auroc": 1 / self.epochs}

    config = changed(still, schedule={"name": "plateau", "patience": 0}, stop={"metric": metric})
    run = TrainingRun(
        model=build_model(config.model),
        objective=Classification(make_loss(config.loss, data.targets, 2)),
        data=data,
        validate=Validator(),
        config=config,
        stop=config.stop,
        purpose=("test", 1),
        fold=1,
        title="test",
    )
    rows, _ = run_training(run, training_key(run, run_training), None)
    rates = [0.05, 0.05, 0.025] if halved else [0.05] * 3
    assert [row["lr"] for row in rows] == pytest.approx(rates)


def test_gradients_are_clipped(still, data):
    loose, tight = trainer(still, data), trainer(changed(still, clip_norm=1e-6), data)
    before = {name: tensor.clone() for name, tensor in tight.model.state_dict().items()}
    for one in (loose, tight):
        one.epoch(1)

    def moved(one: Trainer) -> float:
        return max(float((one.model.state_dict()[name] - tensor).abs().max()) for name, tensor in before.items())

    assert moved(tight) < 0.05 * moved(loose)


def test_the_validated_weights_are_the_averaged_ones(still, data):
    plain, averaged = trainer(still, data), trainer(changed(still, ema=0.99), data)
    for one in (plain, averaged):
        one.epoch(1)
    close(plain, averaged)  # what is trained is the same
    kept = averaged.weights()
    assert any(not torch.equal(kept[name], tensor) for name, tensor in plain.weights().items())
    close(plain, averaged)  # and validating has put it back


def test_a_sharpness_aware_step_by_hand(still, data):
    ours = trainer(changed(still, batch_size=12, sam=0.1), data)
    model = build_model(still.model)
    model.load_state_dict(ours.model.state_dict())
    (batch,) = ours.order.batches(1)
    images = torch.stack([torch.from_numpy(data[i].array.astype(np.float32)) / 65535 for i in batch])
    targets = torch.tensor([data.image_targets()[i] for i in batch])

    def gradients() -> list[torch.Tensor]:
        loss = torch.nn.functional.cross_entropy(model(images), targets)
        return [*torch.autograd.grad(loss, [*model.parameters()])]

    first = gradients()
    length = torch.stack([one.square().sum() for one in first]).sum().sqrt()
    own = [weight.detach().clone() for weight in model.parameters()]
    for weight, one in zip(model.parameters(), first, strict=True):
        weight.data += 0.1 * one / length
    for weight, before, two in zip(model.parameters(), own, gradients(), strict=True):
        weight.data = before - ours.schedule.rate * two
    ours.epoch(1)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(ours.model.state_dict()[name], tensor, rtol=1e-4, atol=1e-5)


def test_both_passes_of_a_sharpness_aware_step_drop_and_mix_alike(still, data, monkeypatch):
    config = changed(still, model={"name": "cv3fc2", "width": 0.5, "dropout": 0.5}, mixup=0.4, sam=1e-12)
    losses, original = [], Trainer._gradients

    def gradients(self, *args, **kwargs) -> float:
        losses.append(original(self, *args, **kwargs))
        return losses[-1]

    monkeypatch.setattr(Trainer, "_gradients", gradients)
    trainer(config, data).epoch(1)
    assert losses[::2] == pytest.approx(losses[1::2], rel=1e-5)  # so small a radius moves nothing
    assert len({*losses[::2]}) == 3


def test_epochs_are_averaged_from_the_share_that_is_given(config, data):
    config = changed(config, max_epochs=4, swa=0.5, stop={"keep": "last"})
    plain, averaged = trainer(changed(config, swa=None), data), trainer(config, data)
    kept = []
    for number in range(1, 5):
        plain.epoch(number)
        averaged.epoch(number)
        close(plain, averaged)  # what is trained is the same
        kept.append((plain.weights(), averaged.weights()))
    name = next(iter(dict(plain.model.named_parameters())))
    assert torch.equal(kept[1][0][name], kept[1][1][name])
    torch.testing.assert_close(kept[3][1][name], (kept[2][0][name] + kept[3][0][name]) / 2)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ema": 0.9, "swa": 0.5}, "swa: only one average"),
        ({"swa": 0.5, "devices": 2}, "swa: .*devices to 1"),
        ({"swa": 0.5}, r"stop.keep_from: .*at least swa \(0.5\), or stop.keep to last"),
        ({"sam": 0.05, "accumulate": 2}, "sam: .*accumulate to 1"),
        ({"sam": 0.05, "precision": "fp16"}, "sam: .*bf16"),
    ],
)
def test_averages_and_sharpness_that_do_not_go_together_are_named(config, values, words):
    with pytest.raises(ValidationError, match=words):
        changed(config, **values)


def test_views_are_averaged_and_stand_in_the_card(config, planes, table):
    config = changed(
        config,
        model={"name": "resnet10t", "spatial_dims": 2, "in_channels": 1},
        slabs=["ILM_OPL"],
        max_epochs=1,
        views={"flip_x": True},
    )
    checkpoint = fit_classifier(planes, table, config, PROCESSING).checkpoint
    assert checkpoint.card.views.flip_x
    predictions = predict_fold(planes, table, checkpoint, config)
    from octa_kedro.training.checkpoint import restore_model

    model = restore_model(checkpoint)
    plane = torch.from_numpy(planes[predictions["subject"].iloc[0]]().plane("ILM_OPL").T.copy())[None, None]
    with torch.no_grad():
        shares = [float(torch.softmax(model(image), 1)[0, 1]) for image in (plane, plane.flip(-1))]
    assert predictions["probability"].iloc[0] == pytest.approx(np.mean(shares), rel=1e-4)
    assert shares[0] != shares[1]


def test_a_loss_with_auxiliary_heads_reaches_them(still, data):
    model = build_model(ModelConfig(name="googlenet", spatial_dims=2, auxiliary=True))
    objective = Classification(make_loss(still.loss, data.targets, 2))
    images, targets = torch.rand(2, 1, 96, 96), torch.tensor([0, 1])
    losses = objective.losses(model.train(), images, targets, torch.Generator())
    assert losses.shape == (2,)
    losses.sum().backward()
    heads = [p for name, p in model.named_parameters() if "aux" in name.lower()]
    assert heads
    assert all(p.grad is not None for p in heads)


def test_lack_of_memory_says_what_to_lower():
    with (
        pytest.raises(ConfigError, match=r"fold 1: out of memory with 8 images of 192 x 256 x 192; lower batch_size"),
        reporting_lack_of_memory("fold 1", (8, 1, 192, 256, 192)),
    ):
        torch.empty(1 << 60)
    with pytest.raises(RuntimeError, match="else"), reporting_lack_of_memory("fold 1", (8, 1, 2, 2, 2)):
        raise RuntimeError("something else")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"device": "cuda"}, "no CUDA device"),
        ({"precision": "fp16"}, "fp16 is for GPUs"),
        ({"devices": 8}, "4 images cannot be shared by 8 devices"),
    ],
)
def test_devices_that_cannot_be_are_named(config, values, words, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=words):
        make_fabric(changed(config, **values))


def test_a_metric_that_is_never_defined_is_an_error(config, volumes, table):
    lost = table[(table["role"] != "validation") | (table["target"] == 0)]
    with pytest.raises(DataError, match=r"val_auroc was undefined .* stop\.metric to val_loss"):
        fit_classifier(volumes, lost, changed(config, max_epochs=1, stop={"metric": "val_auroc"}), PROCESSING)


def test_bf16_trains_to_nearly_the_same_loss(still, data):
    slow = changed(still, optimiser={"learning_rate": 1e-4})
    full, half = trainer(slow, data), trainer(changed(slow, precision="bf16"), data)
    losses = [one.epoch(1) for one in (full, half)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert not math.isnan(losses[1])

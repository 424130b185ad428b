"""Fit one classifier on one fold: one readable loop for 2D and 3D."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from tqdm import tqdm

from octa_kedro import __version__
from octa_kedro.cohort.table import class_names
from octa_kedro.errors import ConfigError, DataError
from octa_kedro.io.store import Stored
from octa_kedro.models.factory import ModelConfig, build_model, start_from_encoder
from octa_kedro.models.sizes import require_input
from octa_kedro.models.start import start_model
from octa_kedro.preprocessing.config import ProcessingConfig, require_processed_as
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard
from octa_kedro.training.config import TrainingConfig
from octa_kedro.training.data import EyeDataset, loader
from octa_kedro.training.guard import (
    PRETRAINING,
    TRAINING,
    VALIDATION,
    patients_in,
    require_sound_fold,
    require_unseen,
)
from octa_kedro.training.learner import make_learner
from octa_kedro.training.patches import pool_patches
from octa_kedro.training.seeding import pick_device, seed_everything


@dataclass(frozen=True)
class Fitted:
    """The best epoch's checkpoint and one row of history per epoch."""

    checkpoint: Checkpoint
    history: pd.DataFrame


def fit_classifier(
    images: Mapping[str, Stored],
    table: pd.DataFrame,
    config: TrainingConfig,
    processing: ProcessingConfig,
    pretrained: Checkpoint | None = None,
) -> Fitted:
    """Train on the fold's training subjects, validate after each epoch, keep the epoch of lowest loss.

    `table` is a fold table (`cohort.splits.fold_table`). With ``weights: pretraining`` the network starts
    from `pretrained`. LeakError if a patient is in two parts of the fold, or those weights have learnt from one
    this fold is judged on.
    """
    if table.empty:
        raise DataError("the splits hold no subject to train on; the cohort is empty or unlabelled (cohort.labelled)")
    require_processed_as(images, processing, who="params:processing")
    fold = int(table["fold"].iloc[0])
    require_sound_fold(table)
    names = class_names(table)
    network = network_for(config.model, names)
    data = {role: _images_of(images, table[table["role"] == role], config) for role in ("train", "validation")}
    require_input(network, tuple(data["train"][0][0].shape[1:]), config.batch_size)
    seed_everything(config.seed, "weights", fold)
    model = build_model(network)
    start_model(model, network, config.start)
    seen = {TRAINING: data["train"].subjects, VALIDATION: data["validation"].subjects}
    patients = patients_in(table[table["role"] != "held_out"])
    if config.weights == "pretraining":
        card = _start_pretrained(model, table, pretrained)
        seen[PRETRAINING], patients = sorted(card.learnt_from()), {**card.patients, **patients}

    best, history = _train(model, data, network.classes, config, fold)
    row = history.loc[history["best"]].iloc[0]
    made = CheckpointCard(
        kind="classifier",
        model=network,
        processing=processing,
        slabs=config.slabs,
        patches=config.patches,
        classes=names,
        fold=fold,
        epoch=int(row["epoch"]),
        metrics={k: float(row[k]) for k in ("train_loss", "val_loss", "val_auroc") if math.isfinite(row[k])},
        seen={what: tuple(subjects) for what, subjects in seen.items()},
        patients=patients,
        parameters=config.model_dump(mode="json"),
        code_version=__version__,
    )
    return Fitted(Checkpoint(best, made), history)


def _images_of(images: Mapping[str, Stored], rows: pd.DataFrame, config: TrainingConfig) -> EyeDataset:
    subjects, targets = rows["subject"].astype(str).tolist(), rows["target"].tolist()
    return EyeDataset(images, subjects, targets, slabs=config.slabs, patches=config.patches)


def _start_pretrained(model: nn.Module, table: pd.DataFrame, pretrained: Checkpoint | None) -> CheckpointCard:
    """Load the encoder's weights into `model`, unless they have seen whom the fold is judged on; their card."""
    if pretrained is None:
        raise ConfigError(
            "weights is 'pretraining', but there are no pre-trained weights; run kedro run --pipeline pretraining"
        )
    require_unseen(table, pretrained.card, learner="the pre-training")
    start_from_encoder(model, pretrained.weights)
    return pretrained.card


def network_for(model: ModelConfig, classes: Sequence[str]) -> ModelConfig:
    """`model` with as many outputs as there are classes; ConfigError if it was told another number."""
    if "classes" not in model.model_fields_set:
        return model.model_copy(update={"classes": len(classes)})
    if model.classes != len(classes):
        raise ConfigError(
            f"model.classes is {model.classes}, but cohort.classes has {len(classes)} ({', '.join(classes)}); leave "
            f"model.classes out, or set it to {len(classes)}"
        )
    return model


def _train(
    model: nn.Module, data: dict[str, EyeDataset], classes: int, config: TrainingConfig, fold: int
) -> tuple[dict[str, torch.Tensor], pd.DataFrame]:
    """All epochs until patience runs out: weights of the best one, and the history."""
    device = pick_device(config.device)
    weights = _class_weights(data["train"].targets, classes).to(device)
    entropy = nn.CrossEntropyLoss(weights, label_smoothing=config.label_smoothing)
    batches = loader(data["train"], config, shuffle_seed=("order", fold))
    learner = make_learner(model, lambda net, images, targets: entropy(net(images), targets), batches, config, fold)
    validation = loader(data["validation"], config, shuffle_seed=None)

    best_loss, best_weights, best_epoch = math.inf, learner.weights(), 0
    rows: list[dict[str, Any]] = []
    bar = tqdm(
        range(1, config.max_epochs + 1), f"{config.model.spatial_dims}D fold {fold}", unit="epoch", mininterval=1
    )
    for epoch in bar:
        started = time.perf_counter()
        train_loss = learner.epoch()
        logits, targets = predict_eyes(model, data["validation"], validation, device)
        val_loss, val_auroc = float(entropy(logits.to(device), targets.to(device))), _auroc(logits, targets)
        if not math.isfinite(train_loss + val_loss):
            raise DataError(f"fold {fold}, epoch {epoch}: the loss is not finite; lower learning_rate")
        row = {"fold": fold, "epoch": epoch, "train_loss": train_loss, "val_loss": val_loss, "val_auroc": val_auroc}
        rows.append(row | {"lr": learner.learning_rate, "seconds": time.perf_counter() - started})
        bar.set_postfix(loss=f"{train_loss:.3f}", val=f"{val_loss:.3f}", auroc=f"{val_auroc:.2f}")
        if epoch <= config.keep_from * config.max_epochs:
            continue
        if val_loss < best_loss:
            best_loss, best_weights, best_epoch = val_loss, learner.weights(), epoch
        elif epoch - best_epoch >= config.patience:
            break
    history = pd.DataFrame(rows)
    return best_weights, history.assign(best=history["epoch"] == best_epoch)


@torch.no_grad()
def predict_logits(
    model: nn.Module, batches: torch.utils.data.DataLoader, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits ``(n, classes)`` and targets ``(n,)`` on the CPU, in the loader's order."""
    model.eval()
    logits, targets = [], []
    for images, target in batches:
        logits.append(model(images.to(device)).float().cpu())
        targets.append(target)
    return torch.cat(logits), torch.cat(targets)


def predict_eyes(
    model: nn.Module, data: EyeDataset, batches: torch.utils.data.DataLoader, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits ``(eyes, classes)`` and targets ``(eyes,)`` of `data` in its order, patches pooled per eye."""
    logits, targets = predict_logits(model, batches, device)
    return pool_patches(logits, data.per_eye), targets[:: data.per_eye]


def _class_weights(targets: Sequence[int], classes: int) -> torch.Tensor:
    """Inverse class frequencies with mean 1, so that a threshold of one half suits unequal classes."""
    counts = torch.bincount(torch.tensor(targets), minlength=classes).float()
    if (counts == 0).any():
        raise DataError("a class has no training subject in this fold; use fewer folds or more subjects")
    weights = 1 / counts
    return weights / weights.mean()


def _auroc(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """AUROC of a validation set, of more than two classes the mean of each against the rest; NaN if one is missing."""
    classes = logits.shape[1]
    if len(targets.unique()) < classes:
        return math.nan
    if classes == 2:
        return float(roc_auc_score(targets.numpy(), (logits[:, 1] - logits[:, 0]).numpy()))
    shares = torch.softmax(logits.double(), dim=1)
    one_against_rest = [roc_auc_score((targets == k).numpy(), shares[:, k].numpy()) for k in range(classes)]
    return float(sum(one_against_rest) / classes)

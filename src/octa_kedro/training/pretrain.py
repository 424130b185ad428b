"""Fit the autoencoder of one fold to its training subjects only."""

import time
from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from octa_kedro import __version__
from octa_kedro.cohort.splits import subjects_of
from octa_kedro.io.store import Stored
from octa_kedro.models.autoencoder import Autoencoder
from octa_kedro.preprocessing.config import ProcessingConfig, require_processed_as
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard
from octa_kedro.training.config import AutoencoderConfig
from octa_kedro.training.data import EyeDataset, loader
from octa_kedro.training.guard import PRETRAINING, patients_in, require_sound_fold
from octa_kedro.training.learner import make_learner
from octa_kedro.training.loop import Fitted
from octa_kedro.training.seeding import seed_everything


def fit_autoencoder(
    images: Mapping[str, Stored], table: pd.DataFrame, config: AutoencoderConfig, processing: ProcessingConfig
) -> Fitted:
    """Train on the fold's training subjects, but those in ``config.exclude``, for all epochs; neither validation
    nor held-out eyes are read.

    LeakError if a patient has eyes in two parts of the fold.

    The loss is the mean squared error per voxel. History: fold, epoch, train_loss, variance (the mean over
    eyes of their grey levels' variance: what rebuilding every eye as its own mean would score), lr, seconds,
    best (the last epoch).
    """
    require_processed_as(images, processing, who="params:processing")
    fold = int(table["fold"].iloc[0])
    require_sound_fold(table)
    data = EyeDataset(images, [s for s in subjects_of(table, "train") if s not in (config.exclude or {})])
    variance, mean = _grey_levels(data)
    seed_everything(config.seed, "autoencoder", fold)
    model = Autoencoder(config.model, mean)
    batches = loader(data, config, shuffle_seed=("autoencoder order", fold))
    learner = make_learner(model, _rebuilding_error, batches, config, "autoencoder", fold)
    rows: list[dict[str, Any]] = []
    bar = tqdm(range(1, config.max_epochs + 1), f"autoencoder fold {fold}", unit="epoch", mininterval=1)
    for epoch in bar:
        started = time.perf_counter()
        loss = learner.epoch()
        row = {"fold": fold, "epoch": epoch, "train_loss": loss, "variance": variance, "lr": learner.learning_rate}
        rows.append(row | {"seconds": time.perf_counter() - started, "best": epoch == config.max_epochs})
        bar.set_postfix(mse=f"{loss:.5f}", variance=f"{variance:.5f}")
    card = CheckpointCard(
        kind="encoder",
        model=config.model,
        processing=processing,
        fold=fold,
        epoch=config.max_epochs,
        metrics={"train_loss": float(rows[-1]["train_loss"]), "variance": variance},
        seen={PRETRAINING: tuple(data.subjects)},
        patients=patients_in(table[table["role"] == "train"]),
        parameters=config.model_dump(mode="json"),
        code_version=__version__,
    )
    return Fitted(Checkpoint(model.encoder_weights(), card), pd.DataFrame(rows))


def _rebuilding_error(model: nn.Module, images: torch.Tensor, _targets: torch.Tensor) -> torch.Tensor:
    return functional.mse_loss(model(images), images)


def _grey_levels(data: EyeDataset) -> tuple[float, float]:
    """Mean over eyes of the variance and of the mean of their grey levels, one eye in memory at a time."""
    levels = [(float(image.var()), float(image.mean())) for image, _ in (data[i] for i in range(len(data)))]
    variances, means = zip(*levels, strict=True)
    return sum(variances) / len(levels), sum(means) / len(levels)

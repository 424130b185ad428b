"""Fit the autoencoder of one fold to its training subjects only."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import torch

from octa_kedro import __version__
from octa_kedro.cohort.columns import subjects_of
from octa_kedro.identifiers import find_name
from octa_kedro.models.autoencoder import Autoencoder, encoder_weights
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.preprocessing.processed_as import require_processed_as
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard
from octa_kedro.training.config import AutoencoderConfig
from octa_kedro.training.data.dataset import EyeDataset, gather
from octa_kedro.training.engine.config import StopConfig
from octa_kedro.training.engine.loop import TrainingRun, run_training, training_key
from octa_kedro.training.engine.objective import Rebuilding
from octa_kedro.training.engine.seeding import seed_everything
from octa_kedro.training.engine.trainer import Trainer
from octa_kedro.training.fitted import Fitted
from octa_kedro.training.guard import PRETRAINING, patients_in, require_sound_fold, sketches_of
from octa_kedro.training.state.run_folders import RunFolders


def fit_autoencoder(
    images: Mapping[str, Stored],
    table: pd.DataFrame,
    config: AutoencoderConfig,
    processing: ProcessingConfig,
    *,
    run_folders: RunFolders | None = None,
) -> Fitted:
    """Train on the fold's training subjects, but those in ``config.exclude``, for all epochs; neither validation
    nor held-out eyes are read. With `run_folders` an interrupted training resumes.

    LeakError if a patient has eyes in two parts of the fold.

    The loss is the mean squared error per voxel. History: fold, epoch, train_loss, variance (the mean over
    eyes of their grey levels' variance: the loss of rebuilding every eye as its own mean), lr, seconds,
    best (the last epoch).
    """
    processing = require_processed_as(images, processing, who="params:processing")
    fold = int(table["fold"].iloc[0])
    require_sound_fold(table)
    excluded = _excluded(table, config)
    data = EyeDataset(images, [s for s in subjects_of(table, "train") if s not in excluded])
    variance, mean = _grey_levels(data)
    seed_everything(config.seed, "autoencoder", fold)
    run = TrainingRun(
        model=Autoencoder(config.model, mean),
        objective=Rebuilding(),
        data=data,
        validate=FixedColumns({"variance": variance}),
        config=config,
        # There is no validation, so the last epoch is kept.
        stop=StopConfig(metric="train_loss", keep="last"),
        purpose=("autoencoder", fold),
        fold=fold,
        title=f"autoencoder fold {fold}",
    )
    key = training_key(run, fit_autoencoder, data=[data.images[s].sha256 for s in data.subjects])
    rows, weights = run_training(run, key, run_folders)
    card = CheckpointCard(
        kind="encoder",
        model=config.model,
        processing=processing,
        fold=fold,
        epoch=config.max_epochs,
        metrics={"train_loss": float(rows[-1]["train_loss"]), "variance": variance},
        seen={PRETRAINING: tuple(data.subjects)},
        patients=patients_in(table[table["role"] == "train"]),
        sketches=sketches_of(data.images, data.subjects),
        parameters=config.model_dump(mode="json"),
        code_version=__version__,
    )
    return Fitted(Checkpoint(encoder_weights(weights), card), pd.DataFrame(rows))


@dataclass(frozen=True)
class FixedColumns:
    """A validator that returns the same columns after every epoch."""

    columns: dict[str, float]

    def __call__(self, _trainer: Trainer) -> dict[str, float]:
        """The columns."""
        return self.columns


def _excluded(table: pd.DataFrame, config: AutoencoderConfig) -> set[str | None]:
    known = table["subject"].astype(str).tolist()
    return {find_name(one, known, "pretraining.exclude", in_a_list=True) for one in config.exclude or {}}


def _grey_levels(data: EyeDataset) -> tuple[float, float]:
    """Mean over eyes of the variance and of the mean of their grey levels, one eye in memory at a time."""
    each = (gather([data[i]]).images(torch.device("cpu")) for i in range(len(data)))
    levels = [(float(image.var()), float(image.mean())) for image in each]
    variances, means = zip(*levels, strict=True)
    return sum(variances) / len(levels), sum(means) / len(levels)

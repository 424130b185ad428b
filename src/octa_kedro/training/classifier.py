"""Fit one classifier on one fold, in two or three dimensions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from torch import nn

from octa_kedro import __version__
from octa_kedro.cohort.columns import class_names
from octa_kedro.cohort.trainings import training_words
from octa_kedro.errors import ConfigError, DataError
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.models.sizes import require_input
from octa_kedro.models.start import start_model
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.preprocessing.processed_as import require_processed_as
from octa_kedro.results.stored import Stored
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard
from octa_kedro.training.config import TrainingConfig
from octa_kedro.training.data.dataset import EyeDataset
from octa_kedro.training.engine.config import HISTORY_METRICS
from octa_kedro.training.engine.loop import TrainingRun, run_training, training_key
from octa_kedro.training.engine.losses import make_loss
from octa_kedro.training.engine.objective import Classification
from octa_kedro.training.engine.seeding import seed_everything
from octa_kedro.training.engine.validation import Validation
from octa_kedro.training.familiar import familiar_from
from octa_kedro.training.fitted import Fitted
from octa_kedro.training.guard import (
    PRETRAINING,
    TRAINING,
    VALIDATION,
    patients_in,
    require_fold_unseen,
    require_images_unseen,
    require_sound_fold,
    sketches_of,
    without_learnt_copies,
)
from octa_kedro.training.state.run_folders import RunFolders


def fit_classifier(
    images: Mapping[str, Stored],
    table: pd.DataFrame,
    config: TrainingConfig,
    processing: ProcessingConfig,
    pretrained: Checkpoint | None = None,
    *,
    run_folders: RunFolders | None = None,
    seed: int = 1,
) -> Fitted:
    """Train on the fold's training subjects, validate after each epoch, keep the epoch that `config.stop` chooses.

    `table` is a fold table (`cohort.splits.fold_table`). With ``start.weights: pretraining`` the network starts from
    `pretrained`. `seed` counts the trainings of the fold (`TrainingConfig.with_seed`). With `run_folders` an
    interrupted training resumes, and ends with the same bits as one that was not interrupted. LeakError if a patient is
    in two parts of the fold, or the pre-training has learnt from a patient of the validation or held-out part.
    """
    if table.empty:
        raise DataError("the splits hold no subject to train on; the cohort is empty or unlabelled (cohort.labelled)")
    processing = require_processed_as(images, processing, who="params:processing")
    fold, given, config = int(table["fold"].iloc[0]), config, config.with_seed(seed)
    require_sound_fold(table)
    names = class_names(table)
    network = network_for(config.model, names)
    learners = _images_of(images, table[table["role"] == "train"], config)
    require_input(network, tuple(learners[0].array.shape[1:]), config.batch_size)
    seed_everything(config.seed, "weights", fold)
    model = build_model(network)
    encoder = _start(model, network, table, config, pretrained)
    if encoder is not None:
        held_out = table[table["role"] == "held_out"]
        require_images_unseen(images, held_out, encoder, learner="the pre-training")
    data = {"train": learners, "validation": _images_of(images, without_learnt_copies(images, table, encoder), config)}
    run = _training_run(model, data, network.classes, config, fold=fold, seed=seed)
    key = training_key(
        run,
        fit_classifier,
        network=network.model_dump(mode="json"),
        data={role: [one.images[s].sha256 for s in one.subjects] for role, one in data.items()},
        targets={role: one.targets for role, one in data.items()},
    )
    rows, weights = run_training(run, key, run_folders)
    made = CheckpointCard(
        kind="classifier",
        model=network,
        processing=processing,
        slabs=config.slabs,
        patches=config.patches,
        views=config.views,
        classes=names,
        fold=fold,
        seed=seed,
        **_kept(rows),
        parameters=given.model_dump(mode="json"),
        code_version=__version__,
        **_learnt_from(images, table, data, encoder),
    )
    history = pd.DataFrame(rows)
    history.insert(1, "seed", seed)
    return Fitted(Checkpoint(weights, made), history)


def _start(
    model: nn.Module, network: ModelConfig, table: pd.DataFrame, config: TrainingConfig, pretrained: Checkpoint | None
) -> CheckpointCard | None:
    """Load what `model` starts from; the card of the autoencoder, if it is that and has seen nobody the fold is judged
    on."""
    if config.start.weights != "pretraining" or pretrained is None:
        start_model(model, network, config.start)
        return None
    require_fold_unseen(table, pretrained.card, learner="the pre-training")
    start_model(model, network, config.start, pretrained.weights)
    return pretrained.card


def _learnt_from(
    images: Mapping[str, Stored],
    table: pd.DataFrame,
    data: Mapping[str, EyeDataset],
    encoder: CheckpointCard | None,
) -> dict[str, Any]:
    """What the card says of the eyes that the network will have seen, those of its pre-training included: `seen` by
    use, whose they are (`patients`), their `sketches`, and what it will be `familiar` with."""
    learners = data["train"].subjects
    seen = {TRAINING: tuple(learners), VALIDATION: tuple(data["validation"].subjects)}
    patients, sketches = patients_in(table[table["role"] != "held_out"]), sketches_of(images, learners)
    if encoder is not None:
        seen |= {PRETRAINING: tuple(sorted(encoder.learnt_from()))}
        patients, sketches = {**encoder.patients, **patients}, {**encoder.sketches, **sketches}
    familiar = familiar_from([images[subject].meta for subject in learners], data["train"].slabs)
    return {"seen": seen, "patients": patients, "sketches": sketches, "familiar": familiar}


def _kept(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Which epoch of the history was kept, and its metrics."""
    row = next(row for row in rows if row["best"])
    return {"epoch": row["epoch"], "metrics": {k: row[k] for k in HISTORY_METRICS if math.isfinite(row[k])}}


def _training_run(
    model: nn.Module, data: Mapping[str, EyeDataset], classes: int, config: TrainingConfig, *, fold: int, seed: int
) -> TrainingRun:
    """The training run of a fold with one of its seeds, validated on its validation eyes."""
    loss = make_loss(config.loss, data["train"].targets, classes)
    return TrainingRun(
        model=model,
        objective=Classification(loss, config.mixup),
        data=data["train"],
        validate=Validation(data["validation"], loss),
        config=config,
        stop=config.stop,
        purpose=("fold", fold),
        fold=fold,
        title=f"{config.model.spatial_dims}D {training_words(fold, seed)}",
    )


def network_for(model: ModelConfig, classes: Sequence[str]) -> ModelConfig:
    """`model` with as many outputs as there are classes; ConfigError if it names another number."""
    if "classes" not in model.model_fields_set:
        return model.model_copy(update={"classes": len(classes)})
    if model.classes != len(classes):
        raise ConfigError(
            f"model.classes is {model.classes}, but cohort.classes has {len(classes)} ({', '.join(classes)}); leave "
            f"model.classes out, or set it to {len(classes)}"
        )
    return model


def _images_of(images: Mapping[str, Stored], rows: pd.DataFrame, config: TrainingConfig) -> EyeDataset:
    subjects, targets = rows["subject"].astype(str).tolist(), rows["target"].tolist()
    return EyeDataset(images, subjects, targets, slabs=config.slabs, patches=config.patches)

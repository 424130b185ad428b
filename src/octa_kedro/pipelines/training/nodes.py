"""Nodes that train and apply one fold of one classifier with one seed, in two or three dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from octa_kedro.pipelines.node_function import node_function
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.training.config import TrainingConfig

if TYPE_CHECKING:
    import pandas as pd

    from octa_kedro.results.stored import Stored
    from octa_kedro.training.checkpoint import Checkpoint
    from octa_kedro.training.state.run_folders import RunFolders


@node_function
def train_fold(
    images: Mapping[str, Stored],
    table: pd.DataFrame,
    config: TrainingConfig,
    processing: ProcessingConfig,
    run_folders: RunFolders,
    pretrained: Checkpoint | None = None,
    *,
    seed: int = 1,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Fit on the fold's training subjects, resuming an interrupted run -> the kept epoch's checkpoint, history.

    `seed` counts the trainings of the fold: 1, 2, ..."""
    from octa_kedro.training.classifier import fit_classifier

    fitted = fit_classifier(images, table, config, processing, pretrained, run_folders=run_folders, seed=seed)
    return fitted.checkpoint, fitted.history


@node_function
def apply_fold(
    images: Mapping[str, Stored], table: pd.DataFrame, checkpoint: Checkpoint, config: TrainingConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The stored checkpoint -> predictions of validation and held-out subjects, and whom it has seen."""
    from octa_kedro.training.predict import predict_fold

    return predict_fold(images, table, checkpoint, config), checkpoint.card.seen_table()

"""Node that pre-trains an autoencoder on the training subjects of one fold."""

from collections.abc import Mapping

import pandas as pd

from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.results.stored import Stored
from octa_kedro.training.autoencoder import fit_autoencoder
from octa_kedro.training.checkpoint import Checkpoint
from octa_kedro.training.config import AutoencoderConfig
from octa_kedro.training.state.workspace import Workspace


def pretrain_fold(
    images: Mapping[str, Stored],
    table: pd.DataFrame,
    config: AutoencoderConfig,
    processing: ProcessingConfig,
    workspace: Workspace,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Fit the autoencoder, going on where an interrupted run stopped -> its encoder's weights, history."""
    fitted = fit_autoencoder(images, table, config, processing, workspace=workspace)
    return fitted.checkpoint, fitted.history

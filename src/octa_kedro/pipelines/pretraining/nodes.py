"""Node that pre-trains an autoencoder on the training subjects of one fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from octa_kedro.pipelines.node_function import node_function
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.training.config import AutoencoderConfig

if TYPE_CHECKING:
    import pandas as pd

    from octa_kedro.results.stored import Stored
    from octa_kedro.training.checkpoint import Checkpoint
    from octa_kedro.training.state.run_folders import RunFolders


@node_function
def pretrain_fold(
    images: Mapping[str, Stored],
    table: pd.DataFrame,
    config: AutoencoderConfig,
    processing: ProcessingConfig,
    run_folders: RunFolders,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Fit the autoencoder, resuming an interrupted run -> its encoder's weights, history."""
    from octa_kedro.training.autoencoder import fit_autoencoder

    fitted = fit_autoencoder(images, table, config, processing, run_folders=run_folders)
    return fitted.checkpoint, fitted.history

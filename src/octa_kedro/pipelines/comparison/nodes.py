"""Nodes that train the networks of a comparison, and put all of them into one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from octa_kedro.configuration.compared import ComparedNetwork, autoencoder_parameters, derived_parameters
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.pipelines.node_function import node_function
from octa_kedro.pipelines.pretraining.nodes import pretrain_fold
from octa_kedro.pipelines.training.nodes import apply_fold, train_fold
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.training.config import AutoencoderConfig, TrainingConfig

if TYPE_CHECKING:
    import pandas as pd

    from octa_kedro.results.stored import Stored
    from octa_kedro.training.checkpoint import Checkpoint
    from octa_kedro.training.state.run_folders import RunFolders


def settled(config: Any, entry: ComparedNetwork) -> TrainingConfig:
    """The parameters of an entry, from those `config` of the model that it is like; ConfigError unless these came as
    they were given: what follows from some of them must follow anew."""
    from octa_kedro.errors import ConfigError

    if not isinstance(config, Mapping):
        raise ConfigError("run the comparison by itself: kedro run --pipelines comparison")
    return TrainingConfig.model_validate(derived_parameters(config, entry))


@node_function
def describe_entries(
    processing: ProcessingConfig, *configs: Mapping[str, Any], entries: tuple[ComparedNetwork, ...]
) -> dict[str, Any]:
    """Every network is looked at before one is trained -> name, dimensions, weights; ConfigError for one that cannot
    take the images. `configs` are the parameters of the models that the `entries` are like, in their order."""
    from octa_kedro.training.compared import describe_network

    found = [settled(config, entry) for config, entry in zip(configs, entries, strict=True)]
    return {
        entry.name: describe_network(config, processing, entry.start_weights, who=entry.name)
        for config, entry in zip(found, entries, strict=True)
    }


@node_function
def pretrain_entry(
    images: Mapping[str, Stored],
    table: pd.DataFrame,
    config: Mapping[str, Any],
    pretraining: Mapping[str, Any],
    processing: ProcessingConfig,
    run_folders: RunFolders,
    entries: dict[str, Any],
    *,
    entry: ComparedNetwork,
) -> tuple[Checkpoint, pd.DataFrame]:
    """The autoencoder of one entry and fold, once all `entries` are known to be possible."""
    own = settled(config, entry).model.model_dump(exclude={"classes"})
    return pretrain_fold(
        images,
        table,
        AutoencoderConfig.model_validate(autoencoder_parameters(pretraining, {"model": own})),
        processing,
        run_folders,
    )


@node_function
def train_entry(
    images: Mapping[str, Stored],
    table: pd.DataFrame,
    config: Mapping[str, Any],
    processing: ProcessingConfig,
    run_folders: RunFolders,
    entries: dict[str, Any],
    pretrained: Checkpoint | None = None,
    *,
    entry: ComparedNetwork,
    seed: int = 1,
) -> tuple[Checkpoint, pd.DataFrame]:
    """As `training.nodes.train_fold`, once all `entries` are known to be possible."""
    return train_fold(images, table, settled(config, entry), processing, run_folders, pretrained, seed=seed)


@node_function
def apply_entry(
    images: Mapping[str, Stored],
    table: pd.DataFrame,
    checkpoint: Checkpoint,
    config: Mapping[str, Any],
    *,
    entry: ComparedNetwork,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """As `training.nodes.apply_fold`."""
    return apply_fold(images, table, checkpoint, settled(config, entry))


@node_function
def tabulate_comparison(
    entries: dict[str, Any], metrics: pd.DataFrame, comparisons: pd.DataFrame, config: EvaluationConfig
) -> tuple[pd.DataFrame, str]:
    """One row per network and part, and a short verdict as Markdown."""
    from octa_kedro.evaluation.compared import comparison_table, comparison_text

    table = comparison_table(entries, metrics)
    return table, comparison_text(table, comparisons, metrics, config)

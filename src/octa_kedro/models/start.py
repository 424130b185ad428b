"""What a network starts from: random, timm's, MedicalNet's or this project's own weights; and what stays frozen."""

import logging

import torch
from torch import nn

from octa_kedro.errors import ConfigError
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import start_from_encoder
from octa_kedro.models.pretrained import Started, load_medicalnet, load_timm
from octa_kedro.models.stages import freeze
from octa_kedro.models.start_config import StartConfig

logger = logging.getLogger(__name__)


def start_model(
    model: nn.Module, config: ModelConfig, start: StartConfig, encoder_weights: dict[str, torch.Tensor] | None = None
) -> Started:
    """Load what `start` names into the network of `config`, in place, and freeze its first stages.

    `encoder_weights` are those of the pre-trained autoencoder, for ``weights: pretraining``. CheckpointError for
    weights that do not fit; nothing is loaded then. ConfigError where the network has no such weights.
    """
    started = Started("random")
    if start.weights == "timm":
        started = load_timm(model, config, start.weights_file)
    elif start.weights == "medicalnet":
        if config.family != "resnet" or start.weights_file is None:
            raise ConfigError(
                f"start.weights: medicalnet has 3D ResNets only, not {config.name}; choose timm or random"
            )
        started = load_medicalnet(model, start.weights_file)
    elif start.weights == "pretraining":
        if encoder_weights is None:
            raise ConfigError(
                "start.weights is pretraining, but there are no pre-trained weights; run: kedro run --pipelines "
                "pretraining"
            )
        start_from_encoder(model, encoder_weights)
        started = Started("the pre-training", tuple(encoder_weights))
    frozen = freeze(model, start.frozen_stages)
    started = Started(started.source, started.loaded, started.left, started.unused, frozen)
    if start.weights != "random" or frozen:
        logger.info(started.summary())
    return started

"""What a network starts from: random weights, timm's (inflated in 3D), or MedicalNet's; and what of it stays frozen."""

import logging

from torch import nn

from octa_kedro.errors import ConfigError
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.pretrained import Started, load_medicalnet, load_timm
from octa_kedro.models.stages import freeze
from octa_kedro.models.start_config import StartConfig

logger = logging.getLogger(__name__)


def start_model(model: nn.Module, config: ModelConfig, start: StartConfig) -> Started:
    """Load what `start` names into the network of `config`, in place, and freeze its first stages.

    CheckpointError for a file that does not fit; nothing is loaded then. ConfigError where the network has no
    such weights.
    """
    started = Started("random")
    if start.weights == "timm":
        started = load_timm(model, config, start.weights_file)
    elif start.weights == "medicalnet":
        if config.family != "resnet" or start.weights_file is None:
            raise ConfigError(f"weights: medicalnet has 3D ResNets only, not {config.name}; choose timm or random")
        started = load_medicalnet(model, start.weights_file)
    frozen = freeze(model, start.frozen_stages)
    started = Started(started.source, started.loaded, started.left, started.unused, frozen)
    if start.weights != "random" or frozen:
        logger.info(started.summary())
    return started

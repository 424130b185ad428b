"""What a network starts from: random weights, timm's (inflated in 3D), or MedicalNet's; and what of it stays frozen."""

import logging
from typing import Literal

from pydantic import Field, model_validator
from torch import nn

from octa_kedro.config import Config
from octa_kedro.errors import ConfigError
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.pretrained import Started, load_medicalnet, load_timm
from octa_kedro.models.stages import freeze

logger = logging.getLogger(__name__)


class StartConfig(Config):
    """`weights`: random; timm, those of the 2D network of that name, inflated where the network is 3D (in an ACS
    network as they are); or medicalnet, for 3D ResNets. `weights_file` is a local file (safetensors, or a torch
    file of plain tensors): for timm in place of a download, for medicalnet always. `frozen_stages` keeps the stem
    and that many stages as they start.
    """

    weights: Literal["random", "timm", "medicalnet"] = "random"
    weights_file: str | None = None
    frozen_stages: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> "StartConfig":
        if self.weights == "medicalnet" and self.weights_file is None:
            raise ValueError("weights_file: name the MedicalNet file, such as resnet_18_23dataset.pth")
        if self.weights == "random" and self.weights_file is not None:
            raise ValueError("weights: say whose weights_file is, timm or medicalnet")
        return self


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

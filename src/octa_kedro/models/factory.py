"""`build_model`: any network of the project in two or three dimensions, from one config."""

from typing import Literal

import timm
import torch
from monai.networks.nets import ResNet
from pydantic import Field, PositiveInt, field_validator, model_validator
from torch import nn

from octa_kedro.config import Config
from octa_kedro.errors import CheckpointError, ConfigError

RESNET_LAYERS = {"resnet10": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
STAGES = ("layer1", "layer2", "layer3", "layer4")
HEAD_3D = "fc."
NORMS: dict[str, str | tuple[str, dict[str, object]]] = {
    "batch": "batch",
    "instance": ("instance", {"affine": True}),
    "group": ("group", {"num_groups": 4}),
}


class ModelConfig(Config):
    """A network: `name` is one of resnet10/18/34 in 3D and any timm network in 2D.

    In 3D, `widths` are the channels of the four stages and `norm` the normalisation after each convolution
    (batch statistics of a few volumes are noisy; group and instance norm do not use any). `dropout` is the
    share of features dropped before the last linear layer.
    """

    name: str = "resnet18"
    spatial_dims: Literal[2, 3] = 3
    in_channels: PositiveInt = 1
    classes: int = Field(2, ge=2)
    widths: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (64, 128, 256, 512)
    norm: Literal["batch", "instance", "group"] = "batch"
    dropout: float = Field(0.0, ge=0, lt=1)

    @field_validator("name")
    @classmethod
    def _lower(cls, name: str) -> str:
        return name.strip().lower()

    @model_validator(mode="after")
    def _known(self) -> "ModelConfig":
        if self.spatial_dims == 3 and self.name not in RESNET_LAYERS:
            raise ValueError(f"name: no 3D network {self.name!r}; choose from {', '.join(RESNET_LAYERS)}")
        if self.spatial_dims == 2 and self.name not in timm.list_models():
            near = timm.list_models(f"*{self.name[:6]}*")[:5]
            raise ValueError(f"name: timm has no network {self.name!r}; near it: {', '.join(near) or 'none'}")
        return self


def build_model(config: ModelConfig) -> nn.Module:
    """The network of `config` with random weights; input ``(N, C, D, H, W)`` or ``(N, C, H, W)``, output
    logits ``(N, classes)``."""
    if config.spatial_dims == 2:
        return timm.create_model(
            config.name,
            pretrained=False,
            in_chans=config.in_channels,
            num_classes=config.classes,
            drop_rate=config.dropout,
        )
    network = ResNet(
        "basic",
        list(RESNET_LAYERS[config.name]),
        list(config.widths),
        spatial_dims=3,
        n_input_channels=config.in_channels,
        # The stem strides in depth as well: with MONAI's default of 1 it costs ten times as much.
        conv1_t_size=7,
        conv1_t_stride=2,
        num_classes=config.classes,
        norm=NORMS[config.norm],
    )
    if config.dropout:
        network.fc = nn.Sequential(nn.Dropout(config.dropout), network.fc)
    return network


def stages(model: nn.Module) -> dict[str, nn.Module]:
    """The stages of a residual network, from fine to coarse; ConfigError where a network has none."""
    found = {name: module for name in STAGES if (module := getattr(model, name, None)) is not None}
    if not found:
        raise ConfigError(f"{type(model).__name__} has no stages {', '.join(STAGES)} to look at; choose a ResNet")
    return found


def encode_3d(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The convolutional part of a 3D ResNet: ``(N, C, D, H, W)`` -> features ``(N, widths[-1], d, h, w)``."""
    features = model.maxpool(model.act(model.bn1(model.conv1(images))))  # type: ignore[operator]
    for stage in stages(model).values():
        features = stage(features)
    return features


def start_from_encoder(model: nn.Module, encoder_weights: dict[str, torch.Tensor]) -> None:
    """Load an autoencoder's encoder into a 3D classifier; the fully connected head stays as it is.

    CheckpointError unless the weights are exactly those of the classifier's convolutional part.
    """
    own = {name for name in model.state_dict() if not name.startswith(HEAD_3D)}
    if own != encoder_weights.keys():
        odd = sorted(own ^ encoder_weights.keys())
        raise CheckpointError(f"pre-trained weights do not fit the network: {len(odd)} names differ, first {odd[0]}")
    try:
        model.load_state_dict(encoder_weights, strict=False)
    except RuntimeError as error:
        raise CheckpointError(
            "pre-trained weights do not fit the network; give pretraining.model and training_3d.model the same "
            f"name and widths ({str(error).splitlines()[-1].strip()})"
        ) from error

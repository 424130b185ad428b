"""`build_model`: any network of the project in two or three dimensions, from one config."""

import timm
import torch
import torchvision  # type: ignore[import-untyped]
from torch import nn

from octa_kedro.errors import CheckpointError, ConfigError
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.convert import to_3d
from octa_kedro.models.heads import WithAuxiliary
from octa_kedro.models.names import TORCHVISION
from octa_kedro.models.native import build_native
from octa_kedro.models.stages import stages

__all__ = ["HEAD_3D", "build_2d", "build_model", "encode_3d", "stages", "start_from_encoder"]

HEAD_3D = "fc."


def build_model(config: ModelConfig) -> nn.Module:
    """The network of `config` with random weights; input ``(N, C, D, H, W)`` or ``(N, C, H, W)``, output
    logits ``(N, classes)``, or in training with auxiliary heads a `heads.TrainingOutput`.

    It reads no file: what else it may start from is `start.start_model`'s to load.
    """
    if config.spatial_dims == 2:
        return build_2d(config)
    if config.convolution == "native":
        return build_native(config)
    return to_3d(build_2d(config), config.convolution, config.name)


def build_2d(config: ModelConfig) -> nn.Module:
    """The 2D network of that name. Transformers take any size, padded to whole patches with zeros."""
    name = config.canonical_name
    options: dict[str, object] = {}
    if name in TORCHVISION:
        return _googlenet(config)
    if name.startswith(("vit_", "deit")):
        options |= {"dynamic_img_size": True, "dynamic_img_pad": True}
    if config.auxiliary:
        options |= {"aux_logits": True}
    network = timm.create_model(
        name,
        pretrained=False,
        in_chans=config.in_channels,
        num_classes=config.classes,
        drop_rate=config.dropout,
        **options,
    )
    return WithAuxiliary(network) if config.auxiliary else network


def _googlenet(config: ModelConfig) -> nn.Module:
    network = torchvision.models.googlenet(
        weights=None,
        num_classes=config.classes,
        aux_logits=config.auxiliary,
        init_weights=False,
        dropout=config.dropout,
    )
    first = network.conv1.conv
    if config.in_channels != first.in_channels:
        network.conv1.conv = nn.Conv2d(
            config.in_channels, first.out_channels, first.kernel_size, first.stride, first.padding, bias=False
        )
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return WithAuxiliary(network) if config.auxiliary else network


def encode_3d(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The convolutional part of a 3D ResNet: ``(N, C, D, H, W)`` -> features ``(N, widths[-1], d, h, w)``
    (four times as many channels in a ResNet-50)."""
    if not hasattr(model, "layer1"):
        raise ConfigError(f"{type(model).__name__} cannot be the encoder of an autoencoder; choose a ResNet")
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

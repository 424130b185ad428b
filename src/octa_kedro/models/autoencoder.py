"""An autoencoder whose encoder is the 3D classifier's convolutional part."""

import math
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from octa_kedro.errors import ConfigError
from octa_kedro.models.factory import HEAD_3D, ModelConfig, build_model, encode_3d


class Autoencoder(nn.Module):
    """Compress a volume with the classifier's convolutions and rebuild it; no skip connections. ResNets only.

    The decoder mirrors the encoder's stages: each step doubles the grid with a transposed convolution and
    narrows the channels. Input and output ``(N, C, D, H, W)``, values in [0, 1]. `mean_grey` is the mean
    of the training images, which the output starts from.
    """

    def __init__(self, config: ModelConfig, mean_grey: float = 0.5) -> None:
        super().__init__()
        if config.family != "resnet":
            raise ConfigError(f"model.name: {config.name} cannot be an autoencoder's encoder; choose a 3D ResNet")
        self.encoder = build_model(config)
        self.encoder.fc = nn.Identity()
        wide = list(config.widths or ())[::-1]
        # A ResNet-50 ends in four times its last width.
        deepest = wide[0] * (4 if config.canonical_name == "resnet50" else 1)
        steps = [*zip([deepest, *wide[1:]], [*wide[1:], wide[-1]], strict=True)]
        self.decoder = nn.Sequential(*(_up(narrow_from, to) for narrow_from, to in steps))
        self.last = nn.ConvTranspose3d(wide[-1], config.in_channels, kernel_size=2, stride=2)
        nn.init.constant_(self.last.bias, math.log(mean_grey / (1 - mean_grey)))  # type: ignore[arg-type]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.decoder(encode_3d(self.encoder, images))
        rebuilt = torch.sigmoid(self.last(features))
        if rebuilt.shape[2:] != images.shape[2:]:  # sizes that five halvings do not divide
            rebuilt = functional.interpolate(rebuilt, images.shape[2:], mode="trilinear", align_corners=False)
        return rebuilt


def encoder_weights(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Of an autoencoder's weights those of the convolutional part, named as the classifier names them."""
    part = "encoder."
    names = {name: name.removeprefix(part) for name in weights if name.startswith(part)}
    return {to: weights[name] for name, to in names.items() if not to.startswith(HEAD_3D)}


def _up(channels: int, to: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose3d(channels, to, kernel_size=2, stride=2, bias=False),
        nn.BatchNorm3d(to),
        nn.ReLU(inplace=True),
        nn.Conv3d(to, to, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm3d(to),
        nn.ReLU(inplace=True),
    )

"""VGG (Simonyan and Zisserman 2015) in three dimensions: full width, and the narrow one with linear layers."""

from collections.abc import Sequence

import torch
from torch import nn

from octa_kedro.models.modules import kaiming_init, make_norm

BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4), "vgg16_narrow": (2, 2, 3, 3, 3)}
# 192 x 256 x 192 voxels, the size the narrow network was made for, after five halvings, in tensor order.
NARROW_GRID = (8, 6, 6)
NARROW_HIDDEN = 128


class VGG3D(nn.Module):
    """Blocks of 3 x 3 x 3 convolutions, each with norm and ReLU, and a max-pool of 2 after each block.

    The layers of `features` are those of timm's ``vgg*_bn``, in the same order under the same names. The head
    is a global mean and one linear layer; with `linear_layers`, features are averaged to the grid they have
    at full size (there nothing is averaged) and two linear layers follow. Input ``(N, C, D, H, W)``.
    """

    def __init__(
        self,
        blocks: Sequence[int],
        widths: Sequence[int],
        *,
        in_channels: int = 1,
        classes: int = 2,
        norm: str = "batch",
        dropout: float = 0.0,
        linear_layers: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        self.stage_names: list[str] = []
        for depth, width in zip(blocks, widths, strict=True):
            for _ in range(depth):
                layers += [nn.Conv3d(channels, width, 3, padding=1), make_norm(norm, width), nn.ReLU(inplace=True)]
                channels = width
            self.stage_names.append(f"features.{len(layers) - 1}")
            layers.append(nn.MaxPool3d(2))
        self.features = nn.Sequential(*layers)
        self.pool: nn.Module
        self.head: nn.Module
        if linear_layers:
            cells = NARROW_GRID[0] * NARROW_GRID[1] * NARROW_GRID[2]
            self.pool = nn.AdaptiveAvgPool3d(NARROW_GRID)
            self.hidden: nn.Module = nn.Sequential(nn.Linear(channels * cells, NARROW_HIDDEN), nn.ReLU(inplace=True))
            channels = NARROW_HIDDEN
        else:
            self.pool, self.hidden = nn.AdaptiveAvgPool3d(1), nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, classes)
        kaiming_init(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.pool(self.features(images)).flatten(1)
        return self.head(self.dropout(self.hidden(features)))

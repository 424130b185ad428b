"""CV3FC2 and CV5FC2: three or five convolutional blocks and two linear layers."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from octa_kedro.models.modules import kaiming_init, make_norm

GRID = (2, 2, 2)
HIDDEN = 64


class ConvNet3D(nn.Module):
    """One 3 x 3 x 3 convolution, norm, ReLU and max-pool of 2 for each of `widths`, a coarse mean, two linear layers.

    Input ``(N, C, D, H, W)`` of any size that the halvings leave a voxel of.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        in_channels: int = 1,
        classes: int = 2,
        norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels = [in_channels, *widths]
        self.stages = nn.Sequential(
            *(
                nn.Sequential(nn.Conv3d(a, b, 3, padding=1), make_norm(norm, b), nn.ReLU(inplace=True), nn.MaxPool3d(2))
                for a, b in pairwise(channels)
            )
        )
        self.stage_names = [f"stages.{index}" for index in range(len(widths))]
        self.pool = nn.AdaptiveAvgPool3d(GRID)
        self.hidden = nn.Sequential(
            nn.Linear(channels[-1] * GRID[0] * GRID[1] * GRID[2], HIDDEN), nn.ReLU(inplace=True)
        )
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(HIDDEN, classes)
        kaiming_init(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(self.dropout(self.hidden(self.pool(self.stages(images)).flatten(1))))

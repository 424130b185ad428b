"""A network whose evidence is known voxel by voxel, and an eye for it."""

import torch
from torch import nn

SHAPE = (12, 16, 20)
BOX = (slice(4, 8), slice(4, 8), slice(8, 16))


class Planted(nn.Module):
    """Class 1 for brightness inside BOX; nothing else counts."""

    def __init__(self) -> None:
        super().__init__()
        weight = torch.zeros(SHAPE)
        weight[BOX] = 1
        self.weight = nn.Parameter(weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        evidence = (images * self.weight).sum((1, 2, 3, 4)) / self.weight.sum() - 0.6
        return torch.stack([-evidence, evidence], dim=1)


def planted_eye() -> torch.Tensor:
    """Noise about 0.3 with 1 inside BOX, ``(1, 1, D, H, W)``."""
    image = 0.2 + 0.2 * torch.rand((1, 1, *SHAPE), generator=torch.Generator().manual_seed(0))
    image[(0, 0, *BOX)] = 1
    return image

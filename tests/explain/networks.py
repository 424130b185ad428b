"""Networks whose right map is known."""

import torch
from torch import nn

from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.layers import measure_layers
from octa_kedro.explain.request import MapRequest


class BlobCounter(nn.Module):
    """A network whose evidence for class 1 is the brightness it sees: the right map is known."""

    def __init__(self, dims: int, stride: int = 4) -> None:
        super().__init__()
        conv = nn.Conv3d if dims == 3 else nn.Conv2d
        self.layer1 = nn.Sequential(conv(1, 2, 5, stride=stride, padding=2), nn.ReLU())
        with torch.no_grad():
            self.layer1[0].weight[0], self.layer1[0].weight[1] = 1.0, -1.0
            self.layer1[0].bias.zero_()
        self.fc = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.fc.weight.copy_(torch.tensor([[-1.0, 0.5], [1.0, -0.5]]))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layer1(images).flatten(2).mean(2))


def request(model: nn.Module, shape: tuple[int, ...], layer: int = 0, **settings: object) -> MapRequest:
    """A request to `model` for images ``(1, [D,] H, W)`` of `shape`, in voxels of 0.01 mm."""
    spacing = (0.01,) * (len(shape) - 1)
    layers = measure_layers(model, shape, spacing)
    return MapRequest(model, ExplainConfig.model_validate(settings), spacing, [layers[layer]])

"""Modules shared by the project's own 3D networks."""

import math

import torch
from torch import nn
from torch.nn import functional

NORMS: dict[str, str | tuple[str, dict[str, object]]] = {
    "batch": "batch",
    "instance": ("instance", {"affine": True}),
    "group": ("group", {"num_groups": 4}),
}


def make_norm(kind: str, channels: int, eps: float = 1e-5) -> nn.Module:
    """Normalisation of 3D features with a scale and a shift per channel; groups are 4 where 4 divides `channels`."""
    if kind == "batch":
        return nn.BatchNorm3d(channels, eps=eps)
    if kind == "instance":
        return nn.InstanceNorm3d(channels, eps=eps, affine=True)
    return nn.GroupNorm(math.gcd(4, channels), channels, eps=eps)


def kaiming_init(model: nn.Module) -> None:
    """Convolutions for ReLU (He et al. 2015, fan out), linear layers small, biases zero: as timm starts its VGG."""
    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01)
            nn.init.zeros_(module.bias)


class MeanPool3d(nn.AvgPool3d):
    """A mean with zeros at the border, for grids smaller than the kernel too, which `AvgPool3d` refuses."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        padding = (self.padding,) * 3 if isinstance(self.padding, int) else self.padding
        padded = functional.pad(features, [p for p in reversed(padding) for _ in range(2)])
        return functional.avg_pool3d(padded, self.kernel_size, self.stride)

"""What several tests of networks do."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from octa_kedro.models.convert import ACSConv3d


def randomise_statistics(model: nn.Module) -> nn.Module:
    """Running means and variances as after some training, so that a test sees whether they were loaded."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.8, 1.2)
    return model


def save_2d(model: nn.Module, folder: Path, name: str = "published.safetensors") -> str:
    """The weights of a 2D network in a file, as a published one."""
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / name)
    return str(folder / name)


def features_of(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """What enters the last linear layer."""
    kept = {}
    last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    handle = last.register_forward_pre_hook(lambda _m, inputs: kept.update(features=inputs[0]))
    model(images)
    handle.remove()
    return kept["features"]


def plan_of(layer: nn.Module) -> tuple[object, ...]:
    """What a layer is, whatever its dimensions: kind, channels, and in a plane its kernel and stride."""
    if isinstance(layer, nn.Conv2d | nn.Conv3d):
        return "conv", layer.in_channels, layer.out_channels, layer.kernel_size[-2:], layer.stride[-2:], layer.groups
    if isinstance(layer, ACSConv3d):
        out, into, *kernel = layer.weight.shape
        return "conv", into, out, tuple(kernel), (layer.stride,) * 2, 1
    if isinstance(layer, nn.Linear):
        return "linear", layer.in_features, layer.out_features
    return "norm", layer.weight.numel()

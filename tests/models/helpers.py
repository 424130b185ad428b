"""What several tests of networks do."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn


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

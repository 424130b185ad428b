"""Which input sizes a network can take, and the smallest that works."""

from collections.abc import Sequence

import torch
from torch import nn

from octa_kedro.errors import ConfigError
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.models.names import NETWORKS_3D

# 2D networks of the model table; the smallest side of all others is found by trying.
SMALLEST_2D = {
    "resnet10t": 1,
    "resnet18": 1,
    "resnet34": 1,
    "resnet50": 1,
    "resnet152": 1,
    "vgg16_bn": 32,
    "vgg19_bn": 32,
    "inception_v3": 75,
    "googlenet": 15,
    **{f"efficientnet_b{n}": 1 for n in range(5)},
    "densenet121": 29,
    "vit_base_patch32_224": 1,
    "vit_base_patch16_224": 1,
    "vit_small_patch16_224": 1,
}
LARGEST_TRIED = 512
BATCH_TRIED = 2  # batch norm cannot train on a single value


def smallest_input(config: ModelConfig) -> int | None:
    """The smallest side, in voxels, of a square or cubic input that the network can train on; None if none up to 512.

    Outside the model table, and with instance norm, which needs more than one voxel, it is found by running the
    network without data.
    """
    known = _tabled(config)
    return known if known is not None else _search(config)


def require_input(config: ModelConfig, shape: Sequence[int], batch: int = BATCH_TRIED) -> None:
    """ConfigError unless the network can be trained on images of `shape` ``([D,] H, W)`` in batches of `batch`.

    The message names the smallest side that works.
    """
    if len(shape) != config.spatial_dims:
        raise ConfigError(f"model.spatial_dims is {config.spatial_dims}, but the images have {len(shape)} dimensions")
    known = _tabled(config)
    grid = " x ".join(map(str, shape))
    if min(shape) < known if known is not None else not takes(_without_data(config), config, shape):
        smallest = smallest_input(config)
        remedy = (
            f"the smallest side it can take is {smallest}" if smallest else f"it takes no cube up to {LARGEST_TRIED}"
        )
        raise ConfigError(
            f"model.name: {config.name} cannot take images of {grid}; {remedy}: change processing.grid, or choose "
            "another network"
        )
    if batch == 1 and not takes(_without_data(config), config, shape, batch):
        raise ConfigError(
            f"model.name: {config.name} cannot train on one image of {grid} at a time, since a norm would see one "
            "value a channel; raise batch_size or the grid, or choose norm: group"
        )


def _tabled(config: ModelConfig) -> int | None:
    """The smallest side as the tables have it, for batches of more than one and no auxiliary head in 2D."""
    if config.family == "timm":
        return SMALLEST_2D.get(config.canonical_name) if config.spatial_dims == 2 and not config.auxiliary else None
    return None if config.norm == "instance" else NETWORKS_3D[config.canonical_name].smallest


def takes(model: nn.Module, config: ModelConfig, shape: Sequence[int], batch: int = BATCH_TRIED) -> bool:
    """Whether `model` runs in training on a batch of that shape; a model on the meta device computes nothing."""
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            model(torch.zeros((batch, config.in_channels, *shape), device=device))
    except (RuntimeError, ValueError, AssertionError):
        return False
    return True


def _without_data(config: ModelConfig) -> nn.Module:
    """The network on the meta device, which has shapes but no numbers and no memory for weights."""
    with torch.device("meta"):
        return build_model(config).train()


def _search(config: ModelConfig) -> int | None:
    """The smallest side by doubling and halving; networks of one fixed size are asked for it."""
    model = _without_data(config)
    fixed = (getattr(model, "pretrained_cfg", None) or {}).get("input_size", (0, 0))[-1]
    side = 1
    while side <= LARGEST_TRIED and not takes(model, config, (side,) * config.spatial_dims):
        side *= 2
    if side > LARGEST_TRIED:
        return fixed if fixed and takes(model, config, (fixed,) * config.spatial_dims) else None
    low = side // 2
    while side - low > 1:
        middle = (low + side) // 2
        low, side = (low, middle) if takes(model, config, (middle,) * config.spatial_dims) else (middle, side)
    return side

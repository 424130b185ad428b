"""A 2D network made 3D layer by layer: inflated (I3D), or with ACS convolutions."""

import copy

import torch
from timm.layers import BatchNormAct2d, SelectAdaptivePool2d
from torch import nn
from torch.nn import functional

from octa_kedro.errors import ConfigError

LARGEST = 400_000_000  # parameters; VGG's first linear layer alone would have more
CHECK_VOXELS = 64
SAME_TO = 1e-3  # of the largest logit


class ACSConv3d(nn.Module):
    """A 2D kernel on volumes (Yang et al. 2021): one third of the output channels looks along each axis.

    The weight keeps its 2D shape ``(out, in, k, k)``: the first third is applied in planes across D as
    ``(1, k, k)``, the second across H as ``(k, 1, k)``, the last across W as ``(k, k, 1)``, so that weights of a
    2D network fit as they are. Odd square kernels that keep the grid, times a stride; no groups.
    """

    def __init__(self, flat: nn.Conv2d) -> None:
        super().__init__()
        k, p = flat.kernel_size[0], flat.padding[0]
        square = len({*flat.kernel_size}) == len({*flat.padding}) == len({*flat.stride}) == 1
        if not square or isinstance(p, str) or 2 * p != k - 1 or flat.groups != 1 or flat.dilation != (1, 1):
            raise ConfigError(f"convolution: acs cannot take {flat}; choose inflated, or another network")
        self.stride, self.padding = flat.stride[0], int(p)
        self.weight, self.bias = flat.weight, flat.bias
        self.parts = tuple(flat.out_channels // 3 + (axis < flat.out_channels % 3) for axis in range(3))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        outputs = []
        biases = self.bias.split(self.parts) if self.bias is not None else (None,) * 3
        for axis, (weight, bias) in enumerate(zip(self.weight.split(self.parts), biases, strict=True)):
            if not len(weight):  # fewer than three channels
                continue
            padding = [self.padding] * 3
            padding[axis] = 0
            outputs.append(functional.conv3d(features, weight.unsqueeze(2 + axis), bias, self.stride, padding))
        return torch.cat(outputs, 1)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, k={self.weight.shape[2]}, stride={self.stride}"


class BatchNormAct3d(nn.BatchNorm3d):
    """timm's batch norm with an activation, for volumes."""

    def __init__(self, flat: BatchNormAct2d) -> None:
        super().__init__(flat.num_features, flat.eps, flat.momentum, flat.affine)
        self.load_state_dict(flat.state_dict())
        self.act = flat.act

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.act(super().forward(features))


class SolidPool(nn.Module):
    """Global mean over a volume, flattened."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.mean((2, 3, 4))


def to_solid(flat: nn.Module, kind: str, name: str) -> nn.Module:
    """A copy of the 2D network `flat` for volumes, under the same names; `kind` is inflated or acs.

    An inflated kernel is the 2D one repeated along depth and divided by its depth, which is its height, as
    all of depth is treated as height. ConfigError where a layer has no 3D form, or where the layers' order
    is not all there is to the network: the inflated one must give the 2D one's output on an image that is
    constant along depth.
    """
    kernels = (m.weight.numel() * m.kernel_size[0] for m in flat.modules() if isinstance(m, nn.Conv2d))
    if (weights := sum(kernels)) > LARGEST:
        raise ConfigError(f"{name} inflated would have {weights / 1e6:.0f} million weights; choose convolution: native")
    inflated = _converted(flat, acs=False, name=name)
    if next(flat.parameters()).device.type != "meta" and not _agrees(flat, inflated):
        raise ConfigError(
            f"{name} cannot be made 3D layer by layer; choose a ResNet or a DenseNet, or convolution: native"
        )
    return inflated if kind == "inflated" else _converted(flat, acs=True, name=name)


def inflate_kernel(weight: torch.Tensor, depth: int) -> torch.Tensor:
    """A 2D kernel ``(..., h, w)`` as ``(..., depth, h, w)`` that answers alike where depth changes nothing."""
    return (weight / depth).unsqueeze(-3).repeat_interleave(depth, -3)


def _converted(flat: nn.Module, *, acs: bool, name: str) -> nn.Module:
    solid = copy.deepcopy(flat)
    for path, module in [*solid.named_modules()]:
        if path and (new := _solid_layer(module, acs=acs)) is not module:
            parent, _, leaf = path.rpartition(".")
            setattr(solid.get_submodule(parent), leaf, new)
    left = [f"{path} ({type(m).__name__})" for path, m in solid.named_modules() if type(m).__name__.endswith("2d")]
    if left:
        raise ConfigError(
            f"{name} cannot be made 3D: {left[0]} is flat; choose a ResNet or a DenseNet, or convolution: native"
        )
    return solid


def _solid_layer(module: nn.Module, *, acs: bool) -> nn.Module:
    """The 3D form of one layer; the layer itself where it is not flat or none is known."""
    if type(module) is nn.Conv2d:
        return ACSConv3d(module) if acs and module.kernel_size != (1, 1) else _inflated_conv(module)
    if isinstance(module, nn.BatchNorm2d):
        return _solid_norm(module)
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return _solid_pool(module)
    if isinstance(module, SelectAdaptivePool2d) and module.pool_type == "avg":
        return SolidPool()
    return nn.Identity() if isinstance(module, nn.Dropout2d) and module.p == 0 else module


def _solid_norm(module: nn.BatchNorm2d) -> nn.Module:
    if type(module) is nn.BatchNorm2d:
        norm = nn.BatchNorm3d(module.num_features, module.eps, module.momentum, module.affine)
        norm.load_state_dict(module.state_dict())
        return norm
    if type(module) is BatchNormAct2d and isinstance(module.drop, nn.Identity):
        return BatchNormAct3d(module)
    return module


def _solid_pool(module: nn.MaxPool2d | nn.AvgPool2d) -> nn.Module:
    size, stride, padding = _cubed(module.kernel_size), _cubed(module.stride), _cubed(module.padding)
    if type(module) is nn.MaxPool2d:
        return nn.MaxPool3d(size, stride, padding, ceil_mode=module.ceil_mode)
    if type(module) is nn.AvgPool2d:
        return nn.AvgPool3d(size, stride, padding, module.ceil_mode, module.count_include_pad)
    return module


def _cubed(flat: int | tuple[int, ...]) -> tuple[int, int, int]:
    """``(h, w)`` -> ``(h, h, w)``: all of depth is treated as height is."""
    height, width = (flat, flat) if isinstance(flat, int) else flat
    return height, height, width


def _inflated_conv(flat: nn.Conv2d) -> nn.Conv3d:
    if isinstance(flat.padding, str):
        raise ConfigError(f"convolution: {flat} pads by name; choose another network")
    conv = nn.Conv3d(
        flat.in_channels,
        flat.out_channels,
        _cubed(flat.kernel_size),
        _cubed(flat.stride),
        _cubed(flat.padding),
        _cubed(flat.dilation),
        flat.groups,
        flat.bias is not None,
        device=flat.weight.device,
    )
    with torch.no_grad():
        conv.weight.copy_(inflate_kernel(flat.weight, flat.kernel_size[0]))
        if flat.bias is not None and conv.bias is not None:
            conv.bias.copy_(flat.bias)
    return conv


def _agrees(flat: nn.Module, solid: nn.Module) -> bool:
    """Whether both give the same logits for an image that continues unchanged along depth for ever."""
    endless = endless_in_depth(copy.deepcopy(solid).eval())
    channels = next(m for m in flat.modules() if isinstance(m, nn.Conv2d)).in_channels
    image = torch.rand((1, channels, CHECK_VOXELS, CHECK_VOXELS), generator=torch.Generator().manual_seed(0))
    was_training = flat.training
    try:
        with torch.no_grad():
            expected, found = flat.eval()(image), endless(image.unsqueeze(2))
    except (RuntimeError, AssertionError, ValueError):  # a layer that counts dimensions
        return False
    finally:
        flat.train(was_training)
    return found.shape == expected.shape and bool((found - expected).abs().max() <= SAME_TO * expected.abs().max())


def endless_in_depth(solid: nn.Module) -> nn.Module:
    """`solid` changed in place so that its input continues along depth for ever, for inputs one voxel deep.

    Each convolution and pooling with a depth of k gets its one plane k times and pads nothing in depth, so that
    no border of the volume comes in: for an image constant along depth this is what happens in its interior.
    """
    for module in solid.modules():
        if not isinstance(module, nn.Conv3d | nn.MaxPool3d | nn.AvgPool3d):
            continue
        size, padding = _triple(module.kernel_size), _triple(module.padding)
        if size[0] > 1:
            module.register_forward_pre_hook(lambda _m, inputs, k=size[0]: (inputs[0].expand(-1, -1, k, -1, -1),))
        module.padding = (0, *padding[1:])
    return solid


def _triple(value: int | str | tuple[int, ...]) -> tuple[int, ...]:
    assert not isinstance(value, str)
    return (value,) * 3 if isinstance(value, int) else tuple(value)

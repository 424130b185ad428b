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

    def __init__(self, conv_2d: nn.Conv2d) -> None:
        super().__init__()
        k, p = conv_2d.kernel_size[0], conv_2d.padding[0]
        square = len({*conv_2d.kernel_size}) == len({*conv_2d.padding}) == len({*conv_2d.stride}) == 1
        if not square or isinstance(p, str) or 2 * p != k - 1 or conv_2d.groups != 1 or conv_2d.dilation != (1, 1):
            raise ConfigError(f"convolution: acs cannot take {conv_2d}; choose inflated, or another network")
        self.stride, self.padding = conv_2d.stride[0], int(p)
        self.weight, self.bias = conv_2d.weight, conv_2d.bias
        self.parts = tuple(conv_2d.out_channels // 3 + (axis < conv_2d.out_channels % 3) for axis in range(3))

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

    def __init__(self, norm_2d: BatchNormAct2d) -> None:
        super().__init__(norm_2d.num_features, norm_2d.eps, norm_2d.momentum, norm_2d.affine)
        self.load_state_dict(norm_2d.state_dict())
        self.act = norm_2d.act

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.act(super().forward(features))


class GlobalPool3D(nn.Module):
    """Global mean over a volume, flattened."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.mean((2, 3, 4))


def to_3d(net_2d: nn.Module, kind: str, name: str) -> nn.Module:
    """A copy of the 2D network `net_2d` for volumes, under the same names; `kind` is inflated or acs.

    An inflated kernel is the 2D one repeated along depth and divided by its depth, which is its height, as
    all of depth is treated as height. ConfigError where a layer has no 3D form, or where the network does more
    than apply its layers in order: the inflated one must give the 2D one's output on an image that is
    constant along depth.
    """
    kernels = (m.weight.numel() * m.kernel_size[0] for m in net_2d.modules() if isinstance(m, nn.Conv2d))
    if (weights := sum(kernels)) > LARGEST:
        raise ConfigError(f"{name} inflated would have {weights / 1e6:.0f} million weights; choose convolution: native")
    inflated = _converted(net_2d, acs=False, name=name)
    if next(net_2d.parameters()).device.type != "meta" and not _agrees(net_2d, inflated):
        raise ConfigError(
            f"{name} cannot be made 3D layer by layer; choose a ResNet or a DenseNet, or convolution: native"
        )
    return inflated if kind == "inflated" else _converted(net_2d, acs=True, name=name)


def inflate_kernel(weight: torch.Tensor, depth: int) -> torch.Tensor:
    """A 2D kernel ``(..., h, w)`` as ``(..., depth, h, w)`` that gives the same output where depth changes nothing."""
    return (weight / depth).unsqueeze(-3).repeat_interleave(depth, -3)


def _converted(net_2d: nn.Module, *, acs: bool, name: str) -> nn.Module:
    net_3d = copy.deepcopy(net_2d)
    for path, module in [*net_3d.named_modules()]:
        if path and (new := _layer_3d(module, acs=acs)) is not module:
            parent, _, leaf = path.rpartition(".")
            setattr(net_3d.get_submodule(parent), leaf, new)
    left = [f"{path} ({type(m).__name__})" for path, m in net_3d.named_modules() if type(m).__name__.endswith("2d")]
    if left:
        raise ConfigError(
            f"{name} cannot be made 3D: {left[0]} is a 2D layer; choose a ResNet or a DenseNet, or convolution: native"
        )
    return net_3d


def _layer_3d(module: nn.Module, *, acs: bool) -> nn.Module:
    """The 3D form of one layer; the layer itself where it is not 2D or no 3D form is known."""
    if type(module) is nn.Conv2d:
        return ACSConv3d(module) if acs and module.kernel_size != (1, 1) else _inflated_conv(module)
    if isinstance(module, nn.BatchNorm2d):
        return _norm_3d(module)
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return _pool_3d(module)
    if isinstance(module, SelectAdaptivePool2d) and module.pool_type == "avg":
        return GlobalPool3D()
    return nn.Identity() if isinstance(module, nn.Dropout2d) and module.p == 0 else module


def _norm_3d(module: nn.BatchNorm2d) -> nn.Module:
    if type(module) is nn.BatchNorm2d:
        norm = nn.BatchNorm3d(module.num_features, module.eps, module.momentum, module.affine)
        norm.load_state_dict(module.state_dict())
        return norm
    if type(module) is BatchNormAct2d and isinstance(module.drop, nn.Identity):
        return BatchNormAct3d(module)
    return module


def _pool_3d(module: nn.MaxPool2d | nn.AvgPool2d) -> nn.Module:
    size, stride, padding = _cubed(module.kernel_size), _cubed(module.stride), _cubed(module.padding)
    if type(module) is nn.MaxPool2d:
        return nn.MaxPool3d(size, stride, padding, ceil_mode=module.ceil_mode)
    if type(module) is nn.AvgPool2d:
        return nn.AvgPool3d(size, stride, padding, module.ceil_mode, module.count_include_pad)
    return module


def _cubed(size: int | tuple[int, ...]) -> tuple[int, int, int]:
    """``(h, w)`` -> ``(h, h, w)``: all of depth is treated as height is."""
    height, width = (size, size) if isinstance(size, int) else size
    return height, height, width


def _inflated_conv(conv_2d: nn.Conv2d) -> nn.Conv3d:
    if isinstance(conv_2d.padding, str):
        raise ConfigError(f"convolution: {conv_2d} pads by name; choose another network")
    conv = nn.Conv3d(
        conv_2d.in_channels,
        conv_2d.out_channels,
        _cubed(conv_2d.kernel_size),
        _cubed(conv_2d.stride),
        _cubed(conv_2d.padding),
        _cubed(conv_2d.dilation),
        conv_2d.groups,
        conv_2d.bias is not None,
        device=conv_2d.weight.device,
    )
    with torch.no_grad():
        conv.weight.copy_(inflate_kernel(conv_2d.weight, conv_2d.kernel_size[0]))
        if conv_2d.bias is not None and conv.bias is not None:
            conv.bias.copy_(conv_2d.bias)
    return conv


def _agrees(net_2d: nn.Module, net_3d: nn.Module) -> bool:
    """Whether both give the same logits for an image that continues unchanged along depth for ever."""
    endless = endless_in_depth(copy.deepcopy(net_3d).eval())
    channels = next(m for m in net_2d.modules() if isinstance(m, nn.Conv2d)).in_channels
    image = torch.rand((1, channels, CHECK_VOXELS, CHECK_VOXELS), generator=torch.Generator().manual_seed(0))
    was_training = net_2d.training
    try:
        with torch.no_grad():
            expected, found = net_2d.eval()(image), endless(image.unsqueeze(2))
    except (RuntimeError, AssertionError, ValueError):  # a layer that counts dimensions
        return False
    finally:
        net_2d.train(was_training)
    return found.shape == expected.shape and bool((found - expected).abs().max() <= SAME_TO * expected.abs().max())


def endless_in_depth(net_3d: nn.Module) -> nn.Module:
    """`net_3d` changed in place so that its input continues along depth for ever, for inputs one voxel deep.

    Each convolution and pooling with a depth of k gets its one plane k times and pads nothing in depth, so that
    no border of the volume comes in: for an image constant along depth this is what happens in its interior.
    """
    for module in net_3d.modules():
        if not isinstance(module, nn.Conv3d | nn.MaxPool3d | nn.AvgPool3d):
            continue
        size, padding = _triple(module.kernel_size), _triple(module.padding)
        if size[0] > 1:
            module.register_forward_pre_hook(lambda _m, inputs, k=size[0]: (inputs[0].expand(-1, -1, k, -1, -1),))
        module.padding = (0, *padding[1:])
    return net_3d


def _triple(value: int | str | tuple[int, ...]) -> tuple[int, ...]:
    assert not isinstance(value, str)
    return (value,) * 3 if isinstance(value, int) else tuple(value)

"""The first convolution of a 3D network, with a quicker gradient on CPUs."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.grad import conv3d_input, conv3d_weight

# Where folding pays on a CPU, measured by benchmarks/stem.py.
MOST_IN = 8
MOST_OUT = 32
SMALLEST_KERNEL = 7


class FoldedConv3d(nn.Conv3d):
    """An ordinary convolution of stride 2 whose weight's gradient is computed on folded images where that pays.

    oneDNN is poor at the gradient of a kernel on one or few channels. With every 2 x 2 x 2 voxels folded into 8
    channels, and the kernel padded to even size, the same sums are a convolution of stride 1 on 8 times as many
    channels. What comes forward, and the gradient of the images, are `nn.Conv3d`'s, bit by bit.
    """

    @classmethod
    def of(cls, conv: nn.Conv3d) -> "FoldedConv3d":
        """`conv` with the same parameters; no random number is drawn."""
        new = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]
            conv.stride,  # type: ignore[arg-type]
            conv.padding,  # type: ignore[arg-type]
            conv.dilation,  # type: ignore[arg-type]
            conv.groups,
            conv.bias is not None,
            conv.padding_mode,
            device="meta",
        )
        new.weight, new.bias = conv.weight, conv.bias
        return new.train(conv.training)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """``(N, C, D, H, W)`` -> ``(N, out, d, h, w)``."""
        if self._pays(images) and not isinstance(self.padding, str):
            return _FoldedGradient.apply(images, self.weight, self.bias, self.padding)
        return super().forward(images)

    def _pays(self, images: torch.Tensor) -> bool:
        if not (torch.is_grad_enabled() and self.weight.requires_grad and images.ndim == 5):
            return False
        if images.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return False
        return (
            self.stride == (2, 2, 2)
            and self.dilation == (1, 1, 1)
            and self.groups == 1
            and self.padding_mode == "zeros"
            and self.in_channels <= MOST_IN
            and self.out_channels <= MOST_OUT
            and min(self.kernel_size) >= SMALLEST_KERNEL
        )


def fold_stem(network: nn.Module) -> nn.Module:
    """`network` with its first convolution made a `FoldedConv3d`, in place; its parameters and their names stay."""
    path, first = next((p, m) for p, m in network.named_modules() if isinstance(m, nn.Conv3d))
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, FoldedConv3d.of(first))
    return network


def folded_weight_gradient(
    images: torch.Tensor, gradient: torch.Tensor, kernel: tuple[int, ...], padding: tuple[int, ...]
) -> torch.Tensor:
    """Gradient ``(out, C, *kernel)`` of the weight of a convolution of stride 2.

    `images` ``(N, C, D, H, W)`` went in, `gradient` ``(N, out, d, h, w)`` is that of what came out.
    """
    even = [k + k % 2 for k in kernel]
    sides: list[int] = []  # what the last output needs: more than the padding, or less (then it is negative)
    for axis in (2, 1, 0):
        needed = 2 * (gradient.shape[2 + axis] - 1) + even[axis]
        sides += [padding[axis], needed - padding[axis] - images.shape[2 + axis]]
    folded = _fold(functional.pad(images, sides))
    shape = (gradient.shape[1], folded.shape[1], *(k // 2 for k in even))
    weight = _unfold(conv3d_weight(folded, shape, gradient))
    return weight[:, :, : kernel[0], : kernel[1], : kernel[2]]


def _fold(volumes: torch.Tensor) -> torch.Tensor:
    """``(n, c, 2 d, 2 h, 2 w)`` -> ``(n, 8 c, d, h, w)``."""
    n, c, *sizes = volumes.shape
    d, h, w = (size // 2 for size in sizes)
    return volumes.reshape(n, c, d, 2, h, 2, w, 2).permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(n, 8 * c, d, h, w)


def _unfold(folded: torch.Tensor) -> torch.Tensor:
    """What `_fold` was given."""
    n, c, d, h, w = folded.shape
    volumes = folded.reshape(n, c // 8, 2, 2, 2, d, h, w).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return volumes.reshape(n, c // 8, 2 * d, 2 * h, 2 * w)


class _FoldedGradient(torch.autograd.Function):
    """A convolution of stride 2 that differs from torch's in how the weight's gradient is computed."""

    @staticmethod
    def forward(
        images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, padding: tuple[int, ...]
    ) -> torch.Tensor:
        return functional.conv3d(images, weight, bias, 2, padding)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        images, weight, _, ctx.padding = inputs
        ctx.save_for_backward(images, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        gradient = gradients[0]
        wanted = ctx.needs_input_grad
        return (
            conv3d_input(images.shape, weight, gradient, 2, ctx.padding) if wanted[0] else None,
            folded_weight_gradient(images, gradient, weight.shape[2:], ctx.padding) if wanted[1] else None,
            gradient.sum((0, 2, 3, 4)) if wanted[2] else None,
            None,
        )

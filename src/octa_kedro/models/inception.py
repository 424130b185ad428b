"""Inception v3 (Szegedy et al. 2016) with every convolution and pooling in three dimensions."""

from collections import OrderedDict
from functools import partial

import torch
from torch import nn

from octa_kedro.models.heads import TrainingOutput
from octa_kedro.models.modules import MeanPool3d, make_norm

AUXILIARY_INPUT, AUXILIARY_CELLS = 17, 5


def kernel_3d(size: int | tuple[int, int]) -> tuple[int, int, int]:
    """``(h, w)`` -> ``(h, h, w)``: depth is treated as height is, so that a 1 x 7 after a 7 x 1 covers 7 x 7 x 7."""
    height, width = (size, size) if isinstance(size, int) else size
    return height, height, width


class Conv(nn.Sequential):
    """Convolution without bias, norm, ReLU. `size` is the 2D network's kernel; `same` keeps the grid."""

    def __init__(
        self, channels: int, to: int, size: int | tuple[int, int], *, stride: int = 1, same: bool = True, norm: str
    ) -> None:
        kernel = kernel_3d(size)
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2) if same else 0
        conv = nn.Conv3d(channels, to, kernel, stride, padding, bias=False)
        super().__init__(OrderedDict(conv=conv, bn=make_norm(norm, to, eps=1e-3), act=nn.ReLU(inplace=True)))


class Branches(nn.ModuleDict):
    """Parallel paths whose channels are joined, in the order in which they are named."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return torch.cat([path(features) for path in self.values()], 1)


class Auxiliary(nn.Module):
    """The classifier on the 17 x 17 grid: mean-pool to 5, a 1 and a 5 convolution, global mean, linear.

    Grids smaller than 17 (inputs below 299) are brought to 5 cells an axis as well.
    """

    def __init__(self, channels: int, classes: int, conv: partial[Conv], widths: tuple[int, int]) -> None:
        super().__init__()
        self.pool = nn.AvgPool3d(5, stride=3)
        self.small_pool = nn.AdaptiveAvgPool3d(AUXILIARY_CELLS)
        self.conv0 = conv(channels, widths[0], 1)
        self.conv1 = conv(widths[0], widths[1], 5, same=False)
        self.mean = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(widths[1], classes)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        pool = self.pool if min(features.shape[2:]) >= AUXILIARY_INPUT else self.small_pool
        return self.fc(self.mean(self.conv1(self.conv0(pool(features)))).flatten(1))


class InceptionV3(nn.Module):
    """The 2D network's layers in its order, under its names; `width` multiplies all channels.

    Input ``(N, C, D, H, W)``, at least 75 voxels an axis, since neither the stem nor the reductions pad. With
    `auxiliary`, the output in training is a `TrainingOutput`.
    """

    stage_names = ("Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e", "Mixed_7c")

    def __init__(
        self,
        *,
        in_channels: int = 1,
        classes: int = 2,
        width: float = 1.0,
        norm: str = "batch",
        dropout: float = 0.0,
        auxiliary: bool = False,
    ) -> None:
        super().__init__()
        self._w = lambda channels: max(1, round(channels * width))
        self._conv = partial(Conv, norm=norm)
        w, conv = self._w, self._conv
        self.Conv2d_1a_3x3 = conv(in_channels, w(32), 3, stride=2, same=False)
        self.Conv2d_2a_3x3 = conv(w(32), w(32), 3, same=False)
        self.Conv2d_2b_3x3 = conv(w(32), w(64), 3)
        self.Pool1 = nn.MaxPool3d(3, stride=2)
        self.Conv2d_3b_1x1 = conv(w(64), w(80), 1)
        self.Conv2d_4a_3x3 = conv(w(80), w(192), 3, same=False)
        self.Pool2 = nn.MaxPool3d(3, stride=2)
        self.Mixed_5b, channels = self._block_a(w(192), 32)
        self.Mixed_5c, channels = self._block_a(channels, 64)
        self.Mixed_5d, channels = self._block_a(channels, 64)
        self.Mixed_6a, channels = self._reduction_b(channels)
        self.Mixed_6b, channels = self._block_c(channels, 128)
        self.Mixed_6c, channels = self._block_c(channels, 160)
        self.Mixed_6d, channels = self._block_c(channels, 160)
        self.Mixed_6e, channels = self._block_c(channels, 192)
        self.AuxLogits = Auxiliary(channels, classes, conv, (w(128), w(768))) if auxiliary else None
        self.Mixed_7a, channels = self._reduction_d(channels)
        self.Mixed_7b, channels = self._block_e(channels)
        self.Mixed_7c, channels = self._block_e(channels)
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, classes)
        del self._w, self._conv  # functions of the building only, which would not pickle
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: torch.Tensor) -> torch.Tensor | TrainingOutput:
        features = self.Pool1(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images))))
        features = self.Pool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(features)))
        features = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(features)))
        features = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(features)))
        middle = self.Mixed_6e(self.Mixed_6d(features))
        features = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(middle)))
        logits = self.fc(self.dropout(self.pool(features).flatten(1)))
        if self.training and self.AuxLogits is not None:
            return TrainingOutput(logits, (self.AuxLogits(middle),))
        return logits

    def _block_a(self, channels: int, pooled: int) -> tuple[Branches, int]:
        """1 x 1, 5 x 5, double 3 x 3, mean-pool."""
        w, conv = self._w, self._conv
        paths = Branches(
            {
                "one": conv(channels, w(64), 1),
                "five": nn.Sequential(conv(channels, w(48), 1), conv(w(48), w(64), 5)),
                "three": nn.Sequential(conv(channels, w(64), 1), conv(w(64), w(96), 3), conv(w(96), w(96), 3)),
                "pool": nn.Sequential(MeanPool3d(3, 1, 1), conv(channels, w(pooled), 1)),
            }
        )
        return paths, w(64) + w(64) + w(96) + w(pooled)

    def _reduction_b(self, channels: int) -> tuple[Branches, int]:
        """Halves the grid: strided 3 x 3, double 3 x 3, max-pool."""
        w, conv = self._w, self._conv
        double = [conv(channels, w(64), 1), conv(w(64), w(96), 3), conv(w(96), w(96), 3, stride=2, same=False)]
        paths = Branches(
            {
                "three": conv(channels, w(384), 3, stride=2, same=False),
                "twice": nn.Sequential(*double),
                "pool": nn.MaxPool3d(3, stride=2),
            }
        )
        return paths, w(384) + w(96) + channels

    def _block_c(self, channels: int, inner: int) -> tuple[Branches, int]:
        """1 x 1, factorised 7 x 7, double factorised 7 x 7, mean-pool."""
        w, conv, c, out = self._w, self._conv, self._w(inner), self._w(192)
        row, column = (1, 7), (7, 1)
        double = [conv(channels, c, 1), conv(c, c, column), conv(c, c, row), conv(c, c, column), conv(c, out, row)]
        paths = Branches(
            {
                "one": conv(channels, out, 1),
                "seven": nn.Sequential(conv(channels, c, 1), conv(c, c, row), conv(c, out, column)),
                "twice": nn.Sequential(*double),
                "pool": nn.Sequential(MeanPool3d(3, 1, 1), conv(channels, out, 1)),
            }
        )
        return paths, 4 * w(192)

    def _reduction_d(self, channels: int) -> tuple[Branches, int]:
        """Halves the grid: strided 3 x 3, factorised 7 x 7 and strided 3 x 3, max-pool."""
        w, conv, c = self._w, self._conv, self._w(192)
        seven = [conv(channels, c, 1), conv(c, c, (1, 7)), conv(c, c, (7, 1)), conv(c, c, 3, stride=2, same=False)]
        three = nn.Sequential(conv(channels, c, 1), conv(c, w(320), 3, stride=2, same=False))
        paths = Branches({"three": three, "seven": nn.Sequential(*seven), "pool": nn.MaxPool3d(3, stride=2)})
        return paths, w(320) + c + channels

    def _block_e(self, channels: int) -> tuple[Branches, int]:
        """1 x 1, 3 x 3 split into a row and a column, the same after another 3 x 3, mean-pool."""
        w, conv, c = self._w, self._conv, self._w(384)
        split = [Branches({"row": conv(c, c, (1, 3)), "column": conv(c, c, (3, 1))}) for _ in range(2)]
        paths = Branches(
            {
                "one": conv(channels, w(320), 1),
                "three": nn.Sequential(conv(channels, c, 1), split[0]),
                "twice": nn.Sequential(conv(channels, w(448), 1), conv(w(448), c, 3), split[1]),
                "pool": nn.Sequential(MeanPool3d(3, 1, 1), conv(channels, w(192), 1)),
            }
        )
        return paths, w(320) + 4 * c + w(192)

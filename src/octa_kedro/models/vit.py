"""A Vision Transformer (Dosovitskiy et al. 2021) on cubes of voxels: timm's, with its 2D parts replaced."""

from typing import Any

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn import functional

BASE_VOXELS = 96  # the position embedding is learnt on the grid of a cube of this size, and resized for others
SIZES = {"vit_b16": (16, 12), "vit_b32": (32, 12), "vit_s16": (16, 6)}  # patch, heads
DEPTH = 12
HEAD_WIDTH = 64


class PatchEmbed3D(nn.Module):
    """Non-overlapping cubes -> tokens ``(N, d, h, w, channels)``; undivided sizes get zeros at the end."""

    def __init__(self, *, patch_size: int, in_chans: int, embed_dim: int, bias: bool = True, **_: Any) -> None:
        super().__init__()
        self.patch_size = (patch_size,) * 3
        self.grid_size = (BASE_VOXELS // patch_size,) * 3
        self.num_patches = self.grid_size[0] ** 3
        self.proj = nn.Conv3d(in_chans, embed_dim, patch_size, stride=patch_size, bias=bias)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        missing = [-n % p for n, p in zip(images.shape[2:], self.patch_size, strict=True)]
        if any(missing):
            images = functional.pad(images, [n for m in reversed(missing) for n in (0, m)])
        return self.proj(images).movedim(1, -1)


class VisionTransformer3D(VisionTransformer):
    """timm's blocks, names and order; input ``(N, C, D, H, W)`` of any size.

    `cells` passes on what enters the last block, as ``(N, channels, d, h, w)``, for whoever looks there with a
    hook: after it only the class token reaches the logits.
    """

    stage_names = ("cells",)

    def __init__(self, name: str, *, in_channels: int, classes: int, width: float, dropout: float) -> None:
        patch, heads = SIZES[name]
        super().__init__(
            patch_size=patch,
            in_chans=in_channels,
            num_classes=classes,
            embed_dim=heads * max(1, round(HEAD_WIDTH * width)),
            depth=DEPTH,
            num_heads=heads,
            drop_rate=dropout,
            embed_layer=PatchEmbed3D,
        )
        self.cells = nn.Identity()

    def forward_features(self, images: torch.Tensor, **_: Any) -> torch.Tensor:
        patches = self.patch_embed(images)
        grid = patches.shape[1:4]
        tokens = self.blocks[:-1](self._place(patches))
        cells = self.cells(tokens[:, 1:].movedim(1, -1).unflatten(-1, grid))
        return self.norm(self.blocks[-1](torch.cat([tokens[:, :1], cells.flatten(2).movedim(-1, 1)], 1)))

    def _place(self, patches: torch.Tensor) -> torch.Tensor:
        """Tokens ``(N, 1 + d h w, channels)``: the class token, then the patches with their positions added."""
        positions = resize_positions(self.pos_embed, self.patch_embed.grid_size, patches.shape[1:4])
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches.flatten(1, 3)], 1)
        return self.pos_drop(tokens + positions)


def resize_positions(positions: torch.Tensor, grid: tuple[int, ...], to: tuple[int, ...] | torch.Size) -> torch.Tensor:
    """Position embeddings ``(1, 1 + cells of grid, channels)`` linearly interpolated to another 2D or 3D grid."""
    if tuple(grid) == tuple(to):
        return positions
    cells = positions[:, 1:].movedim(1, -1).unflatten(-1, tuple(grid))
    mode = "trilinear" if len(grid) == 3 else "bilinear"
    resized = functional.interpolate(cells, tuple(to), mode=mode, align_corners=False)
    return torch.cat([positions[:, :1], resized.flatten(2).movedim(-1, 1)], 1)

"""Random changes of training images. Validation and test images never pass through here."""

import math
from dataclasses import dataclass

import torch
from monai.data import MetaTensor
from monai.transforms import AdjustContrast, Rotate

from octa_kedro.training.data.config import AugmentationConfig

X, Y, DEPTH = -1, -2, -3  # axes of an image (C, [D,] H, W)


@dataclass
class Augmenter:
    """Applies an AugmentationConfig to batches ``(N, C, [D,] H, W)`` with a random stream of its own.

    Every image is changed by itself and none in place. What is switched off draws nothing from the stream, so
    that a new kind of change leaves the draws of the others as they were.
    """

    config: AugmentationConfig
    stream: torch.Generator

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return torch.stack([self._one(image) for image in images])

    def _one(self, image: torch.Tensor) -> torch.Tensor:
        for change in (self._flip, self._shift, self._rotate, self._move_lines, self._grey_levels):
            image = change(image)
        return image

    def _flip(self, image: torch.Tensor) -> torch.Tensor:
        if not self.config.flip:
            return image
        allowed = ((X, self.config.flip_x), (Y, self.config.flip_y))
        axes = [axis for axis, on in allowed if on and self._uniform() < 0.5]
        return image.flip(axes) if axes else image

    def _shift(self, image: torch.Tensor) -> torch.Tensor:
        depth = self.config.depth_shift if image.ndim == 4 else 0.0
        for axis, share in ((X, self.config.shift), (Y, self.config.shift), (DEPTH, depth)):
            if share:
                image = shift(image, axis, round(self._around_zero(share) * image.shape[axis]))
        return image

    def _rotate(self, image: torch.Tensor) -> torch.Tensor:
        if not self.config.rotation:
            return image
        return rotate(image, self._around_zero(self.config.rotation))

    def _move_lines(self, image: torch.Tensor) -> torch.Tensor:
        if not self.config.motion_lines:
            return image
        image = image.clone()
        for _ in range(self._below(self.config.motion_lines + 1)):
            line = image[..., self._below(image.shape[Y]), :]  # a view: what is written to it is in the image
            if self._uniform() < 0.5:
                line.mul_(1 + self.config.motion_gain * self._uniform()).clamp_(0, 1)
            else:
                line.copy_(shift(line, X, round(self._around_zero(self.config.motion_shift) * line.shape[X])))
        return image

    def _grey_levels(self, image: torch.Tensor) -> torch.Tensor:
        config = self.config
        if config.gamma:
            image = plain(AdjustContrast((1 + config.gamma) ** self._around_zero(1))(image))
        if config.brightness:
            image = image * (1 + self._around_zero(config.brightness))
        if config.offset:
            image = image + self._around_zero(config.offset)
        if config.noise:
            image = image + config.noise * self._normal(image)
        return image.clamp(0, 1) if config.brightness or config.offset or config.noise else image

    def _normal(self, like: torch.Tensor) -> torch.Tensor:
        """Standard normal numbers of a shape, drawn where that tensor lies: a GPU has streams of its own."""
        stream = self.stream
        if like.device.type != "cpu":
            stream = torch.Generator(like.device).manual_seed(self._below(2**62))
        return torch.randn(like.shape, generator=stream, device=like.device)

    def _uniform(self) -> float:
        return float(torch.rand((), generator=self.stream))

    def _around_zero(self, amplitude: float) -> float:
        return amplitude * (2 * self._uniform() - 1)

    def _below(self, n: int) -> int:
        return int(torch.randint(n, (), generator=self.stream))


def shift(image: torch.Tensor, axis: int, move: int) -> torch.Tensor:
    """Moved by whole voxels along one axis; what comes in is a mirror image of the border."""
    size = image.shape[axis]
    index = (torch.arange(size) - move).abs()
    index = torch.where(index >= size, 2 * (size - 1) - index, index)
    return image.index_select(axis, index.to(image.device))


def rotate(image: torch.Tensor, degrees: float) -> torch.Tensor:
    """``(C, [D,] H, W)`` turned about the middle of every en-face plane, from y to x; the border is repeated
    outwards. Depths are turned as channels of one plane, which costs less than turning a volume."""
    planes = image.reshape(-1, *image.shape[-2:])
    turn = Rotate(math.radians(degrees), keep_size=True, mode="bilinear", padding_mode="border")
    return plain(turn(planes)).reshape(image.shape)


def plain(image: torch.Tensor) -> torch.Tensor:
    """A tensor without the record of changes that MONAI adds to it."""
    return image.as_tensor() if isinstance(image, MetaTensor) else image

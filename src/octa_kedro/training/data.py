"""Stored eyes as batches of tensors, and their augmentation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset

from octa_kedro.errors import DataError
from octa_kedro.io.store import Stored
from octa_kedro.models.axes import to_tensor
from octa_kedro.training.config import AugmentationConfig, OptimiserConfig
from octa_kedro.training.seeding import generator

CACHE_BYTES = 2 << 30  # images are kept in memory up to this size in all, and read from disk beyond it


class EyeDataset(Dataset[tuple[torch.Tensor, int]]):
    """Images and targets of `subjects`; see `models.axes.to_tensor` for shapes.

    DataError names subjects without an image before anything is trained.
    """

    def __init__(
        self,
        images: Mapping[str, Stored],
        subjects: Sequence[str],
        targets: Sequence[int] | None = None,
        *,
        slabs: tuple[str, ...] = (),
    ) -> None:
        if missing := [s for s in subjects if s not in images]:
            raise DataError(
                f"subject {', '.join(missing[:5])}: in the splits but without a processed image; run "
                "kedro run --pipeline data_processing"
            )
        self.images, self.subjects, self.slabs = images, list(subjects), slabs
        self.targets = list(targets) if targets is not None else [0] * len(self.subjects)
        self._cache: dict[int, torch.Tensor] = {}

    def __len__(self) -> int:
        return len(self.subjects)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = self._cache.get(index)
        if image is None:
            image = to_tensor(self.images[self.subjects[index]](), self.slabs)
            if image.nbytes * len(self) <= CACHE_BYTES:
                self._cache[index] = image
        return image, self.targets[index]


def loader(dataset: EyeDataset, config: OptimiserConfig, *, shuffle_seed: Sequence[str | int] | None) -> DataLoader:
    """Batches in order, or shuffled by a stream of their own named by `shuffle_seed`."""
    shuffled = shuffle_seed is not None
    return DataLoader(
        dataset,
        batch_size=config.batch_size,
        shuffle=shuffled,
        generator=generator(config.seed, *shuffle_seed) if shuffle_seed is not None else None,
        num_workers=config.workers,
        persistent_workers=config.workers > 0,
        # A last batch of one has no variance for batch normalisation to divide by.
        drop_last=shuffled and len(dataset) > config.batch_size and len(dataset) % config.batch_size == 1,
    )


@dataclass
class Augmenter:
    """Applies an AugmentationConfig to batches ``(N, C, [D,] H, W)`` with a random stream of its own."""

    config: AugmentationConfig
    stream: torch.Generator

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return torch.stack([self._one(image) for image in images])

    def _one(self, image: torch.Tensor) -> torch.Tensor:
        if self.config.flip:
            axes = [axis for axis in (-1, -2) if self._uniform() < 0.5]
            image = image.flip(axes) if axes else image
        depth = self.config.depth_shift if image.ndim == 4 else 0.0
        for axis, share in ((-1, self.config.shift), (-2, self.config.shift), (-3, depth)):
            if share:
                image = _shift(image, axis, round((2 * self._uniform() - 1) * share * image.shape[axis]))
        if self.config.brightness:
            image = (image * (1 + self.config.brightness * (2 * self._uniform() - 1))).clamp(0, 1)
        return image

    def _uniform(self) -> float:
        return float(torch.rand((), generator=self.stream))


def _shift(image: torch.Tensor, axis: int, move: int) -> torch.Tensor:
    """Moved by whole voxels along one axis; what comes in is a mirror image of the border."""
    size = image.shape[axis]
    index = (torch.arange(size) - move).abs()
    index = torch.where(index >= size, 2 * (size - 1) - index, index)
    return image.index_select(axis, index.to(image.device))

"""Stored eyes, or patches of them, as batches of tensors."""

from collections.abc import Mapping, Sequence

import torch
from torch.utils.data import DataLoader, Dataset

from octa_kedro.errors import DataError
from octa_kedro.io.store import Stored
from octa_kedro.models.axes import to_tensor
from octa_kedro.preprocessing.patches import PatchConfig
from octa_kedro.training.config import OptimiserConfig
from octa_kedro.training.patches import cut_patches
from octa_kedro.training.seeding import generator

CACHE_BYTES = 2 << 30  # images are kept in memory up to this size in all, and read from disk beyond it


class EyeDataset(Dataset[tuple[torch.Tensor, int]]):
    """Images and targets of `subjects`; see `models.axes.to_tensor` for shapes.

    With `patches` each eye is `per_eye` images in a row, one per patch, all with its target. DataError names
    subjects without an image before anything is trained.
    """

    def __init__(
        self,
        images: Mapping[str, Stored],
        subjects: Sequence[str],
        targets: Sequence[int] | None = None,
        *,
        slabs: tuple[str, ...] = (),
        patches: PatchConfig | None = None,
    ) -> None:
        if missing := [s for s in subjects if s not in images]:
            raise DataError(
                f"subject {', '.join(missing[:5])}: in the splits but without a processed image; run "
                "kedro run --pipeline data_processing"
            )
        self.images, self.subjects, self.slabs = images, list(subjects), slabs
        self.targets = list(targets) if targets is not None else [0] * len(self.subjects)
        self.patches = patches
        self.per_eye = patches.n**2 if patches is not None else 1
        self._cache: dict[int, tuple[torch.Tensor, ...]] = {}

    def __len__(self) -> int:
        return len(self.subjects) * self.per_eye

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        eye, patch = divmod(index, self.per_eye)
        return self._eye(eye)[patch], self.targets[eye]

    def _eye(self, index: int) -> tuple[torch.Tensor, ...]:
        tensors = self._cache.get(index)
        if tensors is None:
            item = self.images[self.subjects[index]]()
            items = (item,) if self.patches is None else cut_patches(item, self.slabs, self.patches)
            tensors = tuple(to_tensor(one, self.slabs) for one in items)
            if sum(tensor.nbytes for tensor in tensors) * len(self.subjects) <= CACHE_BYTES:
                self._cache[index] = tensors
        return tensors


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

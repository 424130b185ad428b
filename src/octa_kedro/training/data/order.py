"""In which order images are learnt from: a pure function of seed, purpose and epoch, so there is no state to keep."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch

from octa_kedro.training.data.config import Sampling
from octa_kedro.training.engine.seeding import generator


@dataclass(frozen=True)
class EpochOrder:
    """Deals `targets`' indices into batches of `size`, anew in every epoch.

    `sampling`: ``shuffled`` shows every image once; ``balanced`` draws as many with replacement, each class equally
    often on average. Batches are the same for any number of devices; each of `devices` takes every
    `devices`-th image of a batch. Where the last batch would not be full, all are made as large as each other, give or
    take one image: the batch statistics of a few images are noisy. A single image has no variance at all, so where that
    would leave a batch with fewer than two images a device, batches are full and such a last one is left out.
    """

    targets: tuple[int, ...]
    size: int
    seed: int
    purpose: tuple[str | int, ...]
    sampling: Sampling = "shuffled"
    devices: int = 1
    _known: dict[int, list[list[int]]] = field(default_factory=dict, compare=False, repr=False)

    def batches(self, epoch: int) -> list[list[int]]:
        """The indices of every batch of an epoch."""
        if epoch not in self._known:
            self._known.clear()
            self._known[epoch] = self._dealt(self._drawn(epoch))
        return self._known[epoch]

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._dealt(range(len(self.targets))))

    def _drawn(self, epoch: int) -> list[int]:
        stream, n = generator(self.seed, *self.purpose, "order", epoch), len(self.targets)
        if self.sampling == "shuffled":
            return torch.randperm(n, generator=stream).tolist()
        targets = torch.tensor(self.targets)
        shares = 1 / torch.bincount(targets).double()
        return torch.multinomial(shares[targets], n, replacement=True, generator=stream).tolist()

    def _dealt(self, indices: Sequence[int]) -> list[list[int]]:
        number = len(indices)
        count = math.ceil(number / self.size)
        if number >= count * 2 * self.devices:
            starts = [math.ceil(number * index / count) for index in range(count)]
        else:
            starts = [*range(0, number, self.size)]
        batches = [list(indices[start:end]) for start, end in pairwise([*starts, number])]
        if len(batches) > 1 and len(batches[-1]) < 2 * self.devices:
            del batches[-1]
        return batches


class DeviceBatches:
    """What one device takes of every batch: a batch sampler for a DataLoader."""

    def __init__(self, order: EpochOrder, rank: int) -> None:
        self.order, self.rank, self.epoch = order, rank, 1

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.order.batches(self.epoch):
            yield batch[self.rank :: self.order.devices]

    def __len__(self) -> int:
        return len(self.order)

"""Stored eyes, or patches of them, as batches of tensors."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakSet

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from octa_kedro.errors import DataError
from octa_kedro.io.workers import ignore_interrupts
from octa_kedro.models.axes import to_stored_axes, to_tensor
from octa_kedro.preprocessing.patch_config import PatchConfig
from octa_kedro.results.stored import Stored
from octa_kedro.training.data.patches import cut_patches


@dataclass(frozen=True)
class Image:
    """One image ``(C, [D,] H, W)`` as it is stored: a value is ``array * slope + intercept``."""

    array: NDArray
    slope: float
    intercept: float
    target: int


@dataclass(frozen=True)
class Batch:
    """Images as they are stored ``(N, C, [D,] H, W)``, a slope and an intercept for each, and targets ``(N,)``."""

    stored: torch.Tensor
    slopes: torch.Tensor
    intercepts: torch.Tensor
    targets: torch.Tensor

    def images(self, device: torch.device) -> torch.Tensor:
        """The values, float32, made on `device`: the stored integers are transferred, which are half as many bytes."""
        shape = (-1, *[1] * (self.stored.ndim - 1))
        values = self.stored.to(device, non_blocking=True).to(torch.float32)
        values.mul_(self.slopes.to(device).view(shape))
        return values.add_(self.intercepts.to(device).view(shape)) if self.intercepts.any() else values

    def pin_memory(self) -> "Batch":
        """The same in page-locked memory, from which a GPU reads by itself."""
        return Batch(*(tensor.pin_memory() for tensor in (self.stored, self.slopes, self.intercepts, self.targets)))


class EyeDataset(Dataset[Image]):
    """Images and targets of `subjects`; see `models.axes` for shapes.

    Images stay in their files, which are mapped into memory: a batch copies from the system's cache of them what it
    needs, and no image is held by this process. With `patches` each eye is `per_eye` images in a row, one per patch,
    all with its target; these are cut once and kept, being maps. DataError names subjects without an image before
    anything is trained.
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
                "kedro run --pipelines data_processing"
            )
        self.images, self.subjects, self.slabs = {s: images[s] for s in subjects}, list(subjects), slabs
        self.targets = list(targets) if targets is not None else [0] * len(self.subjects)
        self.patches = patches
        self.per_eye = patches.n**2 if patches is not None else 1
        self._cut: dict[int, list[NDArray]] = {}

    def __len__(self) -> int:
        return len(self.subjects) * self.per_eye

    def __getitem__(self, index: int) -> Image:
        eye, patch = divmod(index, self.per_eye)
        if self.patches is not None:
            return Image(self._pieces(eye)[patch], 1.0, 0.0, self.targets[eye])
        stored = self.images[self.subjects[eye]]
        array, slope, intercept = stored.mapped()
        return Image(to_stored_axes(array, stored.meta.get("names"), self.slabs), slope, intercept, self.targets[eye])

    def image_targets(self) -> tuple[int, ...]:
        """The target of every image, in order."""
        return tuple(target for target in self.targets for _ in range(self.per_eye))

    def subject_of(self, index: int) -> str:
        """Whose image that is."""
        return self.subjects[index // self.per_eye]

    def _pieces(self, eye: int) -> list[NDArray]:
        if eye not in self._cut:
            assert self.patches is not None
            stack = self.images[self.subjects[eye]]()
            cut = cut_patches(stack, self.slabs, self.patches)
            self._cut[eye] = [to_tensor(piece, self.slabs).numpy() for piece in cut]
        return self._cut[eye]


def gather(images: Sequence[Image]) -> Batch:
    """Images as one batch; of different stored types all become float32."""
    same = len({image.array.dtype for image in images}) == 1
    arrays = [image.array if same else image.array.astype(np.float32) for image in images]
    stored = np.stack(arrays)
    if stored.dtype.byteorder == ">":
        stored = stored.astype(stored.dtype.newbyteorder("="))
    numbers = ([image.slope for image in images], [image.intercept for image in images])
    slopes, intercepts = (torch.tensor(values, dtype=torch.float32) for values in numbers)
    return Batch(torch.from_numpy(stored), slopes, intercepts, torch.tensor([image.target for image in images]))


def loader(
    dataset: EyeDataset,
    batches: Sampler[list[int]] | Iterable[list[int]],
    *,
    workers: int = 0,
    device: torch.device | None = None,
) -> DataLoader:
    """`batches` (lists of indices) of `dataset`, read ahead by `workers` processes; see `ending_workers`."""
    reader = DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=gather,
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=ignore_interrupts if workers else None,
        pin_memory=device is not None and device.type == "cuda",
        generator=torch.Generator(),  # of its own: the global stream belongs to dropout
    )
    _readers.add(reader)
    return reader


_readers: WeakSet[DataLoader] = WeakSet()


@contextmanager
def ending_workers() -> Iterator[None]:
    """Put around a training: the worker processes that loaders keep between epochs end with it.

    Left to themselves they live as long as anything refers to a loader, mostly until the interpreter ends them by a
    signal, which torch reports as a failure.
    """
    interrupted = False
    try:
        yield
    except KeyboardInterrupt:  # which ends all processes at once
        interrupted = True
        raise
    finally:
        for reader in [] if interrupted else [*_readers]:
            if (kept := reader._iterator) is not None:
                reader._iterator = None
                if hasattr(kept, "_shutdown_workers"):
                    kept._shutdown_workers()


def in_order(n: int, size: int) -> list[list[int]]:
    """Indices 0 .. n - 1 in batches of `size`, for prediction."""
    return [list(range(start, min(start + size, n))) for start in range(0, n, size)]

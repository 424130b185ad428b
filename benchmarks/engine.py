"""What the engine costs beside bare PyTorch, and the default network beside the original's.

    python benchmarks/engine.py step      [--shape 96 64 64] [--images 12] [--repeats 5]
    python benchmarks/engine.py stems     [--shape 192 256 192] [--repeats 2]
    python benchmarks/engine.py memory    --work FOLDER [--volumes 500] [--shape 192 256 192]
    python benchmarks/engine.py gpu       [--shape 192 256 192] [--batch 8]

Shapes are (depth, y, x) voxels. What is compared runs in turns in one process; figures are medians of ratios.

step    an epoch of our trainer, which reads volumes from disk and augments them, against a bare loop over tensors that
        lie in memory, for 3D ResNet-18 with the strides of the original's stem; and reading alone against the step.
stems   seconds a volume of the default network (its stem strides in all directions) and of the original's.
memory  growth of this process's private memory over 50 volumes of a data set that lies on disk; makes the files.
gpu     volumes per second and share of peak, bf16 against fp32; needs a CUDA device.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from octa_kedro.io.hashing import sha256_of
from octa_kedro.io.nifti import write_nifti
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.results.stored import Stored
from octa_kedro.training.config import TrainingConfig
from octa_kedro.training.data.dataset import EyeDataset, in_order, loader
from octa_kedro.training.engine.devices import make_fabric
from octa_kedro.training.engine.losses import make_loss
from octa_kedro.training.engine.metrics import memory_gib
from octa_kedro.training.engine.objective import Classification
from octa_kedro.training.engine.trainer import Trainer, make_trainer

# Augmentation as in conf/base.
AUGMENTATION = {"flip": True, "shift": 0.08, "depth_shift": 0.04, "brightness": 0.2}
ORIGINAL_STEM = (1, 2, 2)  # z, y, x
PEAK_TFLOPS = {"fp32": 67.0, "bf16": 989.0}  # of an H100 SXM, dense, as its maker states them


def volumes(folder: Path, shape: tuple[int, int, int], count: int, files: int | None = None) -> dict[str, Stored]:
    """`count` volumes of noise on disk, as processed volumes are stored; with `files` fewer files under more names."""
    rng, stored = np.random.default_rng(0), []
    for number in range(files or count):
        path = folder / f"{number:03d}.nii"
        if not path.is_file():
            array = rng.integers(0, 65536, shape[::-1], dtype=np.uint16).astype(np.float32) / 65535
            write_nifti(path, array, np.eye(4), unit=True)
        stored.append(Stored(path, sha256_of(path), {"laterality": "OD", "source": path.name, "modality": "OCTA"}))
    return {f"s{i:03d}": stored[i % len(stored)] for i in range(count)}


def config_of(model: Mapping[str, Any], batch: int, **values: Any) -> TrainingConfig:
    """A training of that network with the default's optimiser and augmentation."""
    given = {"model": dict(model), "batch_size": batch, "augmentation": AUGMENTATION} | values
    return TrainingConfig.model_validate(given)


def trainer_of(config: TrainingConfig, data: EyeDataset) -> Trainer:
    """A trainer with a fresh network."""
    torch.manual_seed(0)
    objective = Classification(make_loss(config.loss, data.targets, 2))
    return make_trainer(
        make_fabric(config), build_model(config.model), objective, data=data, config=config, purpose=("benchmark", 1)
    )


def seconds_of(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def in_turns(repeats: int, *works: Callable[[], object]) -> list[list[float]]:
    """Seconds of each of `works`, in turns, after one turn that does not count."""
    turns = [[seconds_of(work) for work in works] for _ in range(repeats + 1)][1:]
    return [list(times) for times in zip(*turns, strict=True)]


def bare_epoch(trainer: Trainer, images: list[torch.Tensor], targets: list[torch.Tensor]) -> Callable[[], None]:
    """The loop that a PyTorch tutorial would write, over batches in memory, for the same kind of network."""
    model = build_model(trainer.config.model)  # type: ignore[attr-defined]
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def epoch() -> None:
        model.train()
        for image, target in zip(images, targets, strict=True):
            optimiser.zero_grad()
            cross_entropy(model(image), target).backward()
            optimiser.step()

    return epoch


def compare_steps(shape: tuple[int, int, int], count: int, repeats: int) -> None:
    """Our epoch against the bare loop, and reading against our epoch."""
    with tempfile.TemporaryDirectory() as folder:
        stored = volumes(Path(folder), shape, count)
        data = EyeDataset(stored, list(stored), [i % 2 for i in range(count)])
        config = config_of({"name": "resnet18", "stem_stride": ORIGINAL_STEM}, 4)
        ours = trainer_of(config, data)
        batches = [batch.images(torch.device("cpu")) for batch in ours.batches]
        targets = [torch.tensor([i % 2 for i in range(len(batch))]) for batch in batches]
        bare = bare_epoch(ours, batches, targets)

        def read() -> None:
            for batch in ours.batches:
                batch.images(torch.device("cpu"))

        mine, plain, reading = in_turns(repeats, lambda: ours.epoch(1), bare, read)
        ratios = [a / b for a, b in zip(mine, plain, strict=True)]
        print(f"ResNet-18, strides of the original's stem, {count} volumes of {shape}, batch 4")
        print(f"  ours {statistics.median(mine) / count:.3f} s a volume, bare {statistics.median(plain) / count:.3f}")
        print(f"  ours / bare: {statistics.median(ratios):.3f} (each turn: {', '.join(f'{r:.3f}' for r in ratios)})")
        print(f"  step / reading alone: {statistics.median(a / b for a, b in zip(mine, reading, strict=True)):.1f}")


def compare_stems(shape: tuple[int, int, int], repeats: int) -> None:
    """Forward, backward and step of one volume in the default network and in the original's."""
    networks = {
        "default": {"name": "resnet18"},
        "original": {"name": "resnet18", "stem_stride": ORIGINAL_STEM},
    }
    works = []
    for values in networks.values():
        model = build_model(ModelConfig.model_validate(values))
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
        images, target = torch.rand(1, 1, *shape), torch.tensor([1])

        def step(model: Any = model, optimiser: Any = optimiser, images: Any = images, target: Any = target) -> None:
            optimiser.zero_grad()
            cross_entropy(model(images), target).backward()
            optimiser.step()

        works.append(step)
    ours, original = in_turns(repeats, *works)
    ratios = [b / a for a, b in zip(ours, original, strict=True)]
    print(
        f"one volume of {shape}: default {statistics.median(ours):.2f} s, original's {statistics.median(original):.2f}"
    )
    print(f"  original / default: {statistics.median(ratios):.2f}")


def measure_memory(work: Path, shape: tuple[int, int, int], count: int) -> None:
    """Private memory while 50 volumes pass through a data set of `count`."""
    work.mkdir(parents=True, exist_ok=True)
    stored = volumes(work, shape, count)
    data = EyeDataset(stored, list(stored), [i % 2 for i in range(count)])
    batches = iter(loader(data, in_order(count, 1)))
    for _ in range(2):
        next(batches).images(torch.device("cpu"))
    before = memory_gib(torch.device("cpu"))
    for _ in range(50):
        next(batches).images(torch.device("cpu"))
    after = memory_gib(torch.device("cpu"))
    print(f"{count} volumes of {shape} on disk: private memory {before:.3f} GiB after 2 volumes, {after:.3f} after 52")
    print(f"  growth {100 * (after / before - 1):.1f} %")


def measure_gpu(shape: tuple[int, int, int], batch: int) -> None:
    """Volumes per second of the default network at full width, in both precisions."""
    with tempfile.TemporaryDirectory() as folder:
        stored = volumes(Path(folder), shape, 8 * batch, files=batch)
        data = EyeDataset(stored, list(stored), [i % 2 for i in range(8 * batch)])
        for precision in ("fp32", "bf16"):
            ours = trainer_of(
                config_of({"name": "resnet18"}, batch, precision=precision, device="cuda", workers=4), data
            )
            with FlopCounterMode(display=False) as counter:
                ours.epoch(1)
            (times,) = in_turns(3, lambda ours=ours: ours.epoch(1))
            rate = len(data) / statistics.median(times)
            share = counter.get_total_flops() / len(data) * rate / (PEAK_TFLOPS[precision] * 1e12)
            print(
                f"{torch.cuda.get_device_name()}, {precision}, batch {batch}: {rate:.1f} volumes/s, "
                f"{100 * share:.0f} % of peak"
            )


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("step", "stems", "memory", "gpu"))
    parser.add_argument("--shape", type=int, nargs=3)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--volumes", type=int, default=500)
    parser.add_argument("--batch", type=int, default=8)
    given = parser.parse_args()
    full, shape = (192, 256, 192), tuple(given.shape) if given.shape else None
    if given.what == "step":
        compare_steps(shape or (96, 64, 64), given.images, given.repeats or 5)
    elif given.what == "stems":
        compare_stems(shape or full, given.repeats or 2)
    elif given.what == "memory":
        measure_memory(given.work, shape or full, given.volumes)
    else:
        measure_gpu(shape or full, given.batch)


if __name__ == "__main__":
    main()

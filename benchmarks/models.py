"""Every network of the model table: parameters, peak memory and the time of a training step, for docs/models.md.

    nice python benchmarks/models.py [--only resnet18 vgg16] [--dims 3] > docs/models.md

One step is forward, cross-entropy, backward and SGD, in float32 on one CPU thread, on a batch of random images. Each
network runs in a process of its own, forked after the imports; memory is what its peak adds to them. Time is the
quicker of two steps (the only one, where it takes longer than half a minute), divided by that of ResNet-18 measured
right after it in the same process, so that what else the machine does weighs less.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.models.heads import loss_with_auxiliary
from octa_kedro.models.names import NETWORKS_3D, TIMM_NAMES
from octa_kedro.models.sizes import smallest_input

BATCH = 2
SHAPES = {2: (224, 224), 3: (96, 80, 80)}
SLOW_SECONDS = 30.0
NETWORKS_2D = (
    *("vgg16", "vgg19", "resnet10", "resnet18", "resnet34", "resnet50", "resnet152", "inception_v3"),
    *(f"efficientnet_b{n}" for n in range(5)),
    *("vit_b32", "vit_b16", "vit_s16", "googlenet", "densenet121"),
)
CONVERTED: tuple[dict[str, Any], ...] = (
    {"name": "inception_v3", "auxiliary": True},
    {"name": "resnet18", "width": 0.25},
    {"name": "resnet18", "convolution": "acs"},
    {"name": "resnet18", "convolution": "inflated"},
    {"name": "resnet50", "convolution": "acs"},
)


@dataclass(frozen=True)
class Cost:
    """Millions of parameters, MiB that the peak adds, seconds of a step, and the same over ResNet-18's."""

    millions: float
    mib: float
    seconds: float
    ratio: float


def networks(dims: int) -> list[dict[str, Any]]:
    """The settings of the table's rows."""
    if dims == 2:
        return [{"name": name, "spatial_dims": 2} for name in NETWORKS_2D]
    return [*({"name": name} for name in NETWORKS_3D), *CONVERTED]


def peak_mib() -> float:
    """Of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def time_step(model: torch.nn.Module, config: ModelConfig) -> float:
    """Seconds of the quicker of two training steps."""
    images = torch.rand((BATCH, config.in_channels, *SHAPES[config.spatial_dims]))
    targets = torch.arange(BATCH) % config.classes
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-4)
    spent: list[float] = []
    while len(spent) < 2 and sum(spent) < SLOW_SECONDS:
        started = time.perf_counter()
        optimiser.zero_grad()
        loss_with_auxiliary(model.train()(images), lambda logits: cross_entropy(logits, targets)).backward()
        optimiser.step()
        spent.append(time.perf_counter() - started)
    return min(spent)


def measure(settings: dict[str, Any], answer: Any) -> None:
    """In the child: what the network costs, sent through the pipe `answer`."""
    torch.set_num_threads(1)
    before = peak_mib()
    config = ModelConfig(**settings)
    model = build_model(config)
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    seconds = time_step(model, config)
    mib = peak_mib() - before
    del model
    reference = ModelConfig(name="resnet18", spatial_dims=config.spatial_dims)
    answer.send(Cost(millions, mib, seconds, seconds / time_step(build_model(reference), reference)))


def measure_apart(settings: dict[str, Any]) -> Cost | None:
    """In a forked process; None where it dies."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=measure, args=(settings, theirs))
    child.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        return None
    finally:
        child.join()


def row(settings: dict[str, Any], cost: Cost | None) -> str:
    """A line of the table."""
    config = ModelConfig(**settings)
    extra = ", ".join(f"{k}: {v}" for k, v in settings.items() if k not in {"name", "spatial_dims"})
    label = f"`{config.name}`" + (f" ({extra})" if extra else "")
    if config.spatial_dims == 2 and config.canonical_name in TIMM_NAMES.values():
        label += f" = timm `{config.canonical_name}`"
    smallest = smallest_input(config)
    if cost is None:
        return f"| {label} | | | out of memory | {smallest} |"
    return f"| {label} | {cost.millions:.2f} | {cost.mib:.0f} | {cost.ratio:.2f} | {smallest} |"


def table(dims: int, only: list[str]) -> None:
    """One dimension's table, row by row as it is measured; seconds go to the log."""
    shape = " x ".join(map(str, SHAPES[dims]))
    print(f"\n## {dims}D, batch of {BATCH} x 1 x {shape}\n")
    print("| network | million parameters | peak MiB of a step | step time, ResNet-18 = 1 | smallest side |")
    print("|---|---|---|---|---|")
    for settings in networks(dims):
        if only and settings["name"] not in only:
            continue
        cost = measure_apart(settings)
        print(row(settings, cost), flush=True)
        print(settings, cost, file=sys.stderr, flush=True)


def header() -> str:
    """What stands above the tables."""
    return (
        "# The networks, and what they cost\n\n"
        "`model.name` is the same word in 2D and 3D; the rest of a model's parameters are those of `ModelConfig`\n"
        "(`src/octa_kedro/models/config.py`). 2D takes any other timm name too, 3D any timm network whose layers can\n"
        "be made 3D (ResNets, ResNeXts, DenseNets) with `convolution: inflated` or `acs`. 3D networks can be narrowed\n"
        "by `width: 0.25`; the tables are for full width unless said.\n\n"
        f"Made by `nice python benchmarks/models.py` ({os.cpu_count()} cores shared with other work, one thread, "
        f"float32, torch {torch.__version__}).\n"
        "One training step with SGD. Memory is what its peak adds to the imports. Times are ratios to ResNet-18 of\n"
        "the same dimension, timed right after each network in its process; on a shared machine a row measured twice\n"
        "differed by a tenth as a rule, and by a factor of 2.7 at worst.\n"
        "The smallest side is that of a square or cubic image that can be trained on in batches of 2 or more."
    )


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="names of networks")
    parser.add_argument("--dims", type=int, choices=(2, 3), help="only that dimension")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(header())
    for dims in (3, 2) if arguments.dims is None else (arguments.dims,):
        table(dims, arguments.only)


if __name__ == "__main__":
    main()

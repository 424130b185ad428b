"""A 3D network's first convolution against torch's own: seconds of a training step, side by side.

    OMP_NUM_THREADS=1 nice python benchmarks/stem.py [--kernels 7 3] [--full] [--device cuda]

Each line is one convolution of stride 2: the forward pass and the gradient of its weight, with `nn.Conv3d` and with
the gradient on folded images, whether or not `FoldedConv3d` would choose it. The two take turns, and the shortest
turn counts, on a CPU in this process's own time, so that what else the machine does weighs less. A ratio above 1 says
how many times quicker folding is.
"""

import argparse
import time
from collections.abc import Callable, Sequence

import torch
from torch.nn import functional

from octa_kedro.models import stem

TURNS = 5
SMALL, FULL = (4, 96, 64, 64), (1, 192, 128, 128)


def race(runners: Sequence[Callable[[], object]], device: torch.device) -> list[float]:
    """Seconds of the shortest turn of each."""
    cuda = device.type == "cuda"
    clock = time.perf_counter if cuda else time.process_time
    best = [float("inf")] * len(runners)
    for turn in range(TURNS + 1):
        for n, run in enumerate(runners):
            started = clock()
            run()
            if cuda:
                torch.cuda.synchronize()
            if turn:  # the first one warms up
                best[n] = min(best[n], clock() - started)
    return best


def line(size: tuple[int, ...], kernel: int, channels: int, width: int, device: torch.device) -> str:
    """One convolution, measured."""
    batch, *grid = size
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((batch, channels, *grid), generator=generator).to(device)
    weight = torch.rand((width, channels, *(kernel,) * 3), generator=generator).to(device).requires_grad_()
    padding = (kernel // 2,) * 3
    gradient = torch.rand_like(functional.conv3d(images, weight, None, 2, padding))

    def plain() -> None:
        torch.autograd.grad(functional.conv3d(images, weight, None, 2, padding), weight, gradient)

    def folded() -> None:
        torch.autograd.grad(stem._FoldedGradient.apply(images, weight, None, padding), weight, gradient)

    before, after = race([plain, folded], device)
    chosen = stem.FoldedConv3d(channels, width, kernel, 2, kernel // 2).to(device)._pays(images)
    shape = " x ".join(map(str, size))
    used = "folded" if chosen else "plain"
    return f"| {shape} | {kernel} | {channels} | {width} | {before:.3f} | {after:.3f} | {before / after:.2f} | {used} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", type=int, nargs="+", default=[7])
    parser.add_argument("--channels", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--full", action="store_true", help="one volume of 192 x 128 x 128 as well")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    print("| batch x D x H x W | kernel | channels in | out | nn.Conv3d s | folded s | ratio | used |")
    print("|---|---|---|---|---|---|---|---|")
    for size in (SMALL, FULL) if given.full else (SMALL,):
        for kernel in given.kernels:
            for channels in given.channels:
                for width in given.widths:
                    print(line(size, kernel, channels, width, torch.device(given.device)), flush=True)


if __name__ == "__main__":
    main()

"""How long a Grad-CAM takes, beside M3d-CAM (medcam) on the same network and volume.

    python benchmarks/medcam.py --work /tmp/medcam [--rounds 7] [--shape 96 64 64] [--width 0.25]

M3d-CAM is installed from the package registry into an environment of its own, WORK/env, which sees the libraries of
this one (same torch) and changes none of them; it is made on the first call. Each program runs alone on one thread, in
turns, on the mission's 3D ResNet-18 with random weights and one volume: ours at the layer that `auto` chooses there,
and at the last one, where M3d-CAM's `auto` looks, too; M3d-CAM as its manual says, an injected network that is called
once to find its layers and then once for every map. Beside them stand a forward pass with a backward pass of what lies
behind our layer, which our map is made of, and one with a backward pass of the whole network. Printed are medians of
CPU seconds of one map and their ratios. Wanted of ours: at most half of M3d-CAM, and at most 1.3 times its own forward
and backward pass.
"""

import argparse
import importlib
import json
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.layers import Layer, choose_layers, measure_layers
from octa_kedro.explain.methods import METHODS
from octa_kedro.explain.request import MapRequest
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model

RELEASE = "medcam==0.1.22"
SPACING_MM = (0.0083, 0.0469, 0.0469)
OURS, LAST, THEIRS = "ours, auto", "ours, last layer", "M3d-CAM, auto"
OWN, WHOLE = "forward, and backward to our layer", "forward and backward, whole network"
PROGRAMS = (OURS, OWN, LAST, THEIRS, WHOLE)
CALLS = 5


def environment(work: Path) -> Path:
    """The Python of an environment with medcam, made where there is none."""
    folder = work / "env"
    python = folder / "bin" / "python"
    if not (work / "made").exists():
        venv.create(folder, with_pip=True, clear=True)
        packages = next((folder / "lib").glob("python*")) / "site-packages"
        (packages / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
        subprocess.run([python, "-m", "pip", "install", "-q", RELEASE], check=True)
        (work / "made").write_text(RELEASE)
    return python


def network_and_volume(shape: list[int], width: float) -> tuple[torch.nn.Module, torch.Tensor]:
    """The same for every program: weights and voxels come from a fixed seed."""
    torch.manual_seed(0)
    model = build_model(ModelConfig(name="resnet18", width=width)).eval()
    return model, torch.rand(1, 1, *shape)


def layers_of(model: torch.nn.Module, image: torch.Tensor, config: ExplainConfig) -> list[Layer]:
    """Those that a map looks at."""
    return choose_layers(measure_layers(model, image.shape[1:], SPACING_MM), config)


def ours(model: torch.nn.Module, image: torch.Tensor, layers: Any) -> Callable[[], object]:
    """A Grad-CAM as the mission makes it, layers measured beforehand as for all eyes but the first."""
    config = ExplainConfig(device="cpu", method_3d="grad_cam", layers=layers)
    request = MapRequest(model.requires_grad_(False), config, SPACING_MM, layers_of(model, image, config))
    return lambda: METHODS["grad_cam"](request, image)


def theirs(model: torch.nn.Module, image: torch.Tensor) -> Callable[[], object]:
    """A map by M3d-CAM, as its manual asks for it; nothing is saved."""
    injected = importlib.import_module("medcam.medcam").inject(model, backend="gcam", layer="auto", label=1)

    def explain() -> object:
        injected(image)
        return injected.get_attention_map()

    return explain


def own(model: torch.nn.Module, image: torch.Tensor) -> Callable[[], object]:
    """A forward pass, and a backward pass to the layer that `auto` chooses."""
    (layer,) = layers_of(model, image, ExplainConfig(device="cpu"))
    model.requires_grad_(False)
    layer.module.register_forward_hook(lambda _m, _i, output: output.detach().requires_grad_())

    def both() -> None:
        logits = model(image)
        (logits[0, 1] - logits[0, 0]).backward()

    return both


def whole(model: torch.nn.Module, image: torch.Tensor) -> Callable[[], object]:
    """A forward and a backward pass of the whole network, to its weights and to its input, as M3d-CAM's own is."""
    at = image.clone().requires_grad_()

    def both() -> None:
        logits = model(at)
        (logits[0, 1] - logits[0, 0]).backward()

    return both


def measure(program: str, shape: list[int], width: float) -> float:
    """CPU seconds of one map, the mean of CALLS after one that warms up, and tells M3d-CAM its layers."""
    torch.set_num_threads(1)
    model, image = network_and_volume(shape, width)
    made = {
        OURS: lambda: ours(model, image, "auto"),
        OWN: lambda: own(model, image),
        LAST: lambda: ours(model, image, ("layer4",)),
        THEIRS: lambda: theirs(model, image),
        WHOLE: lambda: whole(model, image),
    }
    call = made[program]()
    call()
    start = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - start) / CALLS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--shape", type=int, nargs=3, default=[96, 64, 64], help="depth, y, x")
    parser.add_argument("--width", type=float, default=0.25, help="of the network, as training_3d.model.width")
    parser.add_argument("--program", choices=PROGRAMS, help=argparse.SUPPRESS)  # in the child process
    given = parser.parse_args()
    if given.program:
        print(json.dumps(measure(given.program, given.shape, given.width)))
        return
    given.work.mkdir(parents=True, exist_ok=True)
    beside = environment(given.work)
    settings = ["--work", str(given.work), "--shape", *map(str, given.shape), "--width", str(given.width)]
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(given.rounds):
        for name in PROGRAMS:
            python = beside if name == THEIRS else Path(sys.executable)
            command = [python, "-P", __file__, "--program", name, *settings]
            # -P: this file has the package's name, and must not be found in its place
            result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            taken[name].append(float(json.loads(result.stdout.splitlines()[-1])))
    cpu = {name: median(values) for name, values in taken.items()}
    print("| | CPU s | over M3d-CAM | over its own forward and backward | over the whole network's |")
    print("|---|---|---|---|---|")
    for name, seconds in cpu.items():
        over = " | ".join(f"{seconds / cpu[other]:.2f}" for other in (THEIRS, OWN, WHOLE))
        print(f"| {name} | {seconds:.3f} ({min(taken[name]):.3f} to {max(taken[name]):.3f}) | {over} |")


if __name__ == "__main__":
    main()

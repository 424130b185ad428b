"""How long a Grad-CAM takes, beside M3d-CAM (medcam) on the same network and volume.

    python benchmarks/medcam.py --work /tmp/medcam [--rounds 7] [--shape 96 128 128] [--width 1]

M3d-CAM is installed from the package registry into an environment of its own, WORK/env, which sees the libraries of
this one (same torch) and changes none of them; it is made on the first call. Each program runs alone on one thread, in
turns, on a 3D ResNet-18 with random weights and one volume: ours at the layer that `auto` chooses there and at the last
layer, where M3d-CAM's `auto` looks, too; M3d-CAM as its manual says, an injected network that is called once to find
its layers and then once for every map. Printed are medians of CPU seconds of one map, their ratios, and that of
ours to a forward and backward pass of the whole network. Wanted: at most half of M3d-CAM, and at most 1.3 times the
forward and backward pass.
"""

import argparse
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

from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model

RELEASE = "medcam==0.1.22"
SPACING_MM = (0.0083, 0.0234, 0.0234)
PROGRAMS = ("ours, auto", "ours, last layer", "M3d-CAM, auto", "forward + backward")


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


def ours(model: torch.nn.Module, image: torch.Tensor, layers: Any) -> Callable[[], object]:
    """A Grad-CAM as the mission makes it, layers measured beforehand as for all eyes but the first."""
    from octa_kedro.explain.config import ExplainConfig
    from octa_kedro.explain.layers import choose_layers, measure_layers
    from octa_kedro.explain.methods import METHODS
    from octa_kedro.explain.request import MapRequest

    config = ExplainConfig(device="cpu", method_3d="grad_cam", layers=layers)
    chosen = choose_layers(measure_layers(model, image.shape[1:], SPACING_MM), config)
    model.requires_grad_(False)
    request = MapRequest(model, config, SPACING_MM, chosen)
    return lambda: METHODS["grad_cam"](request, image)


def theirs(model: torch.nn.Module, image: torch.Tensor) -> Callable[[], object]:
    """A map by M3d-CAM, as its manual asks for it; nothing is saved."""
    from medcam import medcam

    injected = medcam.inject(model, backend="gcam", layer="auto", label=1)

    def explain() -> object:
        injected(image)
        return injected.get_attention_map()

    return explain


def whole(model: torch.nn.Module, image: torch.Tensor) -> Callable[[], object]:
    """A forward and a backward pass of the whole network, to its weights and to its input, as M3d-CAM's own is."""
    at = image.clone().requires_grad_()

    def both() -> None:
        logits = model(at)
        (logits[0, 1] - logits[0, 0]).backward()

    return both


def measure(program: str, shape: list[int], width: float) -> float:
    """CPU seconds of one map, the second one: the first warms up, and tells M3d-CAM its layers."""
    torch.set_num_threads(1)
    model, image = network_and_volume(shape, width)
    made = {
        "ours, auto": lambda: ours(model, image, "auto"),
        "ours, last layer": lambda: ours(model, image, ("layer4",)),
        "M3d-CAM, auto": lambda: theirs(model, image),
        "forward + backward": lambda: whole(model, image),
    }
    call = made[program]()
    call()
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--shape", type=int, nargs=3, default=[96, 128, 128], help="depth, y, x")
    parser.add_argument("--width", type=float, default=1.0, help="of the network, as training_3d.model.width")
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
            python = beside if name.startswith("M3d") else Path(sys.executable)
            command = [python, __file__, "--program", name, *settings]
            result = subprocess.run(command, capture_output=True, text=True, check=True)
            taken[name].append(float(json.loads(result.stdout.splitlines()[-1])))
    cpu = {name: median(values) for name, values in taken.items()}
    print("| program | CPU s | over M3d-CAM | over forward + backward |\n|---|---|---|---|")
    for name, seconds in cpu.items():
        over = f"{seconds / cpu['M3d-CAM, auto']:.2f} | {seconds / cpu['forward + backward']:.2f}"
        print(f"| {name} | {seconds:.2f} ({min(taken[name]):.2f} to {max(taken[name]):.2f}) | {over} |")


if __name__ == "__main__":
    main()

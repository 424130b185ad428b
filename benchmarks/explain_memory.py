"""Does memory grow with the number of eyes, where maps are made, scored, drawn and shown?

    python benchmarks/explain_memory.py [--eyes 30] [--work FOLDER]

Tiny eyes are written to disk, N of them and four times as many. A fresh process each makes maps with a small 3D network
and runs the nodes of `explainability` on them as a Kedro run does, with what they return saved at once. Printed is, for
each step, how far the peak of the process's memory lies above where it was before the step (after two eyes had gone
through all steps, so that libraries are loaded), what an eye adds to it, and what 500 eyes would; beside it, what an
eye would add if it was held (image, map, surfaces and mask). Needs Linux, which tells the peak between two moments.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from octa_kedro.datasets.figure import FigureDataset
from octa_kedro.datasets.page import PageDataset
from octa_kedro.datasets.viewer import ViewerDataset
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.explain.making import MAP, SLAB_VALUES
from octa_kedro.io.volume import PlaneStack, Volume, scan_affine
from octa_kedro.models.config import ModelConfig
from octa_kedro.models.factory import build_model
from octa_kedro.pipelines.explainability import nodes, result_nodes
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.results.recipe import Job
from octa_kedro.results.result import Result
from octa_kedro.results.store import Store
from octa_kedro.results.stored import Stored, write_result
from octa_kedro.training.checkpoint import Checkpoint, CheckpointCard

SHAPE = (48, 48, 64)
AFFINE = scan_affine(SHAPE, (3.0, 3.0, 0.8))
MODEL = "training_3d"
HELD = np.prod(SHAPE) * (4 + 4 + 1) + 4 * 4 * SHAPE[0] * SHAPE[1]
"""Bytes of an eye's image, map, mask and surfaces."""
WARM, DONORS = 2, 4
"""Eyes that go through all steps before anything is measured; healthy development eyes beside those counted."""


def write_eyes(folder: Path, numbers: range) -> dict[str, dict[str, Stored]]:
    """Eyes with a bright block as lesion: volumes, surfaces, lesions, enface, by subject."""
    rng = np.random.default_rng(numbers.start)
    depths = np.array([0.15, 0.3, 0.45, 0.6], np.float32)
    surfaces = PlaneStack(np.broadcast_to(depths, (*SHAPE[:2], 4)), AFFINE, ("ILM", "IPL_INL", "OPL_ONL", "BM"))
    mask = np.zeros(SHAPE, np.uint8)
    mask[20:28, 16:24, 14:22] = 2
    made: dict[str, dict[str, Stored]] = {"images": {}, "surfaces": {}, "lesions": {}, "enface": {}}
    for number in numbers:
        array = (0.3 * rng.random(SHAPE) + 0.5 * (mask > 0)).astype(np.float32)
        items = {
            "images": Volume(array, AFFINE, "OCTA", "OD"),
            "surfaces": surfaces,
            "lesions": Volume(mask, AFFINE, "lesion", "OD"),
            "enface": PlaneStack(array.mean(axis=2, keepdims=True), AFFINE, ("ILM_OPL",)),
        }
        for what, item in items.items():
            path = folder / f"{what}_{number}.nii"
            said = write_result(path, Result(item))
            made[what][f"{number:05d}"] = Stored(path, said["sha256"], said["meta"])
    return made


def checkpoint() -> Checkpoint:
    """A network with random weights."""
    config = ModelConfig(name="resnet18", spatial_dims=3, widths=(4, 8, 8, 8))
    card = CheckpointCard(
        kind="classifier", model=config, processing=ProcessingConfig(), classes=("NORMAL", "DISEASED"), fold=1, epoch=1,
        metrics={}, seen={}, parameters={}, code_version="benchmark",
    )  # fmt: skip
    return Checkpoint(build_model(config).state_dict(), card)


def peak_mib() -> tuple[float, float]:
    """Highest and present resident memory of this process since the last `forget_peak`."""
    said = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return float(said["VmHWM"].split()[0]) / 1024, float(said["VmRSS"].split()[0]) / 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def run_steps(folder: Path, numbers: range) -> dict[str, float]:
    """All steps on these eyes; how far the peak rose above its start in each, in MiB."""
    eyes = write_eyes(folder, range(numbers.start, numbers.stop + DONORS))
    everyone = list(eyes["images"])
    subjects = everyone[:-DONORS]
    splits = pd.DataFrame({"subject": everyone})
    splits = splits.assign(
        held_out=splits["subject"].isin(subjects), target=splits["subject"].isin(subjects).astype(int)
    )
    predictions = pd.DataFrame(
        {"subject": subjects, "model": MODEL, "part": "held_out", "disease": "DR", "target": 1, "probability": 0.9}
    )
    config, evaluation = ExplainConfig(steps=1, device="cpu"), EvaluationConfig(resamples=200)
    grown: dict[str, float] = {}

    def step(name: str, work: Callable[[], Any]) -> Any:
        forget_peak()
        before = peak_mib()[1]
        result = work()
        grown[name] = peak_mib()[0] - before
        return result

    def stored(job: Job, part: str) -> Any:
        store = Store(folder / part, compress=True)
        return store.open_all(store.put_all(job, part))

    def make_maps() -> tuple[Any, dict[str, Any]]:
        job, layer = nodes.explain_model(eyes["images"], eyes["surfaces"], splits, config, evaluation, **networks)
        return stored(job, MAP), layer | {"model": MODEL}

    network = checkpoint()
    networks = {f"{MODEL}__fold_1__checkpoint": network}
    maps, layer = step("maps", make_maps)
    about = (eyes["images"], eyes["surfaces"], splits)
    values = step("slab values", lambda: stored(nodes.value_slabs(*about, config, evaluation, **networks), SLAB_VALUES))
    slabs = nodes.tabulate_slabs(values, layer, predictions)
    judged = (*about, layer, predictions, config, evaluation)
    random = step("random maps", lambda: stored(nodes.explain_at_random(*judged, network), MAP))
    checked = nodes.check_maps(*judged, **networks)
    _, curves = nodes.conclude_checks(*checked, layer, evaluation)
    FigureDataset(filepath=str(folder / "curves.png")).save(curves)
    given = (eyes["images"], maps, layer, eyes["surfaces"], eyes["lesions"])
    scores, summary, findings, sizes, _ = step(
        "scores", lambda: result_nodes.score_maps(*given, random, predictions, config, evaluation, slabs)
    )
    viewer = ViewerDataset(filepath=str(folder / "viewer"))
    step("viewer", lambda: viewer.save(result_nodes.view_maps(*given, scores, config)))
    figures = FigureDataset(filepath=str(folder / "figures"))
    drawn = (*given[:3], eyes["enface"], *given[3:], predictions, evaluation, slabs, config)
    step("figures and sweeps", lambda: figures.save(result_nodes.draw_volume_maps(*drawn)))
    page = PageDataset(filepath=str(folder / "page.html"))
    tables = (scores, summary, findings, sizes, viewer.load(), figures.load(), maps, layer, eyes["surfaces"], slabs)
    more = (*checked, folder / "curves.png", config, evaluation)
    step("page", lambda: page.save(result_nodes.report_maps(*tables, *more)))
    return grown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eyes", type=int, default=30)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.work) as name:
        if given.child:
            for place, numbers in (("warm", range(WARM)), ("eyes", range(WARM, WARM + given.child))):
                (Path(name) / place).mkdir()
                grown = run_steps(Path(name) / place, numbers)
            print(json.dumps(grown))
            return
    few, many = (measure(n, given.work) for n in (given.eyes, 4 * given.eyes))
    print(f"peak above the start of the step, MiB; an eye held would add {HELD / 2**20:.2f}")
    print(f"{'step':<20}{f'{given.eyes} eyes':>12}{f'{4 * given.eyes} eyes':>12}{'per eye':>10}{'500 eyes':>10}")
    for name in few:
        slope = (many[name] - few[name]) / (3 * given.eyes)
        all_eyes = few[name] + (500 - given.eyes) * max(slope, 0)
        print(f"{name:<20}{few[name]:>12.1f}{many[name]:>12.1f}{slope:>10.3f}{all_eyes:>10.1f}")


def measure(eyes: int, work: Path | None) -> dict[str, float]:
    """`run_steps` in a fresh process."""
    command = [sys.executable, __file__, "--child", str(eyes), *(["--work", str(work)] if work else [])]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    grown: dict[str, float] = json.loads(said.splitlines()[-1])
    return grown


if __name__ == "__main__":
    main()

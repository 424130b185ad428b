"""Does a map find the lesion? All methods of explanation, side by side, on phantoms whose lesions are known.

    python benchmarks/explanations.py --work /tmp/explanations --seeds 2 3 --eyes 12
    python benchmarks/explanations.py --work /tmp/explanations --seeds 2 --methods integrated_gradients --own mine.py

For every seed a phantom of NORMAL, DR, CNV, CSC, AMD and RVO eyes is written into WORK/seed_N and a 3D network trained
in three folds, unless that is there already. Then `--eyes` held-out eyes of each disease that the networks classify
correctly are explained by every method, as the mean of the three networks, and scored against their lesion masks,
beside the controls and the first method's maps of a network with random weights. The default method and its settings
were chosen on 11 eyes of each of CNV, CSC and DR of seed 2, and on the default mission (seed 1); no setting was chosen
on other seeds.

A method of yours is a file with a function ``explain(model, image, target_class, spacing_mm)``: a torch module, one
image as a tensor (1, 1, depth, y, x), the index of the class, voxel sizes in millimetres (depth, y, x). It returns an
array (depth, y, x), larger where there is more evidence for the class; what is negative counts as 0.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch

from octa_kedro.explain.anatomy import Anatomy
from octa_kedro.explain.cohort import Rivals, Surroundings, score_maps
from octa_kedro.explain.config import WITH_DONORS, ExplainConfig
from octa_kedro.explain.context import Contexts
from octa_kedro.explain.explainer import Explainer, mean_map
from octa_kedro.explain.methods import METHODS
from octa_kedro.explain.random_network import RANDOM_WEIGHTS, random_checkpoint
from octa_kedro.explain.scoring import MAP
from octa_kedro.explain.summary import summarise_hits
from octa_kedro.io.volume import Volume
from octa_kedro.models.axes import from_tensor, to_tensor
from octa_kedro.results.stored import Stored
from scratch import make_project, run

DISEASES = ("DR", "CNV", "CSC", "AMD", "RVO")
EYES = {"NORMAL": 64, **dict.fromkeys(DISEASES, 34)}
FOLDS = 3
STRUCTURE = """source: phantom
folds: 3
repeats: 1
pretraining: false
models: {training_3d: 3}
explain: []
"""
SLOW = {"occlusion", "donor_swap", "score_cam", "ablation_cam"}
QUICK = [WITH_DONORS, *(name for name in METHODS if name not in SLOW | {WITH_DONORS})]
SHOWN = ("lesion_rate", "lesion_low", "lesion_high", "voxel_ap", "voxel_ap_low", "voxel_ap_high", "rate", "low", "high")


def project_of(work: Path, seed: int) -> tuple[Path, Mapping[str, Any]]:
    """A project with trained networks, and its catalog."""
    project = make_project(work / f"seed_{seed}")
    (project / "conf" / "local").mkdir(exist_ok=True)
    (project / "conf" / "local" / "structure.yml").write_text(STRUCTURE)
    trained = [*(project / "data" / "07_model_output" / "evaluation" / "predictions.csv").glob("*")]
    params = {"phantom": {"seed": seed, "subjects": EYES}, "splits": {"hold_out": 0.65}}
    return project, run(project, params, **({"node_names": ["tabulate_folds"]} if trained else {}))


def chosen_eyes(predictions: pd.DataFrame, eyes: int) -> pd.DataFrame:
    """The first held-out eyes of each disease that are classified correctly."""
    right = predictions[(predictions["part"] == "held_out") & (predictions["target"] == 1)]
    right = right[(right["model"] == "training_3d") & (right["probability"] >= 0.5)]
    return right.groupby("disease").head(eyes)


def own_method(path: Path) -> Callable[..., np.ndarray]:
    """The function `explain` of a file."""
    spec = importlib.util.spec_from_file_location("own", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Callable[..., np.ndarray]", module.explain)


def mean_of_own(explain: Callable[..., np.ndarray], explainers: Sequence[Explainer], image: Volume) -> Volume:
    """The mean over networks of somebody's maps."""
    maps = []
    for one in explainers:
        x, y, z = (float(mm) for mm in image.spacing)
        found = explain(one.model, to_tensor(image)[None], one.target, (z, y, x))
        maps.append(np.maximum(np.asarray(found, np.float32), 0))
    return image.with_array(from_tensor(torch.from_numpy(np.mean(maps, axis=0))))


def judge(
    catalog: Mapping[str, Any], eyes: int, methods: Mapping[str, Callable[..., Volume]], seconds: dict[str, list[float]]
) -> pd.DataFrame:
    """Scores of every chosen eye, method and control."""
    images = catalog["processed_volumes"].load()
    around = Surroundings(catalog["processed_surfaces"].load(), catalog["processed_lesions"].load())
    checkpoints = [catalog[f"training_3d.fold_{fold}.checkpoint"].load() for fold in range(1, FOLDS + 1)]
    at_random = [random_checkpoint(checkpoints[0])]
    rows = chosen_eyes(catalog["evaluation.predictions"].load(), eyes)
    contexts = Contexts(images, around.surfaces, catalog["splits"].load(), count=ExplainConfig().donors, mask_slab=None)
    first, *others = methods

    @lru_cache(maxsize=1)
    def explained(name: str, subject: str) -> Volume:
        image, method = images[subject](), first if name == RANDOM_WEIGHTS else name
        anatomy = contexts.of(subject, method).read(image) if method in METHODS else None
        start = time.process_time()
        heat = methods[name](at_random if name == RANDOM_WEIGHTS else checkpoints, image, anatomy)
        if name in METHODS:
            seconds.setdefault(name, []).append((time.process_time() - start) / FOLDS)
        return heat

    def by_eye(name: str) -> Mapping[str, Stored]:
        found = {str(subject): partial(explained, name, str(subject)) for subject in rows["subject"]}
        return cast("Mapping[str, Stored]", found)

    rivals = Rivals(images, {}, {name: by_eye(name) for name in others})
    scores = score_maps(by_eye(first), around, rows, ExplainConfig(), 0.5, rivals=rivals)
    return scores.replace({"method": {MAP: first}})


def method_of(name: str) -> Callable[..., Volume]:
    """A method of the table as a function of checkpoints and an image; networks are restored once."""
    explainers: list[Explainer] = []

    def explain(checkpoints: Sequence[Any], image: Volume, anatomy: Anatomy | None) -> Volume:
        if not explainers or [one.checkpoint for one in explainers] != list(checkpoints):
            settings = ExplainConfig.model_validate({"method_3d": name, "device": "cpu"})
            explainers[:] = [Explainer(checkpoint, settings) for checkpoint in checkpoints]
        return cast("Volume", mean_map(explainers, image, None, anatomy))

    return explain


def main() -> None:
    """Print a table per disease, over all seeds, and what a map of one network costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--eyes", type=int, default=20)
    parser.add_argument("--methods", nargs="+", choices=[*METHODS], default=QUICK)
    parser.add_argument("--own", type=Path, help="a Python file with a method of yours")
    given = parser.parse_args()
    methods = {name: method_of(name) for name in given.methods}
    if given.own:
        own = own_method(given.own)
        methods["own"] = lambda checkpoints, image, _anatomy: mean_of_own(
            own, [Explainer(one, ExplainConfig(device="cpu")) for one in checkpoints], image
        )
    methods[RANDOM_WEIGHTS] = method_of(given.methods[0])
    seconds: dict[str, list[float]] = {}
    tables = []
    for seed in given.seeds:
        _, catalog = project_of(given.work, seed)
        scores = judge(catalog, given.eyes, methods, seconds)
        # eyes of two phantoms may share a name
        tables.append(scores.assign(subject=f"{seed}_" + scores["subject"].astype(str), model="3D", seed=seed))
    scores = pd.concat(tables, ignore_index=True)
    scores.to_csv(given.work / "scores.csv", index=False)
    summary = summarise_hits(scores.replace({"method": {given.methods[0]: MAP}}), {"3D": float("nan")})
    summary = summary[summary["part"] == "held_out"].replace({"method": {MAP: given.methods[0]}})
    for disease, group in summary.groupby("disease"):
        print(f"\n{disease}, {int(group['n_lesion'].max())} eyes")
        print(group.set_index("method")[list(SHOWN)].round(2).to_string())
        for text in group[group["method"] == given.methods[0]]["conclusion"]:
            print(f"{given.methods[0]} {text}")
    for name, each in seconds.items():
        print(f"{name}: {np.median(each):.2f} s of CPU per network and eye")


if __name__ == "__main__":
    main()

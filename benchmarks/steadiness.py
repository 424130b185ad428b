"""How far do single trainings lie apart, and what makes them steadier?

    OMP_NUM_THREADS=1 python benchmarks/steadiness.py --work FOLDER [--settings default former] [--phantom-seed 5]
        [--model training_3d] [--seeds 0 1 2] [--folds 1 2 3] [--held-out 156] [--table]

Each setting of SETTINGS changes some default parameters of a model: how it is trained (TRAININGS), and which of its
weights are kept (KEPT). It is trained once per seed and fold on as many eyes as the default phantom gives (36), and
every training is judged by the same held-out eyes. Settings are chosen on phantom seed 5 and confirmed on 6. Printed
are, per setting, the AUROC of every training, the worst, the mean, the standard deviation, and the CPU seconds of a
training as a multiple of the default's on the same seeds and folds.

It can be interrupted and run again: what is in FOLDER is not trained again. Several can run side by side in one
FOLDER, each with one thread; they share the list. --table prints what there is, and trains nothing.
"""

import argparse
import fcntl
import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from noninferiority import DISEASES, auroc, cohort_params
from octa_kedro.io.files import write_text
from octa_kedro.training.classifier import fit_classifier
from octa_kedro.training.config import TrainingConfig
from octa_kedro.training.predict import predict_fold
from scratch import make_project, run

IMAGES = {"training_3d": "processed_volumes", "training_2d": "enface_maps", "training_2d_two_slabs": "enface_maps"}
# How a network is trained, and which of its weights are kept. `rate` multiplies the model's learning rate and `epochs`
# its number of epochs, whatever they are; the rest replaces parameters. FORMER is what the default was before these
# were compared.
FORMER: dict[str, Any] = {
    "rate": 2.0,
    "schedule": {"warm_up": 0.2},
    "batch_size": 4,
    "optimiser": {"weight_decay": 0.01},
    "stop": {"keep": "best", "keep_from": 0.5, "patience": 20},
}
FOUR = {"batch_size": 4, "optimiser": {"weight_decay": 0.01}}
LITTLE_DECAY = {"optimiser": {"weight_decay": 0.01}}
TRAININGS: dict[str, dict[str, Any]] = {
    "default": {},
    "former": FORMER,
    "former_slow": FOUR,
    "former_decay": {"batch_size": 4},
    "little_decay": LITTLE_DECAY,
    "quick": LITTLE_DECAY | {"rate": 2.0},
    "quick_decay": {"rate": 2.0},
    "slower": LITTLE_DECAY | {"rate": 0.5},
    "batch_12": LITTLE_DECAY | {"batch_size": 12},
    "longer": LITTLE_DECAY | {"epochs": 1.25},
    "clipped": LITTLE_DECAY | {"clip_norm": 1.0},
    "clipped_decay": {"clip_norm": 1.0},
    "former_longer": FOUR | {"epochs": 1.33},
    "former_mixup": FOUR | {"mixup": 0.4},
    "former_instance": FORMER | {"model": {"norm": "instance", "norm_stages": True}},
    "former_sam": FORMER | {"sam": 0.05, "epochs": 0.6},  # a step takes twice the time
    "former_augment": FORMER | {"augmentation": {"rotation": 20.0, "gamma": 0.3, "noise": 0.03, "brightness": 0.3}},
}
KEPT: dict[str, dict[str, Any]] = {
    "": {},
    "_best": {"stop": {"keep": "best", "keep_from": 0.5, "patience": 20}},
    "_last": {"stop": {"keep": "last"}},
    "_ema_98": {"ema": 0.98},
    "_ema_98_last": {"ema": 0.98, "stop": {"keep": "last"}},
    "_swa_50_last": {"swa": 0.5, "stop": {"keep": "last"}},
    "_swa_75_last": {"swa": 0.75, "stop": {"keep": "last"}},
}
SETTINGS = {f"{one}{other}": TRAININGS[one] | KEPT[other] for one in TRAININGS for other in KEPT}


def parameters(base: TrainingConfig, setting: dict[str, Any], seed: int) -> TrainingConfig:
    """The model's parameters with those of a setting."""
    changed = base.model_dump(mode="json", exclude_unset=True) | {"seed": seed}
    for name, value in setting.items():
        if name == "rate":
            optimiser = changed["optimiser"]
            changed["optimiser"] = optimiser | {"learning_rate": value * optimiser["learning_rate"]}
        elif name == "epochs":
            changed["max_epochs"] = round(value * changed["max_epochs"])
        else:
            changed[name] = changed.get(name, {}) | value if isinstance(value, dict) else value
    return TrainingConfig.model_validate(changed)


@contextmanager
def claimed(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether this process alone has `path` inside the block; a killed process gives back what it had."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def prepare(work: Path, held_out: int, phantom_seed: int) -> Any:
    """The catalog of a project with the eyes and splits, which is made once."""
    params, done = cohort_params(held_out, phantom_seed), work / "project.json"
    with claimed(work / "project.lock", wait=True):
        project = make_project(work / "project")  # every time: `default` is what the repository says now
        if not done.is_file():
            run(project, params, pipeline_names=["phantom", "data_processing"])
        require_same(done, params)
    os.chdir(project)
    bootstrap_project(project)
    with KedroSession.create(project, runtime_params=params) as session:
        return session.load_context().catalog


def require_same(path: Path, value: Any) -> None:
    """Stop if the results in the folder were made with another `value`; it is written there at first."""
    text = json.dumps(value, sort_keys=True)
    if not path.is_file():
        path.write_text(text)
    if path.read_text() != text:
        raise SystemExit(f"{path} says {path.read_text()}, this run {text}: give another --work")


def train(catalog: Any, model: str, config: TrainingConfig, fold: int) -> pd.DataFrame:
    """Predictions of held-out eyes by one training, with the epoch that was kept and the CPU seconds it took."""
    images, table = catalog.load(IMAGES[model]), catalog.load(f"splits_fold_{fold}")
    started = time.process_time()
    fitted = fit_classifier(images, table, config, catalog.load("params:processing"))
    spent = time.process_time() - started
    predictions = predict_fold(images, table, fitted.checkpoint, config).query("part == 'held_out'")
    return predictions.assign(epoch=fitted.checkpoint.card.epoch, cpu_seconds=round(spent, 1))


def work_off(given: argparse.Namespace) -> None:
    """Train what is missing and not being trained by another process, setting by setting."""
    catalog = prepare(given.work, given.held_out, given.phantom_seed)
    base = catalog.load(f"params:{given.model}")
    for name in given.settings:
        first = parameters(base, SETTINGS[name], 0)
        require_same(given.work / f"{given.model}-{name}.json", first.model_dump(mode="json"))
    for name, seed, fold in product(given.settings, given.seeds, given.folds):
        kept = given.work / f"{given.model}-{name}-{seed}-{fold}.csv"
        with claimed(kept.with_suffix(".lock")) as mine:
            if mine and not kept.is_file():
                table = train(catalog, given.model, parameters(base, SETTINGS[name], seed), fold)
                write_text(kept, table.to_csv(index=False))
                print(json.dumps({"setting": name, "seed": seed, "fold": fold} | judged(table)), flush=True)


def judged(table: pd.DataFrame) -> dict[str, float]:
    """What one training is judged by."""
    return {
        "auroc": auroc(table["target"], table["probability"]),
        "epoch": int(table["epoch"].iloc[0]),
        "cpu_seconds": float(table["cpu_seconds"].iloc[0]),
    }


def summary(work: Path, model: str, settings: list[str]) -> pd.DataFrame:
    """One row per setting that has trainings in the folder."""
    found = {
        name: {
            tuple(map(int, path.stem.rsplit("-", 2)[1:])): judged(pd.read_csv(path))
            for path in sorted(work.glob(f"{model}-{name}-*-*.csv"))
        }
        for name in settings
    }
    rows = []
    for name, trainings in found.items():
        scores = pd.Series([one["auroc"] for one in trainings.values()], dtype=float)
        both = trainings.keys() & found.get("default", {}).keys()
        ours, theirs = (sum(found[one][place]["cpu_seconds"] for place in both) for one in (name, "default"))
        if len(scores):
            figures = {"worst": scores.min(), "mean": scores.mean(), "sd": scores.std()}
            each = " ".join(f"{score:.3f}" for score in scores)
            rows.append({"setting": name, "n": len(scores)} | figures | {"cpu": ours / theirs if theirs else math.nan})
            rows[-1]["auroc of each (seed, then fold)"] = each
    return pd.DataFrame(rows).round(3)


def main() -> None:
    """Train, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=lambda text: Path(text).resolve(), required=True)
    parser.add_argument("--model", choices=sorted(IMAGES), default="training_3d")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=["default"], metavar="NAME")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--phantom-seed", type=int, default=5)
    parser.add_argument("--held-out", type=int, default=156)
    parser.add_argument("--table", action="store_true", help="print what there is, train nothing")
    given = parser.parse_args()
    if given.held_out < len(DISEASES) or given.held_out % len(DISEASES):
        parser.error(f"--held-out {given.held_out}: give a multiple of {len(DISEASES)}, as many eyes of each disease")
    given.work.mkdir(parents=True, exist_ok=True)
    if not given.table:
        work_off(given)
    print(summary(given.work, given.model, [*SETTINGS]).to_string(index=False))


if __name__ == "__main__":
    main()

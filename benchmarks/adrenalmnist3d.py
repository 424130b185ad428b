"""AdrenalMNIST3D (MedMNIST v2) through `training_3d` and `evaluation`, unchanged: labelled data that is not OCTA.

    python benchmarks/adrenalmnist3d.py --npz adrenalmnist3d.npz --work /tmp/adrenal --choose
    python benchmarks/adrenalmnist3d.py --npz adrenalmnist3d.npz --work /tmp/adrenal --seeds 0 1 2

The first command trains the CANDIDATES and prints their validation AUROC; it never predicts a test volume. The
second trains the chosen settings (CHOSEN) once per seed, evaluates each test set once and prints test AUROCs.
The official split is kept. Published with the data set: ResNet-18 3D, test AUROC .827.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from octa_kedro.io.nifti import write_nifti
from octa_kedro.io.subject_table import TABLES
from octa_kedro.io.volume import scan_affine
from scratch import make_project, paired_gain, run

EXTENT_MM = (64.0, 64.0, 64.0)  # the cube that each volume of the data set was cut from
PUBLISHED = 0.827
COMMON: dict[str, Any] = {
    "max_epochs": 12,
    "stop": {"keep": "best", "keep_from": 0.3, "patience": 6},
    "schedule": {"warm_up": 0.2},
    "batch_size": 16,
    "loss": {"label_smoothing": 0.0},
    # A mask's volume is in its mean, which instance norm in the stages takes away: see the last candidate.
    "model": {"norm": "instance", "norm_stages": False},
}
NO_SHIFT = {"flip": True, "shift": 0.0, "depth_shift": 0.0, "brightness": 0.0}
CANDIDATES: dict[str, dict[str, Any]] = {
    "narrow": {"optimiser": {"learning_rate": 0.003, "weight_decay": 0.01}, "augmentation": NO_SHIFT},
    "narrow, shifts": {
        "optimiser": {"learning_rate": 0.003, "weight_decay": 0.01},
        "augmentation": NO_SHIFT | {"shift": 0.08, "depth_shift": 0.08},
    },
    "narrow, shifts, no flips": {
        "optimiser": {"learning_rate": 0.003, "weight_decay": 0.01},
        "augmentation": NO_SHIFT | {"flip": False, "shift": 0.08, "depth_shift": 0.08},
    },
    "wider, shifts": {
        "optimiser": {"learning_rate": 0.002, "weight_decay": 0.01},
        "model": {"widths": [32, 64, 128, 256], "norm": "instance", "norm_stages": False},
        "augmentation": NO_SHIFT | {"shift": 0.08, "depth_shift": 0.08},
    },
    "narrow, shifts, no flips, instance norm": {
        "optimiser": {"learning_rate": 0.003, "weight_decay": 0.01},
        "augmentation": NO_SHIFT | {"flip": False, "shift": 0.08, "depth_shift": 0.08},
        "model": {"norm": "instance", "norm_stages": True},
    },
}
CHOSEN = "narrow, shifts, no flips"
# Both networks of the comparison have these, and no other was tried.
NATIVE_SIDE = 28
PAIR: dict[str, Any] = COMMON | {
    "max_epochs": 8,
    "optimiser": {"learning_rate": 0.001, "weight_decay": 0.01},
    "augmentation": NO_SHIFT | {"flip": False, "shift": 0.08, "depth_shift": 0.08},
    "model": {"width": 1.0, "norm": "batch", "norm_stages": False, "convolution": "inflated"},
}


def convert(npz: Path, folder: Path) -> None:
    """The archive as a folder of NIfTI files with `subjects.csv`; the official split is its column `split`."""
    if (folder / TABLES[0]).is_file():
        return
    data, rows = np.load(npz), []
    for split in ("train", "val", "test"):
        labels = data[f"{split}_labels"].ravel()
        for index, (image, label) in enumerate(zip(data[f"{split}_images"], labels, strict=True)):
            subject = f"{split}-{index:04d}"
            # The archive's axes are (z, y, x).
            array = np.ascontiguousarray(image.transpose(2, 1, 0))
            write_nifti(folder / f"{subject}.nii.gz", array, scan_affine(array.shape, EXTENT_MM))
            rows.append({"subject": subject, "path": f"{subject}.nii.gz", "label": int(label), "split": split})
    pd.DataFrame(rows).to_csv(folder / TABLES[0], index=False)


def train(project: Path, source: Path, training: dict[str, Any], *, side: int = 48, **what: Any) -> Any:
    """One Kedro run on cubes of `side` voxels; the catalog afterwards."""
    params = {
        "source": {"path": str(source), "anatomy": "any"},
        "processing": {"grid": [side] * 3, "intensity": {"lower": 0.0, "upper": 100.0}},
        "training_3d": training,
    }
    return run(project, params, env="nifti_folder", **what)


def settings(name: str, seed: int = 0) -> dict[str, Any]:
    """Training parameters of a candidate."""
    return COMMON | CANDIDATES[name] | {"seed": seed}


def compare(project: Path, source: Path, seeds: list[int], work: Path) -> None:
    """ResNet-18 with ACS convolutions against the same layers with plain 3D ones, from random weights: test AUROC of
    each seed, and the paired interval of the mean difference over subjects.

    What is finished is kept in `work`, and an unfinished training goes on, so it can be interrupted and run again.
    """
    train(project, source, PAIR, side=NATIVE_SIDE, pipeline_names=["data_processing"])
    found: dict[str, list[pd.Series]] = {}
    for seed in seeds:
        for convolution in ("inflated", "acs"):
            kept = work / f"{convolution}-{seed}.csv"
            if not kept.is_file():
                training = PAIR | {"seed": seed, "model": PAIR["model"] | {"convolution": convolution}}
                catalog = train(project, source, training, side=NATIVE_SIDE, pipeline_names=["training_3d"])
                catalog.load("training_3d.fold_1.predictions").to_csv(kept, index=False)
            table = pd.read_csv(kept).query("part == 'held_out'").set_index("subject").sort_index()
            found.setdefault(convolution, []).append(table["probability"])
            target = table["target"].to_numpy()
            row = {"convolution": convolution, "seed": seed, "test_auroc": roc_auc_score(target, table["probability"])}
            print(json.dumps(row | {"test_auroc": round(row["test_auroc"], 4)}), flush=True)
    plain, acs = ([one.to_numpy() for one in found[convolution]] for convolution in ("inflated", "acs"))
    gain, low, high = paired_gain(target, acs, plain)
    print(json.dumps({"acs - plain": round(gain, 4), "low": round(low, 4), "high": round(high, 4)}))


def main() -> None:
    """Convert, process once, then choose on validation or evaluate seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--npz", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--compare", action="store_true", help="ACS convolutions against plain ones, at 28 voxels")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    work, source = arguments.work.resolve(), arguments.work.resolve() / "source"
    npz = arguments.npz.resolve()
    convert(npz, source)
    project = make_project(work / "project")
    if arguments.compare:
        compare(project, source, arguments.seeds, work)
        return
    train(project, source, settings(CHOSEN), pipeline_names=["data_processing"])
    if arguments.choose:
        for name in CANDIDATES:
            catalog = train(project, source, settings(name), node_names=["training_3d.fold_1.train"])
            history = catalog.load("training_3d.fold_1.history")
            best = history[history["best"]].iloc[0]
            row = {"candidate": name, "val_auroc": round(best["val_auroc"], 4), "val_loss": round(best["val_loss"], 4)}
            print(
                json.dumps(row | {"epoch": int(best["epoch"]), "seconds": round(history["seconds"].sum())}), flush=True
            )
        return
    values = []
    for seed in arguments.seeds:
        catalog = train(project, source, settings(CHOSEN, seed), pipeline_names=["training_3d", "evaluation"])
        table = catalog.load("evaluation.metrics")
        row = table.query("model == 'training_3d' and part == 'held_out' and metric == 'auroc'").iloc[0]
        values.append(row["value"])
        test = {"test_auroc": round(row["value"], 4), "low": round(row["low"], 4), "high": round(row["high"], 4)}
        print(json.dumps({"seed": seed} | test), flush=True)
    print(json.dumps({"seeds": len(values), "mean": round(float(np.mean(values)), 4), "published": PUBLISHED}))


if __name__ == "__main__":
    main()

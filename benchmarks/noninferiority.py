"""Is the default 3D network as good as one with the original's stem, which costs several times as much?

    python benchmarks/noninferiority.py --work FOLDER [--seeds 0 1 2] [--held-out 156] [--margin 0.05]

Both are trained with the default parameters on as many eyes as the default phantom gives (36, in three folds), once
per fold and seed, and judged by held-out eyes, of which there are more than the default's 12, since an eye that only
judges is cheap. Printed are the AUROCs of every training on the held-out eyes, and the paired interval of the
difference of their means over held-out eyes and over trainings, both drawn anew; the default is not inferior if that
interval lies above minus the margin. The original's stem strides by 1 in depth; widths and norm are the default's. It
can be interrupted and run again.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from scratch import make_project, paired_gain, run

NETWORKS: dict[str, dict[str, Any]] = {
    "default": {},
    "original": {"stem_stride": [1, 2, 2]},
}
LEARN, DISEASES, FOLDS = 36, ("NORMAL", "DR", "CNV"), (1, 2, 3)
PHANTOM_SEED = 2  # settings were chosen on 1


def cohort_params(held_out: int) -> dict[str, Any]:
    """A phantom with LEARN eyes to learn from and `held_out` others."""
    eyes = LEARN + held_out
    return {
        "phantom": {"seed": PHANTOM_SEED, "subjects": {word: eyes // len(DISEASES) for word in DISEASES}},
        "splits": {"hold_out": held_out / eyes},
    }


def predictions(project: Path, work: Path, name: str, seed: int, params: dict[str, Any]) -> pd.DataFrame:
    """Predictions of one network and seed, every fold, made once."""
    kept = work / f"{name}-{seed}.csv"
    if not kept.is_file():
        training = {"training_3d": {"model": NETWORKS[name], "seed": seed}}
        catalog = run(project, params | training, pipeline_names=["training_3d"])
        pd.concat([catalog.load(f"training_3d.fold_{n}.predictions") for n in FOLDS]).to_csv(kept, index=False)
    return pd.read_csv(kept)


def main() -> None:
    """Make the cohort, train, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--held-out", type=int, default=156)
    parser.add_argument("--margin", type=float, default=0.05)
    given = parser.parse_args()
    if given.held_out < len(DISEASES) or given.held_out % len(DISEASES):
        parser.error(f"--held-out {given.held_out}: give a multiple of {len(DISEASES)}, as many eyes of each disease")
    work = given.work.resolve()
    project, params = make_project(work / "project"), cohort_params(given.held_out)
    run(project, params, pipeline_names=["phantom", "data_processing"])
    found: dict[str, list[Any]] = {name: [] for name in NETWORKS}
    for seed in given.seeds:
        for name in NETWORKS:
            table = predictions(project, work, name, seed, params)
            values = {}
            for fold in FOLDS:
                rows = table.query("part == 'held_out' and fold == @fold").set_index("subject").sort_index()
                target = rows["target"].to_numpy()
                found[name].append(rows["probability"].to_numpy())
                values[fold] = round(float(roc_auc_score(target, found[name][-1])), 3)
            learned = table.query("part == 'out_of_fold'")
            out_of_fold = round(float(roc_auc_score(learned["target"], learned["probability"])), 3)
            line = {"network": name, "seed": seed, "held_out": values, "out_of_fold": out_of_fold, "eyes": len(target)}
            print(json.dumps(line), flush=True)
    gain, low, high = paired_gain(target, found["default"], found["original"], draw_repetitions=True)
    means = {name: round(float(np.mean([roc_auc_score(target, p) for p in found[name]])), 3) for name in NETWORKS}
    verdict = "not inferior" if low > -given.margin else "not shown"
    difference = {"default - original": round(gain, 3), "low": round(low, 3), "high": round(high, 3)}
    print(json.dumps({"mean": means} | difference | {"verdict": verdict}))


if __name__ == "__main__":
    main()

"""Is the default 3D network as good as one with the original's stem, which costs several times as much?

    python benchmarks/noninferiority.py --work FOLDER [--seeds 0 1 2] [--phantom-seed 2] [--held-out 156]

Both are trained with the default parameters on as many eyes as the default phantom gives (36, in three folds), once
per fold and seed, and judged by held-out eyes, of which there are more than the default's 12, since an eye that only
judges is cheap. Printed are the AUROCs of every training on the held-out eyes, and paired intervals of the difference
between the networks, over held-out eyes and over trainings, both drawn anew; the default is not inferior if an
interval lies above minus the margin. One interval is of single trainings, the other of the mean probability of a
seed's three folds, which is what the mission's report says of held-out eyes. The original's stem strides by 1 in
depth; widths and norm are the default's. It can be interrupted and run again.
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


def cohort_params(held_out: int, phantom_seed: int) -> dict[str, Any]:
    """A phantom with LEARN eyes to learn from and `held_out` others."""
    eyes = LEARN + held_out
    return {
        "phantom": {"seed": phantom_seed, "subjects": {word: eyes // len(DISEASES) for word in DISEASES}},
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


def auroc(target: pd.Series, probability: Any) -> float:
    """Of one column of probabilities."""
    return round(float(roc_auc_score(target, probability)), 3)


def main() -> None:
    """Make the cohort, train, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--phantom-seed", type=int, default=2, help="settings were chosen on 1")
    parser.add_argument("--held-out", type=int, default=156)
    parser.add_argument("--margin", type=float, default=0.05)
    given = parser.parse_args()
    if given.held_out < len(DISEASES) or given.held_out % len(DISEASES):
        parser.error(f"--held-out {given.held_out}: give a multiple of {len(DISEASES)}, as many eyes of each disease")
    work = given.work.resolve()
    project, params = make_project(work / "project"), cohort_params(given.held_out, given.phantom_seed)
    run(project, params, pipeline_names=["phantom", "data_processing"])
    single: dict[str, list[Any]] = {name: [] for name in NETWORKS}
    pooled: dict[str, list[Any]] = {name: [] for name in NETWORKS}
    for seed in given.seeds:
        for name in NETWORKS:
            table = predictions(project, work, name, seed, params)
            by_fold = table.query("part == 'held_out'").pivot(index="subject", columns="fold", values="probability")
            target = table.query("part == 'held_out' and fold == 1").set_index("subject")["target"].loc[by_fold.index]
            single[name] += [by_fold[fold].to_numpy() for fold in FOLDS]
            pooled[name].append(by_fold.mean(axis=1).to_numpy())
            found = {str(fold): auroc(target, by_fold[fold]) for fold in FOLDS} | {
                "mean of folds": auroc(target, pooled[name][-1])
            }
            print(json.dumps({"network": name, "seed": seed, "eyes": len(target)} | found), flush=True)
    for what, scores in (("single trainings", single), ("means of folds", pooled)):
        gain, low, high = paired_gain(target.to_numpy(), *scores.values(), draw_repetitions=True)
        means = {name: round(float(np.mean([auroc(target, p) for p in scores[name]])), 3) for name in NETWORKS}
        difference = {"default - original": round(gain, 3), "low": round(low, 3), "high": round(high, 3)}
        verdict = "not inferior" if low > -given.margin else "not shown"
        print(json.dumps({"judged": what} | means | difference | {"verdict": verdict}))


if __name__ == "__main__":
    main()

"""Is the default 3D network as good as one with the original's stem, which costs several times as much?

    python benchmarks/noninferiority.py --work FOLDER [--seeds 0 1] [--margin 0.05]

Both are trained on the default phantom with the default parameters, every fold, once per seed. Printed are AUROCs out
of fold and the paired interval of their difference over subjects; the default is not inferior if that interval lies
above minus the margin. The original's stem strides by 1 in depth, and its norm is batch norm; widths are the
default's. It can be interrupted and run again.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.metrics import roc_auc_score

from scratch import make_project, paired_gain, run

NETWORKS: dict[str, dict[str, Any]] = {
    "default": {},
    "original": {"stem_stride": [1, 2, 2], "norm": "batch", "norm_stages": False},
}


def predictions(project: Path, work: Path, name: str, seed: int) -> pd.DataFrame:
    """Out-of-fold predictions of one network and seed, made once."""
    kept = work / f"{name}-{seed}.csv"
    if not kept.is_file():
        params = {"training_3d": {"model": NETWORKS[name], "seed": seed}}
        catalog = run(project, params, pipeline_names=["training_3d"])
        folds = [catalog.load(f"training_3d.fold_{n}.predictions") for n in (1, 2, 3)]
        pd.concat(folds).query("part == 'out_of_fold'").to_csv(kept, index=False)
    return pd.read_csv(kept).set_index("subject").sort_index()


def main() -> None:
    """Make the cohort, train, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--margin", type=float, default=0.05)
    given = parser.parse_args()
    work = given.work.resolve()
    project = make_project(work / "project")
    run(project, {}, pipeline_names=["phantom", "data_processing"])
    found: dict[str, list[Any]] = {name: [] for name in NETWORKS}
    for seed in given.seeds:
        for name in NETWORKS:
            table = predictions(project, work, name, seed)
            target = table["target"].to_numpy()
            found[name].append(table["probability"].to_numpy())
            value = roc_auc_score(target, table["probability"])
            print(json.dumps({"network": name, "seed": seed, "auroc": round(value, 3), "eyes": len(table)}), flush=True)
    gain, low, high = paired_gain(target, found["default"], found["original"])
    verdict = "not inferior" if low > -given.margin else "not shown"
    print(
        json.dumps(
            {"default - original": round(gain, 3), "low": round(low, 3), "high": round(high, 3)} | {"verdict": verdict}
        )
    )


if __name__ == "__main__":
    main()

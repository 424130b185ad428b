"""How mild a disease does the default 3D network still see, and how much do more eyes to learn from help?

    python benchmarks/detection_limits.py --work FOLDER [--learn 36 72] [--judge 80] [--figure limits.png]

Networks with the default parameters learn from default phantoms (severity .7 to 1) of different sizes, three folds
each. All judge the same other phantom, whose diseased eyes have every severity from 0 (healthy) to 1: per disease and
fifth of that range, the AUROC against its NORMAL eyes, mean over folds, with a 95 % bootstrap interval over eyes. At
severity 0 it must be about .5. It can be interrupted and run again.
"""

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.phantom.plan import plan_cohort
from octa_kedro.training.checkpoint import Checkpoint, restore_model
from octa_kedro.training.predict import class_probabilities
from scratch import make_project, run

DISEASES, FOLDS = ("NORMAL", "DR", "CNV"), (1, 2, 3)
BANDS, LEAST = np.linspace(0, 1, 6), 20
JUDGED_SEED, HOLD_OUT, RESAMPLES = 101, 0.25, 1000


def learn(work: Path, eyes: int) -> list[Checkpoint]:
    """Networks that learnt from a default phantom with `eyes` development eyes, one per fold."""
    project = make_project(work / f"learn-{eyes}")
    each = round(eyes / (1 - HOLD_OUT) / len(DISEASES))
    params = {"phantom": {"subjects": dict.fromkeys(DISEASES, each)}, "splits": {"hold_out": HOLD_OUT}}
    catalog = run(project, params, pipeline_names=["phantom", "data_processing", "training_3d"])
    return [catalog.load(f"training_3d.fold_{n}.checkpoint") for n in FOLDS]


def judged_eyes(work: Path, each: int) -> tuple[Any, pd.DataFrame]:
    """Processed volumes of eyes of every severity, and a row for each: subject, disease, severity."""
    settings = {"seed": JUDGED_SEED, "subjects": dict.fromkeys(DISEASES, each), "severity": [0.0, 1.0]}
    catalog = run(make_project(work / "judge"), {"phantom": settings}, pipeline_names=["phantom", "data_processing"])
    volumes = catalog.load("processed_volumes")
    table = plan_cohort(PhantomConfig.model_validate(settings)).rename(columns={"ID": "subject", "Disease": "disease"})
    table["subject"] = table["subject"].astype(str)
    return volumes, table[table["subject"].isin(list(volumes))].reset_index(drop=True)


def probabilities(checkpoint: Checkpoint, volumes: Any, table: pd.DataFrame) -> NDArray[np.float64]:
    """Of disease, per row. The guard against leaks is not asked: eyes of another phantom may bear the same number."""
    model, card = restore_model(checkpoint), checkpoint.card
    return class_probabilities(model, card, volumes, table["subject"].tolist())[:, 1]


def limits(table: pd.DataFrame, found: list[NDArray[np.float64]]) -> pd.DataFrame:
    """Mean AUROC over folds of each disease and band of severity against NORMAL, and its interval."""
    rng, normal, rows = np.random.default_rng(0), np.flatnonzero(table["disease"] == "NORMAL"), []

    def mean_auroc(chosen: NDArray[np.int64], target: NDArray[np.int64]) -> float:
        return float(np.mean([roc_auc_score(target, one[chosen]) for one in found]))

    for disease in DISEASES[1:]:
        band = np.clip(np.digitize(table["severity"], BANDS) - 1, 0, len(BANDS) - 2)
        for number, (low, high) in enumerate(pairwise(BANDS)):
            ill = np.flatnonzero((table["disease"] == disease) & (band == number))
            target = np.repeat([0, 1], [len(normal), len(ill)])
            draws = [
                mean_auroc(np.concatenate([rng.choice(normal, len(normal)), rng.choice(ill, len(ill))]), target)
                for _ in range(RESAMPLES)
            ]
            value = mean_auroc(np.concatenate([normal, ill]), target)
            interval = np.percentile(draws, [2.5, 97.5])
            rows.append((disease, low, high, len(ill), value, *interval))
    return pd.DataFrame(rows, columns=["disease", "from", "to", "eyes", "auroc", "low", "high"])


def print_table(table: pd.DataFrame) -> None:
    """Markdown: a row per disease, a column per band of severity."""
    print(f"| severity | {' | '.join(f'{low:.1f}-{high:.1f}' for low, high in pairwise(BANDS))} |")
    print("|" + "---|" * len(BANDS))
    for disease, rows in table.groupby("disease", sort=False):
        cells = [f"{row.auroc:.2f} [{row.low:.2f}, {row.high:.2f}]" for row in rows.itertuples()]
        print(f"| {disease} | {' | '.join(cells)} |", flush=True)


def draw(tables: dict[int, pd.DataFrame]) -> plt.Figure:
    """AUROC over severity, one panel per disease, one line per number of eyes."""
    figure, panels = plt.subplots(1, len(DISEASES) - 1, figsize=(9, 4), sharey=True, layout="constrained")
    for panel, disease in zip(panels, DISEASES[1:], strict=True):
        for shift, (eyes, table) in enumerate(tables.items()):
            rows = table[table["disease"] == disease]
            middle = (rows["from"] + rows["to"]) / 2 + 0.012 * (shift - (len(tables) - 1) / 2)
            spread = [rows["auroc"] - rows["low"], rows["high"] - rows["auroc"]]
            panel.errorbar(
                middle, rows["auroc"], yerr=spread, marker="o", capsize=2, label=f"{eyes} eyes to learn from"
            )
        panel.axhline(0.5, color="0.6", linewidth=1)
        panel.set(title=f"{disease} against NORMAL", xlabel="severity", xlim=(0, 1), ylim=(0.2, 1.02))
    panels[0].set_ylabel("AUROC, mean of three folds, 95 % interval")
    panels[-1].legend(loc="lower right")
    return figure


def main() -> None:
    """Learn, judge, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--learn", type=int, nargs="+", default=[36, 72], help="development eyes")
    parser.add_argument("--judge", type=int, default=80, help="eyes of each disease that judge")
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    if given.judge < LEAST:
        parser.error(f"--judge {given.judge}: at least {LEAST}, or a fifth of the severities may have no eye")
    work = given.work.resolve()
    figure = given.figure.resolve() if given.figure else None
    volumes, table = judged_eyes(work, given.judge)
    tables = {}
    for eyes in given.learn:
        found = [probabilities(checkpoint, volumes, table) for checkpoint in learn(work, eyes)]
        tables[eyes] = limits(table, found)
        overall = np.mean([roc_auc_score(table["disease"] != "NORMAL", one) for one in found])
        print(f"\n{eyes} eyes to learn from; all severities and diseases: AUROC {overall:.2f}\n")
        print_table(tables[eyes])
    if figure:
        draw(tables).savefig(figure, dpi=110)


if __name__ == "__main__":
    main()

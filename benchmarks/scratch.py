"""Projects of their own, so that what a benchmark makes stays out of the repository's data."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

ROOT = Path(__file__).parents[1]


def make_project(folder: Path) -> Path:
    """This repository's configuration in a folder, which may hold results already; without conf/local, which is
    somebody's own and counts in every run."""
    shutil.copytree(ROOT / "conf", folder / "conf", dirs_exist_ok=True, ignore=shutil.ignore_patterns("local"))
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, folder)
    (folder / "src").mkdir(exist_ok=True)
    return folder


def run(project: Path, params: dict[str, Any], *, env: str | None = None, **what: Any) -> Any:
    """One Kedro run with the installed code; the catalog afterwards."""
    os.chdir(project)
    bootstrap_project(project)
    with KedroSession.create(project, env=env, runtime_params=params) as session:
        session.run(**what)
        return session.load_context()._get_catalog()


def paired_gain(
    target: NDArray[np.int64],
    ours: list[NDArray[np.float64]],
    theirs: list[NDArray[np.float64]],
    *,
    draws: int = 2000,
    draw_repetitions: bool = False,
) -> tuple[float, float, float]:
    """How much higher the mean AUROC over repetitions of `ours` is than that of `theirs`, and the 95 % interval of a
    bootstrap over subjects, who are the same for both; `draw_repetitions` draws the repetitions anew too, each of
    `ours` together with its partner, so that the interval says what other trainings would give."""

    def gains(chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        pairs = zip(ours, theirs, strict=True)
        return np.array([np.subtract(*(roc_auc_score(target[chosen], one[chosen]) for one in pair)) for pair in pairs])

    rng, n = np.random.default_rng(0), len(target)
    drawn = (rng.integers(0, n, n) for _ in range(draws))
    each = np.array([gains(chosen) for chosen in drawn if len(set(target[chosen].tolist())) == 2])
    if draw_repetitions:
        each = np.take_along_axis(each, rng.integers(0, len(ours), each.shape), axis=1)
    low, high = np.percentile(each.mean(axis=1), [2.5, 97.5])
    return float(gains(np.arange(n)).mean()), float(low), float(high)

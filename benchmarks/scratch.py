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
    """This repository's configuration in a folder, which may hold results already."""
    shutil.copytree(ROOT / "conf", folder / "conf", dirs_exist_ok=True)
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
    target: NDArray[np.int64], ours: list[NDArray[np.float64]], theirs: list[NDArray[np.float64]], draws: int = 2000
) -> tuple[float, float, float]:
    """How much higher the mean AUROC over repetitions of `ours` is than that of `theirs`, and the 95 % interval of a
    bootstrap over subjects, who are the same for both."""

    def gain(chosen: NDArray[np.int64]) -> float:
        means = [
            np.mean([roc_auc_score(target[chosen], one[chosen]) for one in repetitions])
            for repetitions in (ours, theirs)
        ]
        return float(means[0] - means[1])

    rng, n = np.random.default_rng(0), len(target)
    drawn = (rng.integers(0, n, n) for _ in range(draws))
    gains = [gain(chosen) for chosen in drawn if len(set(target[chosen].tolist())) == 2]
    low, high = np.percentile(gains, [2.5, 97.5])
    return gain(np.arange(n)), float(low), float(high)

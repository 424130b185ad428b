"""Data that several tests share, all of it made here.

Torch and what reads and makes eyes are imported where they are needed: processes that tests start import this file.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import settings
from PIL import Image

from octa_kedro.io.volume import Volume, scan_affine

if TYPE_CHECKING:
    from octa_kedro.io.release import Octa500Release
    from octa_kedro.io.release_writer import PhantomCohort

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("OCTA_SHARED_DATA", ROOT.parent / "shared" / "data"))
# The same examples in every run, however slow the machine is; no folder of its own is written.
settings.register_profile("octa", derandomize=True, deadline=None, database=None)
settings.load_profile("octa")
ABREAST = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    import torch

    # Processes side by side share the cores; fewer threads can be asked for by OMP_NUM_THREADS.
    torch.set_num_threads(max(1, min(2, torch.get_num_threads()) // ABREAST))
    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session")
def phantom_cohort() -> PhantomCohort:
    """Four small eyes of each class: those of the test environment, so that its runs find them made."""
    from octa_kedro.phantom.cohort import cohort_recipes
    from octa_kedro.phantom.config import PhantomConfig

    files = (ROOT / "conf" / name for name in ("base/parameters_phantom.yml", "test/parameters.yml"))
    base, test = (yaml.safe_load(file.read_text())["phantom"] for file in files)
    return cohort_recipes(PhantomConfig.model_validate(base | test))


@pytest.fixture(scope="session")
def phantom_root(phantom_cohort: PhantomCohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small cohort on disk, made once for all test processes; read only, take `release_copy` to change it."""
    from octa_kedro.io.release_writer import write_release

    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    root = folder / "phantom"
    with (folder / "phantom.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            partial = folder / "phantom.partial"
            write_release(partial, phantom_cohort.table, phantom_cohort.recipes, workers=1)
            partial.rename(root)
    return root


@pytest.fixture
def release_copy(phantom_root: Path, tmp_path: Path) -> Path:
    """A copy of the small cohort that a test may damage."""
    return Path(shutil.copytree(phantom_root, tmp_path / "copy"))


@pytest.fixture
def release(phantom_root: Path) -> Octa500Release:
    from octa_kedro.io.release import Octa500Release

    return Octa500Release(phantom_root)


@pytest.fixture
def volume() -> Volume:
    """A non-cubic scan of random grey levels, 3 x 3 x 2 mm."""
    array = np.random.default_rng(0).integers(1, 90, (20, 16, 40)).astype(np.uint8)
    return Volume(array, scan_affine(array.shape, (3.0, 3.0, 2.0)), "OCTA", "OD", "eye 1")


def write_bscans(folder: Path, array: np.ndarray) -> None:
    """`array` ``[x, y, z]`` as 1.bmp, 2.bmp, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(array.shape[1]):
        Image.fromarray(np.ascontiguousarray(array[:, number].T)).save(folder / f"{number + 1}.bmp")


def splits_table(n: int = 24) -> pd.DataFrame:
    """Subjects s00 .. with two classes, a quarter held out and three folds."""
    target = np.arange(n) % 2
    return pd.DataFrame(
        {
            "subject": [f"s{i:02d}" for i in range(n)],
            "disease": np.where(target, "DR", "NORMAL"),
            "label": np.where(target, "DISEASED", "NORMAL"),
            "target": target,
            "held_out": np.arange(n) >= 3 * n // 4,
            "fold": np.where(np.arange(n) >= 3 * n // 4, 0, (np.arange(n) // 2) % 3 + 1),
        }
    )

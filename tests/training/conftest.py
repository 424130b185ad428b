"""Small stored images in which the class can be seen."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from octa_kedro.cohort.splits import fold_table
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.recipe import Job, Recipe
from octa_kedro.results.result import Result
from octa_kedro.results.store import Store
from octa_kedro.results.stored import Stored
from octa_kedro.training.config import AutoencoderConfig, TrainingConfig
from tests.conftest import splits_table

MODEL_3D = {"name": "resnet10", "spatial_dims": 3, "widths": [4, 4, 8, 8]}


def blob_volume(index: int, diseased: bool) -> Volume:
    """Noise, and in a diseased eye a bright blob."""
    rng = np.random.default_rng(index)
    array = (rng.random((32, 32, 32)) * 0.4).astype(np.float32)
    if diseased:
        x, y, z = rng.integers(6, 22, 3)
        array[x : x + 6, y : y + 6, z : z + 6] += 0.5
    return Volume(array, np.eye(4), "OCTA", "OD", f"eye {index}")


def store_items(folder: Path, items: dict[str, Volume | PlaneStack]) -> dict[str, Stored]:
    store = Store(folder)
    recipes = {
        s: Recipe(lambda _, item=item: {"image": Result(item, unit=True)}, {"image": f"key_{s}"})
        for s, item in items.items()
    }
    return store.open_all(store.put_all(Job(recipes, "image", ExecutionConfig(workers=1)), "test"))


@pytest.fixture(scope="session")
def splits() -> pd.DataFrame:
    return splits_table()


@pytest.fixture(scope="session")
def table(splits: pd.DataFrame) -> pd.DataFrame:
    return fold_table(splits, 1)


@pytest.fixture(scope="session")
def volumes(splits: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stored]:
    rows = zip(splits["subject"], splits["target"], strict=True)
    items = {s: blob_volume(i, bool(t)) for i, (s, t) in enumerate(rows)}
    return store_items(tmp_path_factory.mktemp("volumes"), items)


@pytest.fixture(scope="session")
def planes(volumes: dict[str, Stored], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stored]:
    items = {}
    for subject, stored in volumes.items():
        array = stored().array
        stack = np.stack([array.max(2), array.mean(2)], axis=2)
        items[subject] = PlaneStack(stack, np.eye(4), ("ILM_OPL", "OPL_BM"), "OD", subject)
    return store_items(tmp_path_factory.mktemp("planes"), items)


@pytest.fixture
def config() -> TrainingConfig:
    return TrainingConfig.model_validate(
        {"model": MODEL_3D, "max_epochs": 3, "batch_size": 4, "optimiser": {"learning_rate": 0.003}, "device": "cpu"}
    )


@pytest.fixture
def encoder_config() -> AutoencoderConfig:
    return AutoencoderConfig.model_validate({"model": MODEL_3D, "max_epochs": 2, "device": "cpu"})

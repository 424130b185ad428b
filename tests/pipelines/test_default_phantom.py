"""The figures that the default phantom has to give; minutes long."""

from pathlib import Path

import pandas as pd
import pytest

from tests.pipelines.conftest import catalog, new_project, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = new_project(tmp_path_factory.mktemp("default"))
    run(project, env="local")
    return project


def auroc(project: Path, model: str, part: str) -> pd.Series:
    metrics = catalog(project, env="local").load("evaluation.metrics")
    return metrics.query(f"model == '{model}' and part == '{part}' and metric == 'auroc'").iloc[0]


def test_volumes_are_told_apart_and_depth_profiles_are_not(default: Path):
    assert auroc(default, "training_3d", "out_of_fold")["n_eyes"] == 36
    assert auroc(default, "training_3d", "out_of_fold")["value"] >= 0.90
    assert auroc(default, "floor_depth_profile", "out_of_fold")["value"] <= 0.75


def test_maps_of_cnv_eyes_are_scored_with_interval_and_chance(default: Path):
    summary = catalog(default, env="local").load("explainability.training_3d.summary")
    row = summary.query("disease == 'CNV' and part == 'all' and method == 'map'").iloc[0]
    assert row["n"] >= 8
    assert row["low"] <= row["rate"] <= row["high"]
    assert 0.2 < row["chance_slab_share"] < 0.8
    assert row["cell_depth_mm"] <= 0.1

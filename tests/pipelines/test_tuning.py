"""The search as a pipeline: two trials on a tiny phantom, gone on with by a second run."""

from pathlib import Path

import pandas as pd
import pytest

from octa_kedro.configuration.structure import Structure
from octa_kedro.errors import ConfigError, OctaError, user_error
from octa_kedro.pipeline_registry import build_pipelines
from octa_kedro.training.checkpoint import load_checkpoint
from tests.pipelines.conftest import catalog, new_project, run


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, phantom_root: Path) -> Path:
    """A project with processed eyes, in which the search has been run for one trial and then for the second."""
    project = new_project(tmp_path_factory.mktemp("search"), phantom_root)
    run(project, pipeline_names=["data_processing"])
    run(project, pipeline_names=["tuning"], params={"tuning": {"trials": 1}})
    run(project, pipeline_names=["tuning"])
    return project


def test_it_leaves_trials_best_parameters_figure_and_report(searched: Path):
    loaded = catalog(searched)
    trials, best = loaded.load("tuning.training_3d.trials"), loaded.load("tuning.training_3d.best")
    assert trials["state"].tolist() == ["complete", "complete"]
    assert trials["value"].tolist() == pytest.approx(trials[["fold_1", "fold_2"]].mean(axis=1).tolist())
    assert best["value"] == pytest.approx(trials["value"].max())
    assert best["parameters"]["training_3d"]
    assert best["command"] in loaded.load("tuning.training_3d.report")
    figure = next((searched / "data/test/08_reporting/tuning_training_3d.png").glob("*/*.png"))
    assert figure.stat().st_size > 10_000


def test_the_first_trial_is_not_repeated(searched: Path):
    versions = sorted((searched / "data/test/08_reporting/tuning_training_3d.csv").glob("*/*.csv"))
    first, both = (pd.read_csv(version) for version in versions)
    pd.testing.assert_frame_equal(first, both.iloc[:1], check_dtype=False)  # seconds too


def test_a_training_with_the_best_parameters_repeats_the_trial(searched: Path):
    best = catalog(searched).load("tuning.training_3d.best")
    version = run(searched, node_names=["training_3d.fold_1.train"], params=best["parameters"])
    folder = searched / "data/test/06_models/training_3d/fold_1/checkpoint.safetensors" / version
    card = load_checkpoint(folder / "checkpoint.safetensors").card
    assert card.metrics["val_auroc"] == best["folds"]["1"]
    assert card.epoch == best["epochs"]["1"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"tuning": {"space": {"augmentation": {"shft": {"low": 0, "high": 0.1}}}}}, "did you mean shift"),
        ({"tuning": {"folds": [3]}}, "there is no fold 3"),
        ({"training_3d": {"max_epochs": 3}}, "training_3d.max_epochs was 2 and is 3"),
    ],
)
def test_bad_searches_are_one_line(searched: Path, params: dict, message: str):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Kedro wraps what a node raises
        run(searched, pipeline_names=["tuning"], params=params)
    found = user_error(caught.value)
    assert isinstance(found, ConfigError | OctaError)
    assert message in str(found)


def test_it_is_on_demand_and_needs_everything_stored():
    facts = {"source": "phantom", "folds": 2, "pretraining": True, "models": {"training_3d": 3, "training_2d": 2}}
    pipelines = build_pipelines(Structure.model_validate(facts | {"tune": ["training_3d", "training_2d"]}))
    assert not {node.name for node in pipelines["tuning"].nodes} & {
        node.name for node in pipelines["__default__"].nodes
    }
    net_2d = next(node for node in pipelines["tuning"].nodes if "2d" in node.name)
    assert "enface_maps" in net_2d.inputs
    assert not any("pretraining" in name for name in net_2d.inputs)
    assert "tuning" not in build_pipelines(Structure.model_validate(facts))
    with pytest.raises(ValueError, match="tune: other is not among the models"):
        Structure.model_validate(facts | {"tune": ["other"]})

"""Folds that are trained with several seeds: how pipelines are built, and a small mission."""

import logging
import shutil
from pathlib import Path

import pytest
import yaml

from octa_kedro.configuration.structure import Structure
from octa_kedro.pipeline_registry import build_pipelines
from tests.faults.projects import nifti_project
from tests.pipelines.conftest import catalog, kedro, run

FACTS = {"source": "phantom", "folds": 2, "pretraining": True, "models": {"training_3d": 3, "training_2d": 2}}
PLACES = ["fold_1", "fold_1.seed_2", "fold_2", "fold_2.seed_2"]


@pytest.fixture(scope="module")
def pipelines() -> dict:
    return build_pipelines(
        Structure.model_validate(FACTS | {"seeds": 2, "explain": ["training_3d"], "tune": ["training_3d"]})
    )


@pytest.mark.filterwarnings("ignore:One or more dataset names contain")
def test_further_seeds_have_namespaces_of_their_own_and_the_first_keeps_its(pipelines: dict):
    names = {node.name for node in pipelines["training_3d"].nodes}
    assert names == {f"training_3d.{place}.{step}" for place in PLACES for step in ("train", "predict")}
    once = build_pipelines(Structure.model_validate(FACTS))["training_3d"]
    assert {node.name for node in once.nodes} < names
    assert once.all_outputs() < pipelines["training_3d"].all_outputs()


def test_every_seed_starts_from_the_pretraining_of_its_fold(pipelines: dict):
    assert len(pipelines["pretraining"].nodes) == 2
    nodes = {node.name: node for node in pipelines["training_3d"].nodes}
    for place in PLACES:
        inputs = nodes[f"training_3d.{place}.train"].inputs
        assert f"pretraining.{place[:6]}.checkpoint" in inputs
        assert f"splits_{place[:6]}" in inputs
        assert f"training_3d.{place}.run_folders" in inputs
    assert {node.func.__name__ for node in nodes.values()} == {"train_fold", "apply_fold"}


def test_evaluation_and_maps_read_every_network_and_a_search_reads_folds(pipelines: dict):
    for kind, pipeline in (("predictions", "evaluation"), ("seen", "evaluation"), ("history", "evaluation")):
        wanted = {f"{model}.{place}.{kind}" for model in FACTS["models"] for place in PLACES}
        assert wanted <= pipelines[pipeline].inputs()
    read = pipelines["explainability"].inputs()
    assert {f"training_3d.{place}.checkpoint" for place in PLACES} <= read
    assert not any("seed_2" in name for name in pipelines["tuning"].inputs())


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], str]:
    """A small mission with one seed and then with two; the weights after the first, and the second's log."""
    project = tmp_path_factory.mktemp("seeded") / "project"
    nifti_project(project)
    run(project, env="nifti_folder", pipeline_names=["data_processing", "training_3d"])
    before = weights_of(project)
    (project / "conf/local/structure.yml").write_text(yaml.safe_dump({"seeds": 2}))
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("octa_kedro")
    log.addHandler(handler)
    try:
        run(project, env="nifti_folder")
    finally:
        log.removeHandler(handler)
    return project, before, "\n".join(lines)


def weights_of(project: Path) -> dict[str, str]:
    """The hash of the weights by training."""
    loaded = catalog(project, env="nifti_folder")
    there = [path.name for path in (project / "data/nifti_folder/06_models/training_3d").glob("fold_*")]
    return {place: loaded.load(f"training_3d.{place}.checkpoint").card.weights_sha256 for place in there}


@pytest.mark.slow
def test_raising_seeds_keeps_what_is_trained_already(seeded):
    project, before, lines = seeded
    after = weights_of(project)
    assert before["fold_1"] == after["fold_1"]
    assert after["fold_1.seed_2"] != after["fold_1"]
    assert "3D fold 1: was already trained with exactly these inputs" in lines


@pytest.mark.slow
def test_predictions_are_means_over_seeds_and_tables_know_both(seeded):
    loaded = catalog(seeded[0], env="nifti_folder")
    pooled = loaded.load("evaluation.predictions").query("model == 'training_3d'")
    assert set(pooled["networks"]) == {2}
    assert pooled["spread"].notna().all()
    tables = [loaded.load(f"training_3d.{place}.predictions").set_index("subject") for place in PLACES[:2]]
    mean = (tables[0]["probability"] + tables[1]["probability"]) / 2
    assert pooled.set_index("subject")["probability"].to_dict() == pytest.approx(mean.to_dict())
    variation = loaded.load("evaluation.variation").query("model == 'training_3d' and metric == 'auroc'")
    held_out = variation[variation["part"] == "held_out"]
    assert held_out.query("what == 'training'")["seed"].tolist() == [1, 2]
    assert held_out.set_index("what").loc["division", "reason"] == "the eyes were divided once, in one way"
    assert "What the AUROC depends on, held out" in loaded.load("evaluation.report")
    assert "fold 1 seed 2" in loaded.load("evaluation.report")


@pytest.mark.slow
def test_an_inference_reads_with_all_seeds_and_maps_are_means_of_them(seeded):
    project = seeded[0]
    run(project, env="nifti_folder", pipeline_names=["inference"], params={"inference": {"name": "again"}})
    report = catalog(project, env="nifti_folder", params={"inference": {"name": "again"}}).load("inference.prediction")
    assert [(one["fold"], one["seed"]) for one in report["networks"]] == [(1, 1), (1, 2)]
    maps = catalog(project, env="nifti_folder").load("explainability.training_3d.maps")
    assert set(maps) == {f"e{n}" for n in range(4, 8)}


@pytest.mark.slow
def test_a_misspelt_seed_is_told_with_what_there_is(seeded):
    result = kedro(seeded[0], "run", "--env", "nifti_folder", "--nodes", "training_3d.fold_1.sed_2.train")
    assert "did you mean training_3d.fold_1.seed_2.train" in result.stderr


@pytest.mark.slow
def test_the_second_seed_is_one_more_than_the_parameter_and_its_card_says_which(seeded, tmp_path):
    project = shutil.copytree(seeded[0], tmp_path / "project")  # fold_1 is trained again, as the others may not be
    loaded = catalog(project, env="nifti_folder")
    first, second = (loaded.load(f"training_3d.{place}.checkpoint").card for place in PLACES[:2])
    assert (first.seed, second.seed) == (1, 2)
    assert first.parameters == second.parameters  # those of the model, which all its trainings share
    run(project, env="nifti_folder", params={"training_3d": {"seed": 1}}, node_names=["training_3d.fold_1.train"])
    assert weights_of(project)["fold_1"] == second.weights_sha256

"""Settings that a run would not use are refused or warned of."""

import logging
from typing import Any

import pytest
from kedro.pipeline import Node, Pipeline

from octa_kedro.cohort.config import CohortConfig
from octa_kedro.configuration.catalog_names import judge_entry
from octa_kedro.configuration.given import Difference, Layer, differences
from octa_kedro.configuration.structure import Structure
from octa_kedro.configuration.unread import require_known_parts, require_known_tags, unread_by
from octa_kedro.configuration.without_effect import (
    stray_variables,
    switched_off,
    useless_details,
    useless_diseases,
    useless_groups,
    useless_splits,
)
from octa_kedro.errors import ConfigError
from octa_kedro.explain.config import USED_BY, ExplainConfig
from octa_kedro.explain.methods import METHODS
from octa_kedro.inference.config import InferenceConfig
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.training.config import TrainingConfig

LINE, MINE = Layer("--params", {}, asked=True), Layer("conf/local", {}, shared=True)


def changed(name: str, value: Any = 1, layer: Layer = LINE) -> Difference:
    return Difference(name, 0, value, layer)


def test_the_nearest_place_comes_first_and_then_the_largest_change():
    base = {"m": {"a": 100, "b": 1.0, "c": "x", "d": 5, "same": 1}}
    now = {"m": {"a": 90, "b": 4.0, "c": "y", "d": 6, "same": 1, "new": 7}}
    layers = [
        Layer("--params", {"m.d": 6, "m.same": 1}),
        Layer("conf/local", {"m.a": 90, "m.c": "y", "m.new": 7, "m.d": 9}),
        Layer("conf/mine", {"m.b": 4.0, "m.a": 50}),
    ]
    found = differences(now, base, layers)
    assert [(one.name, one.layer.place) for one in found] == [
        ("m.d", "--params"),
        ("m.c", "conf/local"),
        ("m.a", "conf/local"),
        ("m.new", "conf/local"),
        ("m.b", "conf/mine"),
    ]
    assert str(found[2]) == "m.a 90, not 100 (conf/local)"
    assert str(found[3]) == "m.new 7, which the base does not set (conf/local)"


STRUCTURE = Structure(source="nifti_folder", folds=1, pretraining=False, models={"training_3d": 3})
FLAT = {"processing": ProcessingConfig(depth_mm=None, slabs=())}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pretraining.max_epochs", "pretraining: false"),
        ("training_2d.seed", "no model training_2d"),
        ("phantom.seed", "the source is nifti_folder"),
        ("tuning.trials", "no model under tune"),
        ("quality.min_signal_db", "no step looks for one"),
    ],
)
def test_parameters_of_what_is_switched_off(name: str, reason: str):
    off = switched_off(STRUCTURE, FLAT, ["training_2d"])
    with pytest.raises(ConfigError, match=rf"parameter {name} \(--params\) has no effect: .*{reason}"):
        useless_groups([changed(name)], off)
    assert reason in useless_groups([changed(name, layer=MINE)], off)[0]
    assert useless_groups([changed("training_3d.seed")], off) == []


TRAINING = {"model": {"name": "resnet18"}, "optimiser": {"name": "sgd"}}
LAST = {"stop": {"keep": "last"}}


@pytest.mark.parametrize(
    ("config", "useless", "used"),
    [
        (ExplainConfig(method_3d="occlusion"), "smooth_grad_noise", "occlusion_depth_mm"),
        (ExplainConfig(), "occlusion_depth_mm", "smooth_grad_noise"),
        (ProcessingConfig(), "registration.image", "depth_slab"),
        (ProcessingConfig(depth_mm=None, slabs=()), "enface_intensity.lower", "intensity.lower"),
        (InferenceConfig(checkpoint="x.safetensors"), "model", "checkpoint"),
        (TrainingConfig.model_validate(TRAINING), "schedule.gamma", "schedule.warm_up"),
        (TrainingConfig.model_validate(TRAINING), "optimiser.momentum", "optimiser.learning_rate"),
        (TrainingConfig.model_validate(TRAINING), "loss.focal_gamma", "loss.label_smoothing"),
        (TrainingConfig.model_validate(TRAINING | LAST), "stop.patience", "stop.keep"),
        (TrainingConfig.model_validate(TRAINING | LAST), "stop.metric", "schedule.warm_up"),
    ],
)
def test_a_parameter_that_matters_only_beside_another(config: Any, useless: str, used: str):
    words = useless_details([changed(f"group.{useless}"), changed(f"group.{used}")], {"group": config})
    assert len(words) == 1
    assert words[0].startswith(f"group.{useless} 1 (--params) has no effect: group.")


def test_momentum_is_used_under_a_constant_rate():
    config = TrainingConfig.model_validate(TRAINING | {"schedule": {"name": "constant"}})
    assert useless_details([changed("m.optimiser.momentum")], {"m": config}) == []


@pytest.mark.parametrize("method", METHODS)
def test_the_parameters_of_a_method_are_those_it_looks_at(method: str):
    cells = {"depth_cell_mm", "lateral_cell_mm"} if METHODS[method].layers else set()
    assert {name for name, users in USED_BY.items() if method in users} == {*METHODS[method].parameters} - {
        "donors"
    } | cells


def test_a_disease_that_no_eye_has():
    cohort = CohortConfig(classes=("NORMAL", "DR"), diseases=("NORMAL", "DR", "CNV"))
    found = [changed(f"explainability.lesion_slabs.{name}", "OPL_BM") for name in ("dr", "CNV", "DRR")]
    (words,) = useless_diseases(found, cohort)
    assert words.startswith("explainability.lesion_slabs.DRR (--params) has no effect: no eye has this disease")
    assert useless_diseases(found, CohortConfig(classes=None, diseases=None)) == []


def test_splits_are_not_drawn_where_the_table_gives_them(tmp_path):
    (tmp_path / "subjects.csv").write_text("subject,path,label,split\n")
    seed = [changed("splits.seed")]
    assert "has a column split" in useless_splits(STRUCTURE, tmp_path, seed)[0]
    (tmp_path / "subjects.csv").write_text("subject,path,label\n")
    assert useless_splits(STRUCTURE, tmp_path, seed) == []


def test_variables_of_the_environment():
    assert stray_variables({"OCTA_DATA": "x", "HOME": "y"}) == []
    assert "OCTA_THREADS" in stray_variables({"OCTA_THREADS": "2"})[0]
    with pytest.raises(ConfigError, match="OCTA_DTA: nothing reads it, did you mean OCTA_DATA"):
        stray_variables({"OCTA_DTA": "x"})


USED, PATTERNS = ["cohort_table", "m.fold_1.history"], ["{m}.fold_{n}.history", "source"]


@pytest.mark.parametrize("name", ["cohort_table", "source", "{x}.fold_{n}.history", "m.fold_1.history"])
def test_an_entry_that_is_used(name: str, caplog: pytest.LogCaptureFixture):
    judge_entry("conf/local", name, USED, PATTERNS)
    assert not caplog.text


def test_an_entry_that_is_not_used(caplog: pytest.LogCaptureFixture):
    with pytest.raises(ConfigError, match=r"conf/local: no pipeline reads or writes it, did you mean cohort_table\?"):
        judge_entry("conf/local", "cohrt_table", USED, PATTERNS)
    with caplog.at_level(logging.WARNING):
        judge_entry("conf/local: catalog entry", "q.fold_1.history", USED, PATTERNS)
    assert "no pipeline of this environment reads or writes it" in caplog.text


PIPELINE = Pipeline([Node(lambda a, b: a, ["images", "params:training_3d"], "out", name="train", tags=["gpu"])])


def test_what_no_node_of_the_run_reads():
    found = [changed("training_3d.seed"), changed("evaluation.seed"), changed("source.path"), changed("x.y", 1, MINE)]
    words = unread_by(PIPELINE, found, {"images": "v", "volumes": "v"})
    assert words == [
        "evaluation.seed (--params): no node of this run reads it",
        "--load-versions volumes: no node of this run reads it",
    ]


def test_a_tag_that_no_node_has():
    require_known_tags(["gpu"], PIPELINE)
    with pytest.raises(ConfigError, match="--tags gpuu: no node of this run has this tag; its nodes have gpu"):
        require_known_tags(["gpu", "gpuu"], PIPELINE)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pipelines": ["trainin"]}, "--pipelines trainin: there is none of this name; did you mean training[?]"),
        ({"node_names": ["x"]}, "--nodes x: there is none of this name; kedro registry"),
        ({"from_nodes": ["mak"], "pipelines": ["training"]}, "--from-nodes mak: .* did you mean make[?]"),
        ({"to_outputs": ["c"]}, "--to-outputs c"),
    ],
)
def test_parts_of_a_run_that_do_not_exist_are_named(given: dict, words: str):
    known = {"__default__": Pipeline([]), "training": Pipeline([Node(lambda a: a, "a", "b", name="make")])}
    require_known_parts({"pipelines": ["training"], "node_names": ["make"], "from_inputs": ["a"]}, known)
    with pytest.raises(ConfigError, match=words):
        require_known_parts(given, known)

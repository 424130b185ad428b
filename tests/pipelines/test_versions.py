"""Runs can be repeated from catalog versions; nothing is stored or computed twice."""

import hashlib
from pathlib import Path

import pytest

from tests.pipelines.conftest import catalog, new_project, run

PER_EYE = ("surfaces", "processed_volumes", "enface_maps", "processed_surfaces", "processed_lesions")


def digest(project: Path, dataset: str, version: str) -> dict[str, str]:
    items = catalog(project, load_versions={dataset: version}).load(dataset)
    return {subject: hashlib.sha256(stored.path.read_bytes()).hexdigest() for subject, stored in items.items()}


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory, phantom_root: Path) -> tuple[Path, str, str]:
    """Two runs of training, the second with another percentile."""
    project = new_project(tmp_path_factory.mktemp("twice"), phantom_root)
    what = {"to_nodes": ["training_3d.fold_1.predict"]}
    params = {"training_3d": {"max_epochs": 1}}
    first = run(project, params=params, **what)
    second = run(project, params=params | {"processing": {"intensity": {"upper": 90.0}}}, **what)
    return project, first, second


def test_a_changed_parameter_makes_other_volumes_and_the_first_stay(twice):
    project, first, second = twice
    assert digest(project, "processed_volumes", first) != digest(project, "processed_volumes", second)
    for name in ("surfaces", "enface_maps", "processed_surfaces", "processed_lesions"):
        first_files, second_files = (catalog(project, load_versions={name: v}).load(name) for v in (first, second))
        assert {s: f.path for s, f in first_files.items()} == {s: f.path for s, f in second_files.items()}


def test_the_first_runs_versions_give_the_first_bytes(twice):
    project, first, second = twice
    names = ("processed_volumes", "splits_fold_1", "training_3d.fold_1.checkpoint", "training_3d.fold_1.predictions")
    model = project / "data/test/06_models/training_3d/fold_1/checkpoint.safetensors"
    weights = {v: (model / v / "checkpoint.safetensors").read_bytes() for v in (first, second)}
    assert weights[first] != weights[second]
    # Train again from the first run's volumes and splits: same inputs, same seed, same bytes.
    third = run(
        project,
        params={"training_3d": {"max_epochs": 1}},
        node_names=["training_3d.fold_1.train", "training_3d.fold_1.predict"],
        load_versions=dict.fromkeys(names[:2], first),
    )
    assert (model / third / "checkpoint.safetensors").read_bytes() == weights[first]
    output = project / "data/test/07_model_output/training_3d/fold_1/predictions.csv"
    table = {v: (output / v / "predictions.csv").read_bytes() for v in (first, second, third)}
    assert table[third] == table[first] != table[second]


def test_an_unchanged_run_stores_nothing_twice(twice):
    project, first, _ = twice
    run(project, pipeline_names=["data_processing"])
    before = sorted((p, p.stat().st_mtime_ns) for p in (project / "data").rglob("*.nii"))
    again = run(project, pipeline_names=["data_processing"])
    assert sorted((p, p.stat().st_mtime_ns) for p in (project / "data").rglob("*.nii")) == before
    for name in PER_EYE:
        assert digest(project, name, again) == digest(project, name, first)


def test_an_interrupted_run_continues_with_what_is_missing(with_release: Path, monkeypatch: pytest.MonkeyPatch):
    from octa_kedro.preprocessing import eye

    project = with_release
    whole, made = eye.process_volume, []

    def limited(*arguments):
        if len(made) == 5:
            raise KeyboardInterrupt
        made.append(1)
        return whole(*arguments)

    monkeypatch.setattr(eye, "process_volume", limited)
    with pytest.raises(KeyboardInterrupt):
        run(project, to_nodes=["process_eyes"], from_nodes=["read_cohort"])
    assert not catalog(project).exists("processed_volumes")
    calls = []
    monkeypatch.setattr(eye, "process_volume", lambda *a: (calls.append(1), whole(*a))[1])
    run(project, to_nodes=["process_eyes"], from_nodes=["read_cohort"])
    assert len(calls) == 12 - 5

"""Which versions a run reads."""

from pathlib import Path

import pytest
from kedro.io import DataCatalog, Version
from kedro.pipeline import Node, Pipeline
from kedro_datasets.text import TextDataset

from octa_kedro.datasets.checkpoint import ModelFolderDataset
from octa_kedro.datasets.source import SourceDataset
from octa_kedro.inference.config import InferenceConfig
from octa_kedro.running.run_versions import reads_of, settle_versions, writes_of

EARLIER, MINE, LATER = (f"2026-05-05T12.00.00.00{n}Z" for n in (1, 5, 9))


def text(path: Path, *there: str, load: str | None = None) -> TextDataset:
    for version in there:
        folder = path / version
        folder.mkdir(parents=True)
        (folder / path.name).write_text(f"of {version}")
    return TextDataset(filepath=str(path), version=Version(load, MINE))


def same(given: object) -> object:
    return given


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline([Node(same, "given", "made", name="make"), Node(same, "made", "used", name="use")])


def catalog(folder: Path, *, load: str | None = None) -> DataCatalog:
    names = {"given": (EARLIER, LATER), "made": (EARLIER, LATER), "used": ()}
    return DataCatalog({n: text(folder / n, *v, load=load if n == "given" else None) for n, v in names.items()})


def test_a_run_reads_what_it_has_saved_whatever_is_newer(tmp_path: Path, pipeline: Pipeline):
    settle_versions(pipeline, found := catalog(tmp_path), MINE)
    found["made"].save("mine")
    assert found["made"].load() == "mine"


def test_what_it_does_not_make_is_the_newest_at_its_beginning(tmp_path: Path, pipeline: Pipeline):
    found = catalog(tmp_path)
    settle_versions(pipeline, found, MINE)
    text(tmp_path / "given", "2026-05-05T12.00.00.004Z")
    assert found["given"].load() == f"of {EARLIER}"


def test_a_version_that_is_asked_for_stays(tmp_path: Path, pipeline: Pipeline):
    settle_versions(pipeline, found := catalog(tmp_path, load=LATER), MINE)
    assert found["given"].load() == f"of {LATER}"


def test_what_a_run_reads_of_others_and_saves(tmp_path: Path, pipeline: Pipeline):
    found = catalog(tmp_path)
    assert reads_of(pipeline, found, []) == {"given": [tmp_path / "given"]}
    assert reads_of(pipeline, found, ["given"]) == {}
    assert writes_of(pipeline, found) == [tmp_path / "made", tmp_path / "used"]


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"model": "training_2d"}, "models/training_2d"),
        ({"model": "training_2d", "checkpoint": "a.safetensors"}, "a.safetensors"),
        ({"model": "training_2d", "checkpoints": "folder"}, "folder"),
        (InferenceConfig(model="training_2d"), "models/training_2d"),
    ],
)
def test_an_inference_reads_the_networks_that_it_takes(settings: dict[str, str] | InferenceConfig, path: str):
    models = ModelFolderDataset(filepath="models", relative_to={"path": "."}, folds=1, version=Version(None, MINE))
    found = DataCatalog({"models": models})
    found["params:inference"] = settings
    pipeline = Pipeline([Node(lambda one, other: (one, other), ["models", "params:inference"], "read", name="read")])
    assert reads_of(pipeline, found, []) == {"models": [Path(path)]}
    settle_versions(pipeline, found, MINE)
    assert models.load().until == MINE


def test_scans_that_are_being_written_are_no_source_of_another_run(tmp_path: Path):
    found = DataCatalog({"source": SourceDataset(filepath=str(tmp_path / "phantom"))})
    assert writes_of(Pipeline([Node(same, "plan", "source", name="write")]), found) == [tmp_path / "phantom"]
    assert reads_of(Pipeline([Node(same, "source", "table", name="read")]), found, []) == {
        "source": [tmp_path / "phantom"]
    }

"""A finished project in which versions are mixed up, files are edited, and checkpoints and manifests damaged."""

import json
import shutil
from pathlib import Path

import pytest

from octa_kedro.errors import OctaError, user_error
from octa_kedro.io.notes import read_note, write_note
from octa_kedro.io.seals import seal_of
from tests.pipelines.conftest import catalog, run

DATA = Path("data/test")
FOLD = "training_3d.fold_1"


@pytest.fixture
def copy(mission: tuple[Path, str], tmp_path: Path) -> Path:
    """The finished mission, to be damaged; volumes and phantom are links to the original ones."""
    shutil.copytree(mission[0], tmp_path / "project", copy_function=_copy)
    return tmp_path / "project"


def _copy(source: str, target: str) -> None:
    if Path(source).suffix in {".nii", ".gz", ".bmp", ".png"}:
        Path(target).hardlink_to(source)
    else:
        shutil.copy2(source, target)


def refused(project: Path, **what: object) -> str:
    """The one line that the user sees."""
    with pytest.raises(Exception, match=r"\S") as caught:
        run(project, **what)
    error = user_error(caught.value)
    assert isinstance(error, OctaError)
    assert "\n" not in str(error)
    return str(error)


def newest(project: Path, below: str) -> Path:
    return sorted((project / DATA / below).glob(f"*/{Path(below).name}"))[-1]


def test_the_report_names_checkpoints_volumes_and_splits(mission):
    project, _ = mission
    loaded = catalog(project)
    card, text = loaded.load(f"{FOLD}.checkpoint").card, loaded.load("evaluation.report")
    assert card.weights_sha256[:12] in text
    volumes = seal_of(newest(project, "05_model_input/processed_volumes/manifest.json"))
    assert card.made_from["processed_volumes"] == read_note(volumes, named=True)["sha256"]
    assert f"processed_volumes {card.made_from['processed_volumes'][:12]}" in text
    assert f"splits: {card.made_from['splits'][:12]}" in text


@pytest.mark.slow
def test_evaluation_refuses_models_of_which_one_fold_was_trained_with_other_splits(copy: Path):
    other = {"splits": {"seed": 5}}
    run(copy, pipeline_names=["data_processing"], params=other)
    assert "was made from splits" in refused(copy, pipeline_names=["evaluation"], params=other)
    fold = ["training_3d.fold_1.train", "training_3d.fold_1.predict"]
    run(copy, node_names=fold, params=other | {"training_3d": {"max_epochs": 1, "start": {"weights": "random"}}})
    words = refused(copy, node_names=["evaluation.pool_models"], params=other)
    assert ".predictions was made from splits" in words
    assert "but this step reads" in words
    assert "--load-versions" in words


def test_evaluation_refuses_folds_that_were_trained_with_different_parameters(copy: Path):
    other = {"training_3d": {"seed": 3, "max_epochs": 1}}
    run(copy, node_names=[f"{FOLD}.train", f"{FOLD}.predict"], params=other)
    assert "were made with different parameters of training_3d" in refused(copy, node_names=["evaluation.pool_models"])


@pytest.mark.slow
def test_earlier_predictions_are_refused_beside_a_later_checkpoint(copy: Path, mission: tuple[Path, str]):
    earlier, folds = mission[1], [f"training_3d.fold_{number}" for number in (1, 2)]
    other = {"training_3d": {"seed": 3, "max_epochs": 1}}
    run(copy, node_names=[f"{fold}.{step}" for fold in folds for step in ("train", "predict")], params=other)
    run(copy, node_names=["evaluation.pool_models"])
    loaded = {f"{fold}.predictions": earlier for fold in folds}
    words = refused(copy, node_names=["evaluation.pool_models"], load_versions=loaded)
    assert f"{FOLD}.predictions and {FOLD}.seen were made with different parameters of training_3d" in words
    assert "--load-versions" in words


EDITED = {
    "predictions": ("07_model_output/training_3d/fold_1/predictions.csv", "evaluation.pool_models"),
    "seen": ("07_model_output/training_3d/fold_1/seen.csv", "evaluation.pool_models"),
    "splits": ("05_model_input/splits.csv", "evaluation.pool_models"),
    "a fold": ("05_model_input/splits_fold_1.csv", f"{FOLD}.predict"),
}


@pytest.mark.parametrize("what", EDITED)
def test_an_edited_table_is_refused_where_it_is_read(copy: Path, what: str):
    below, node = EDITED[what]
    path = newest(copy, below)
    path.write_bytes(path.read_bytes().replace(b"training\n", b"").removesuffix(b"1\n") + b"1\n\n")
    assert str(path) in (words := refused(copy, node_names=[node]))
    assert "changed since it was written" in words


def test_a_card_whose_eyes_were_emptied_is_refused(copy: Path):
    path = newest(copy, "06_models/training_3d/fold_1/checkpoint.safetensors").with_suffix(".json")
    whole = json.loads(path.read_text())
    whole["content"]["seen"] = {}
    path.write_text(json.dumps(whole))
    assert f"{path}: damaged (its content has changed" in refused(copy, node_names=[f"{FOLD}.predict"])
    path.write_text(json.dumps(whole["content"]))
    assert "an earlier version may have written it" in refused(copy, node_names=[f"{FOLD}.predict"])


def test_a_manifest_with_two_eyes_swapped_or_a_string_for_an_entry_is_refused(copy: Path):
    path = newest(copy, "05_model_input/processed_volumes/manifest.json")
    entries = read_note(path)
    first, second = list(entries)[:2]
    write_note(path, entries | {first: entries[second], second: entries[first]})  # even under a hash of its own
    assert f"{path}: its content has changed" in refused(copy, node_names=["collect_transforms"])
    write_note(path, entries | {first: "lost"})
    assert f"{path}: damaged (it does not say what became of {first})" in refused(
        copy, node_names=["collect_transforms"]
    )

"""A damaged eye, first, in the middle or last, at every step that reads eyes: put aside with its reason, or the end."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

from octa_kedro.configuration.structure import Structure, use_structure
from octa_kedro.datasets.eyes import EyeFoldersDataset
from octa_kedro.errors import DataError
from octa_kedro.inference.folders import EyeFolder
from octa_kedro.io.nifti_folder import NiftiFolder
from octa_kedro.io.notes import read_note
from octa_kedro.pipeline_registry import register_pipelines
from octa_kedro.pipelines.conversion.nodes import convert_volumes
from octa_kedro.pipelines.data_processing import figure_nodes, nodes
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.results.recipe import Job
from octa_kedro.results.stored import Manifest
from tests.pipelines.small_eyes import COHORT, PROCESSING, cut, do, write_eye, write_table

EYES = ("a", "b", "c")
STOP, ASIDE = (ExecutionConfig(workers=1, on_error=word) for word in ("stop", "quarantine"))
AUTO = PROCESSING.model_copy(update={"grid": "auto"})


@dataclass
class Project:
    """Three eyes, what was found in them while they were sound, and a folder for results."""

    source: NiftiFolder
    cohort: pd.DataFrame
    surfaces: Manifest
    made: Path


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Job]:
    """The eyes, and their surfaces made."""
    root = tmp_path_factory.mktemp("sound")
    (root / "eyes").mkdir()
    write_table(root / "eyes", [write_eye(root / "eyes", name, seed=n) for n, name in enumerate(EYES)])
    cohort, _ = nodes.read_cohort(NiftiFolder(root / "eyes"), COHORT, STOP)
    job = nodes.inspect_eyes(NiftiFolder(root / "eyes"), cohort, COHORT, PROCESSING, STOP)[0]
    do(job, root / "made")
    return root, job


@pytest.fixture
def project(sound: tuple[Path, Job], tmp_path: Path) -> Project:
    root, job = sound
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    source = NiftiFolder(tmp_path / "eyes")
    cohort, _ = nodes.read_cohort(source, COHORT, STOP)
    return Project(source, cohort, do(job, tmp_path / "made"), tmp_path / "results")


def read_cohort(at: Project, how: ExecutionConfig) -> Iterable[str]:
    return nodes.read_cohort(at.source, COHORT, how)[0]["subject"]


def inspect_eyes(at: Project, how: ExecutionConfig) -> Iterable[str]:
    return do(nodes.inspect_eyes(at.source, at.cohort, COHORT, PROCESSING, how)[0], at.made / "inspected")


def settle_processing(at: Project, how: ExecutionConfig) -> Iterable[str]:
    assert nodes.settle_processing(at.source, at.cohort, AUTO, how).voxels == (32, 32, 32)
    return ()


def process_eyes(at: Project, how: ExecutionConfig) -> Iterable[str]:
    return do(nodes.process_eyes(at.source, at.cohort, at.surfaces, {}, PROCESSING, how)[0], at.made / "processed")


def measure_biomarkers(at: Project, how: ExecutionConfig) -> Iterable[str]:
    job = nodes.measure_biomarkers(at.source, at.cohort, at.surfaces, PROCESSING, how)
    return nodes.tabulate_biomarkers(do(job, at.made / "biomarkers"))["subject"]


def draw_steps(at: Project, how: ExecutionConfig) -> Iterable[str]:
    assert figure_nodes.draw_steps(at.source, at.cohort, at.surfaces, {}, PROCESSING, how).keys() == {"3mm.png"}
    return ()


def convert(at: Project, how: ExecutionConfig) -> Iterable[str]:
    converted = do(convert_volumes(at.source, at.cohort, COHORT, how), at.made / "converted")
    return [name.removesuffix("-OCTA") for name in converted if name.endswith("-OCTA")]


STEPS = (read_cohort, inspect_eyes, settle_processing, process_eyes, measure_biomarkers, draw_steps, convert)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("damaged", EYES)
def test_a_damaged_eye_is_put_aside_wherever_it_stands(project: Project, step: Callable, damaged: str, caplog):
    cut(project.source.table.root / f"{damaged}_octa.nii")
    kept = [*step(project, ASIDE)]
    if kept:
        assert kept == [eye for eye in EYES if eye != damaged]
    elif step is not draw_steps or damaged == EYES[0]:  # of the steps one eye is drawn, the first that can be
        assert f"goes on without subject {damaged}: " in caplog.text
        assert f"{damaged}_octa.nii" in caplog.text


@pytest.mark.parametrize("step", STEPS)
def test_a_damaged_eye_ends_a_run_that_is_to_stop(project: Project, step: Callable):
    cut(project.source.table.root / "a_octa.nii")
    with pytest.raises(DataError, match=r"subject a(-OCTA)?: .*a_octa\.nii.*\(execution\.on_error: quarantine goes on"):
        step(project, STOP)


@pytest.mark.parametrize("damaged", EYES)
def test_heights_go_on_without_surfaces_that_were_changed(project: Project, damaged: str, caplog):
    cut(project.surfaces[damaged].path)
    table = nodes.measure_heights(project.surfaces, project.cohort, PROCESSING, ASIDE)
    assert table["subject"].tolist() == [eye for eye in EYES if eye != damaged]
    assert f"the table of heights goes on without subject {damaged}: " in caplog.text
    with pytest.raises(DataError, match=f"subject {damaged}: .*its bytes have changed"):
        nodes.measure_heights(project.surfaces, project.cohort, PROCESSING, STOP)


def test_a_reference_that_cannot_be_made_ends_the_run_since_others_depend_on_it(project: Project):
    config = PROCESSING.model_copy(update={"registration": PROCESSING.registration.model_copy()})
    config = type(config).model_validate(config.model_dump() | {"registration": {"method": "rigid", "image": "oct"}})
    splits = project.cohort.assign(held_out=False)
    job = nodes.choose_references(project.source, project.surfaces, project.cohort, splits, config, ASIDE)
    for eye in EYES:
        cut(project.source.table.root / f"{eye}_oct.nii")
    with pytest.raises(DataError, match=r"_oct\.nii.*name another with processing\.registration\.reference"):
        do(job, project.made / "references")


def refuse() -> Any:
    raise DataError("follow.nii: the way back is not there")


@pytest.mark.parametrize("damaged", EYES)
def test_an_eye_whose_folder_cannot_be_filled_does_not_keep_the_others_from_theirs(
    project: Project, damaged: str, caplog
):
    eyes = {}
    for name in EYES:
        stored = project.surfaces[name]
        eyes[name] = EyeFolder("key", {}, stored, stored, refuse if name == damaged else stored, Figure)
    EyeFoldersDataset(filepath=str(project.made / "eyes" / "eyes.json")).save(eyes)
    assert [*read_note(project.made / "eyes" / "eyes.json")] == [eye for eye in EYES if eye != damaged]
    assert f"goes on without subject {damaged}: follow.nii" in caplog.text


def test_every_node_that_is_given_a_source_knows_what_to_do_about_a_bad_eye():
    """Those that are not told only list or write eyes."""
    use_structure(Structure(source="phantom", folds=2, pretraining=True, models={"training_3d": 3}, explain=()))
    try:
        pipelines = register_pipelines()
    finally:
        use_structure(Structure(source="phantom", folds=1, pretraining=False, models={"training_3d": 3}))
    every = {node for pipeline in pipelines.values() for node in pipeline.nodes}
    reading = {node for node in every if {"source", "inference.source"} & {*node.inputs}}
    untold = {
        node.func.__name__ for node in reading if not {"params:execution", "inference.execution"} & {*node.inputs}
    }
    assert len(reading) > 8
    assert untold == set()

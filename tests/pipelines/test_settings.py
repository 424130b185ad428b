"""A setting is never ignored: what a run's log says of its settings, and what is refused before anything runs."""

import logging
from pathlib import Path

import pytest

from octa_kedro.configuration.structure import current_structure
from octa_kedro.errors import ConfigError
from tests.pipelines.conftest import catalog, kedro

EPOCHS = "training_3d: {max_epochs: 7}"


def write_local(project: Path, **files: str) -> None:
    for name, text in files.items():
        (project / "conf" / "local" / f"{name}.yml").write_text(text)


@pytest.mark.parametrize("env", ["test", "local"])
def test_local_parameters_count_in_every_environment(project: Path, caplog: pytest.LogCaptureFixture, env: str):
    write_local(project, parameters=EPOCHS)
    with caplog.at_level(logging.INFO, "octa_kedro"):
        found = catalog(project, env=env).load("params:training_3d")
    assert found.max_epochs == 7
    assert "training_3d.max_epochs 7, not 60 (conf/local)" in caplog.text
    assert "conf/local (parameters.yml)" in caplog.text


def test_the_log_begins_with_what_was_read(project: Path, caplog: pytest.LogCaptureFixture):
    write_local(project, parameters=EPOCHS)
    (project / "mine.yml").write_text("splits: {seed: 4}")
    params = {"parameters": "mine.yml", "evaluation": {"resamples": 200}, "source": {"path": "eyes"}}
    with caplog.at_level(logging.INFO, "octa_kedro"):
        catalog(project, params=params)
    assert [record.message for record in caplog.records if record.name == "octa_kedro.hooks"][:3] == [
        "configuration, the last counts: conf/base, conf/test, conf/local (parameters.yml)",
        "data: eyes (layout octa500, from --params); results in data/test",
        "parameters that differ from conf/base: evaluation.resamples 200, not 1000 (--params); splits.seed 4, not 0 "
        "(mine.yml); training_3d.max_epochs 7, not 60 (conf/local); and 19 more",
    ]


def test_a_local_structure_builds_the_pipelines(project: Path):
    write_local(project, structure="folds: 4\nrepeats: 2")
    catalog(project)
    assert (current_structure().folds, current_structure().repeats) == (4, 2)
    write_local(project, structure="fold: 4")
    with pytest.raises(ConfigError, match=r"structure\.yml: fold: unknown parameter, did you mean folds\?"):
        catalog(project)


def test_a_source_in_local_parameters_is_read(project: Path, monkeypatch: pytest.MonkeyPatch):
    write_local(project, parameters="source: {path: eyes}")
    assert catalog(project).get("source")._describe()["filepath"] == str(project / "eyes")
    assert catalog(project, params={"source": {"path": "x"}}).get("source")._describe()["filepath"] == str(
        project / "x"
    )
    monkeypatch.setenv("OCTA_DATA", "elsewhere")
    with pytest.raises(ConfigError, match=r"source\.path is eyes in conf/local, but OCTA_DATA is elsewhere"):
        catalog(project)


def test_a_path_that_the_catalog_does_not_ask_for_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch):
    write_local(project, catalog="source: {type: octa_kedro.datasets.source.SourceDataset, filepath: fixed}")
    catalog(project)
    with pytest.raises(ConfigError, match=r"source\.path x \(--params\) has no effect: .* names fixed"):
        catalog(project, params={"source": {"path": "x"}})
    monkeypatch.setenv("OCTA_DATA", "y")
    with pytest.raises(ConfigError, match=r"source\.path y \(OCTA_DATA\) has no effect"):
        catalog(project)


def test_a_misspelt_local_entry_is_refused(project: Path):
    write_local(project, catalog="cohort_tabel: {type: pandas.CSVDataset, filepath: x.csv}")
    with pytest.raises(ConfigError, match=r"conf/local: catalog entry cohort_tabel: .*did you mean cohort_table"):
        catalog(project)


def test_parameters_of_what_the_environment_lacks(project: Path, caplog: pytest.LogCaptureFixture):
    with pytest.raises(ConfigError, match=r"pretraining\.seed \(--params\) has no effect"):
        catalog(project, env="nifti_folder", params={"pretraining": {"seed": 3}})
    write_local(project, parameters="pretraining: {seed: 3}")
    catalog(project, env="nifti_folder")
    assert "pretraining.seed (conf/local) has no effect" in caplog.text


def test_the_command_line_refuses_in_one_line(project: Path):
    for arguments, words in (
        (["--env", "tset"], "--env tset: there is no folder"),
        (["--env", "test", "--tags", "gpu,data"], "--tags data: no node of this run has this tag"),
    ):
        result = kedro(project, "run", *arguments)
        assert result.returncode != 0
        assert "Traceback" not in result.stderr
        assert result.stderr.strip().splitlines()[-1].startswith(f"ERROR: {words}")

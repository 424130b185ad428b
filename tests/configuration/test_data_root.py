"""Every cohort has a data root of its own."""

import json
import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from octa_kedro.cohort.config import CohortConfig
from octa_kedro.configuration.data_root import DataRoots, data_roots
from octa_kedro.datasets.source import claim_root
from octa_kedro.errors import ConfigError


@pytest.mark.parametrize(
    ("environment", "parameters", "roots"),
    [
        (None, {}, DataRoots("data", "data/inference/source")),
        ("local", {}, DataRoots("data", "data/inference/source")),
        ("octa500", {}, DataRoots("data/octa500", "data/octa500/inference/source")),
        (None, {"cohort": {"name": "mine"}}, DataRoots("data/local/mine", "data/local/mine/inference/source")),
        ("vendor", {"cohort": {"name": "b"}}, DataRoots("data/vendor/b", "data/vendor/b/inference/source")),
        (
            "vendor",
            {"cohort": {"labelled": False}},
            DataRoots("data/vendor/unlabelled", "data/vendor/inference/source"),
        ),
        (None, {"source": {"path": "/x/eyes/"}}, DataRoots("data", "data/inference/eyes")),
        (None, {"source": {"path": "/x/eyes/sub/.."}}, DataRoots("data", "data/inference/eyes")),
        (None, {"inference": {"name": "july"}}, DataRoots("data", "data/inference/july")),
    ],
)
def test_roots_follow_from_environment_and_parameters(environment, parameters, roots):
    found = data_roots(environment, parameters)
    assert found == roots
    assert found.environment == (environment or "local")


def test_a_root_belongs_to_one_source(tmp_path: Path):
    claim = tmp_path / "root" / "source.json"
    first, second = (tmp_path / name for name in ("first", "second"))
    first.mkdir()
    second.mkdir()
    claim_root(claim, first)
    claim_root(claim, second)  # nothing has been computed of the first
    claim_root(claim, first)
    (claim.parent / "cohort.csv").touch()
    claim_root(claim, first)
    with pytest.raises(ConfigError, match=r"holds the results of .*first, not of .*second; .*cohort\.name=NAME"):
        claim_root(claim, second)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"sou'])
def test_a_damaged_claim_is_named(tmp_path: Path, text: str):
    (tmp_path / "source.json").write_text(text)
    with pytest.raises(ConfigError, match=r"source\.json: does not say whose results"):
        claim_root(tmp_path / "source.json", tmp_path)


@pytest.mark.parametrize("name", ["inference", "external", "unlabelled", "05_model_input", "../x", ""])
def test_a_cohort_cannot_be_called_like_a_folder_of_its_results(name: str):
    with pytest.raises(ValidationError):
        CohortConfig(name=name, classes=("NORMAL", "DR"))


def test_a_copied_project_keeps_its_own_source(tmp_path: Path):
    first = tmp_path / "first"
    (first / "01_raw" / "phantom").mkdir(parents=True)
    claim_root(first / "source.json", first / "01_raw" / "phantom")
    second = Path(shutil.copytree(first, tmp_path / "second"))
    claim_root(second / "source.json", second / "01_raw" / "phantom")
    (second / "cohort.csv").touch()
    with pytest.raises(ConfigError, match="holds the results of 01_raw/phantom"):
        claim_root(second / "source.json", first / "01_raw" / "phantom")


def test_a_claim_with_the_whole_path_of_a_source_inside_is_the_same(tmp_path: Path):
    source = tmp_path / "01_raw" / "phantom"
    source.mkdir(parents=True)
    (tmp_path / "source.json").write_text(json.dumps({"source": str(source)}))
    claim_root(tmp_path / "source.json", source)
    assert json.loads((tmp_path / "source.json").read_text()) == {"source": "01_raw/phantom"}


def test_a_source_that_was_moved_keeps_its_root(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    claim = tmp_path / "root" / "source.json"
    (tmp_path / "old").mkdir()
    claim_root(claim, tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    claim_root(claim, tmp_path / "new")
    assert "is gone" in caplog.text
    (claim.parent / "cohort.csv").touch()
    (tmp_path / "old").mkdir()
    with pytest.raises(ConfigError):
        claim_root(claim, tmp_path / "old")


@pytest.mark.parametrize(
    ("parameters", "root", "source"),
    [
        ({}, "data/test/external/second_cohort", "data/test/01_raw/second_cohort"),
        ({"external_test": {"path": "/x/clinic/"}}, "data/test/external/clinic", "/x/clinic/"),
        ({"external_test": {"path": "/x/clinic", "name": "july"}}, "data/test/external/july", "/x/clinic"),
        ({"external_test": {"path": "/x/Mr_X", "pseudonyms": "t.csv"}}, "data/test/external/second_cohort", "/x/Mr_X"),
    ],
)
def test_an_external_test_has_a_root_and_a_source_of_its_own(parameters: dict, root: str, source: str):
    found = data_roots("test", parameters)
    assert (found.external, found.second_source) == (root, source)
    assert found.cohort == "data/test"

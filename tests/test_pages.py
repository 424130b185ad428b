"""Every `kedro run` command of the pages names environments, pipelines and parameters that there are."""

import re
import shlex
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from octa_kedro import __version__
from octa_kedro.configuration.config_loader import ConfigLoader
from octa_kedro.configuration.parameters import check_parameters
from octa_kedro.configuration.structure import parse_structure
from octa_kedro.pipeline_registry import build_pipelines
from octa_kedro.settings import CONFIG_LOADER_ARGS
from tests.conftest import ROOT

CONF = ROOT / "conf"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "RESULTS.md"]
COMMAND = re.compile(r"kedro run((?: --[a-z-]+[ =][^\s`]+)+)")
PLACEHOLDER = re.compile(r"[A-Z]+(\.\w+)?")


def commands() -> list[str]:
    """The options of each command, continuation lines joined."""
    texts = (re.sub(r"\\\n\s*", "", page.read_text()) for page in PAGES)
    return sorted({found.strip() for text in texts for found in COMMAND.findall(text)})


def options(command: str) -> dict[str, str]:
    words = iter(shlex.split(command.replace("=", " ", 1) if command.startswith("--load") else command))
    return dict(zip(words, words, strict=True))


def run_parameters(text: str) -> dict[str, Any]:
    """What ``--params`` says, but the values that a reader has to fill in."""
    pairs = [pair for pair in text.split(",") if pair and not PLACEHOLDER.fullmatch(pair.partition("=")[2])]
    given = OmegaConf.to_container(OmegaConf.from_dotlist(pairs))
    return {key: value for key, value in given.items() if key != "parameters"}


def test_there_are_commands():
    assert len(commands()) > 10


@pytest.mark.parametrize("command", commands())
@pytest.mark.filterwarnings("ignore:One or more dataset names contain")
def test_a_command_of_the_pages_can_be_run(command: str, monkeypatch: pytest.MonkeyPatch):
    given = options(command)
    env = given.get("--env")
    assert env is None or (CONF / env).is_dir()
    loader = ConfigLoader(
        str(CONF), env=env, runtime_params=run_parameters(given.get("--params", "")), **CONFIG_LOADER_ARGS
    )
    structure = parse_structure(loader["globals"])
    monkeypatch.setattr(
        "octa_kedro.configuration.structure._current", structure
    )  # as a run's hook does; files ask for its folds
    check_parameters(loader["parameters"], structure, loader.layer("base", "globals")["models"])
    assert set(given.get("--pipelines", "__default__").split(",")) <= build_pipelines(structure).keys()


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert citation["cff-version"] == "1.2.0"

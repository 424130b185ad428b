"""The catalog of the base environment holds nothing that no pipeline reads or writes."""

from fnmatch import fnmatchcase
from re import sub

import pytest

from octa_kedro.configuration.config_loader import ConfigLoader
from octa_kedro.configuration.structure import parse_structure
from octa_kedro.pipeline_registry import build_pipelines
from octa_kedro.settings import CONFIG_LOADER_ARGS
from tests.conftest import ROOT


@pytest.mark.filterwarnings("ignore:One or more dataset names contain")
def test_every_entry_is_used_and_every_dataset_has_an_entry():
    loader = ConfigLoader(ROOT / "conf", **CONFIG_LOADER_ARGS)
    pipelines = build_pipelines(parse_structure(loader["globals"]))
    used = {name for one in pipelines.values() for name in one.datasets() if not name.startswith("params:")}
    patterns = {name: sub(r"\{.*?\}", "*", name) for name in loader.names("base", "catalog")}
    assert [name for name, pattern in patterns.items() if not any(fnmatchcase(one, pattern) for one in used)] == []
    assert [one for one in used if not any(fnmatchcase(one, pattern) for pattern in patterns.values())] == []

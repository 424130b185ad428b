"""The order of the configuration folders: base, environment, local."""

import tarfile
from pathlib import Path
from typing import Any

import pytest

from octa_kedro.configuration.config_loader import ConfigLoader
from octa_kedro.errors import ConfigError
from octa_kedro.settings import CONFIG_LOADER_ARGS


def conf(root: Path, **folders: dict[str, str]) -> Path:
    """Configuration folders: for each a file's text by its name."""
    for folder, files in folders.items():
        (root / folder).mkdir(parents=True)
        for name, text in files.items():
            (root / folder / name).parent.mkdir(exist_ok=True)
            (root / folder / name).write_text(text)
    return root


def loader(root: Path, env: str | None = None, params: dict[str, Any] | None = None) -> ConfigLoader:
    return ConfigLoader(root, env, params, **{**CONFIG_LOADER_ARGS, "custom_resolvers": {}})


BASE = {"parameters.yml": "a: {x: 1, y: 1, z: 1, w: 1}", "structure.yml": "folds: 1\nmodels: {m: 3}"}
MINE = {"parameters.yml": "a: {x: 2, y: 2}", "structure.yml": "folds: 2"}
LOCAL = {"parameters_own.yml": "a: {x: 3, w: 3}", "structure.yml": "folds: 3"}


def test_local_counts_over_the_environment(tmp_path: Path):
    found = loader(conf(tmp_path, base=BASE, mine=MINE, local=LOCAL), "mine")
    assert found["parameters"] == {"a": {"x": 3, "y": 2, "z": 1, "w": 3}}
    assert found["globals"] == {"folds": 3, "models": {"m": 3}}
    assert found.folders == ("base", "mine", "local")


def test_run_parameters_count_over_local(tmp_path: Path):
    root = conf(tmp_path, base=BASE, mine=MINE, local=LOCAL)
    assert loader(root, "mine", {"a": {"x": 4}})["parameters"]["a"] == {"x": 4, "y": 2, "z": 1, "w": 3}


@pytest.mark.parametrize("env", [None, "local", "base"])
def test_local_is_read_once_without_another_environment(tmp_path: Path, env: str | None):
    found = loader(conf(tmp_path, base=BASE, local=LOCAL), env)
    assert found.folders == ("base", "local")
    assert found["parameters"] == {"a": {"x": 3, "y": 1, "z": 1, "w": 3}}


@pytest.mark.parametrize("env", [None, "mine"])
def test_a_missing_local_folder_is_an_empty_one(tmp_path: Path, env: str | None):
    found = loader(conf(tmp_path, base=BASE, mine={}), env)
    assert found["parameters"]["a"]["x"] == 1
    assert found.folders == (("base", "mine") if env else ("base",))


def test_catalog_credentials_and_logging_follow_the_same_order(tmp_path: Path):
    base = BASE | {"catalog.yml": "d: {type: A, filepath: a}\ne: {type: A, filepath: a}"}
    local = {
        "catalog.yml": "d: {type: A, filepath: c}",
        "credentials.yml": "key: mine",
        "logging.yml": "root: {level: INFO}",
    }
    found = loader(conf(tmp_path, base=base, mine={"catalog.yml": "d: {type: A, filepath: b}"}, local=local), "mine")
    assert found["catalog"] == {"d": {"type": "A", "filepath": "c"}, "e": {"type": "A", "filepath": "a"}}
    assert found["credentials"] == {"key": "mine"}
    assert found["logging"] == {"root": {"level": "INFO"}}


def test_a_layer_is_what_one_folder_says_without_run_parameters(tmp_path: Path):
    found = loader(conf(tmp_path, base=BASE, mine=MINE, local={}), "mine", {"a": {"x": 4}})
    assert found.layer("mine", "parameters") == {"a": {"x": 2, "y": 2}}
    assert found.layer("local", "parameters") == {}
    assert found["parameters"]["a"]["x"] == 4


def test_an_archive_without_local_can_be_read(tmp_path: Path):
    conf(tmp_path / "conf", base=BASE, mine=MINE)
    archive = tmp_path / "conf.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "conf", "conf")
    assert loader(archive, "mine")["parameters"]["a"]["x"] == 2
    assert loader(archive)["parameters"]["a"]["x"] == 1


def test_an_unknown_environment_is_named_with_the_nearest(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"--env min: there is no folder .*min; did you mean mine\?"):
        loader(conf(tmp_path, base=BASE, mine={}), "min")


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("parameter.yml", "parameters.yml"),
        ("structure.yaml", "structure.yml"),
        ("parameters.YML", "parameters.yml"),
        ("sub/structure.yml", "structure.yml"),
        ("catlog.json", "catalog.yml"),
    ],
)
def test_a_file_that_nothing_reads_is_refused(tmp_path: Path, name: str, guess: str):
    found = loader(conf(tmp_path, base=BASE, local={name: "a: 1"}))
    with pytest.raises(ConfigError, match=rf"{name}: no configuration has this name.*did you mean {guess}"):
        found.require_read()


def test_other_files_may_lie_beside_the_configuration(tmp_path: Path):
    local = {".gitkeep": "", "README.md": "", "parameters.yaml": "a: {x: 1}", "parameters_b.yml": "b: 1"}
    local |= {"catalog_mine.json": "{}", "catalog/more.yml": "{}", ".ipynb_checkpoints/parameter.yml": ""}
    loader(conf(tmp_path, base=BASE, local=local)).require_read()


@pytest.mark.parametrize("text", ["a: {x: 5}", "a: {x: {y: 5}}", "a: ["])
def test_clashing_and_broken_files_are_the_inputs_fault(tmp_path: Path, text: str):
    local = {"parameters.yml": "a: {x: 1}", "parameters_b.yml": text}
    with pytest.raises(ConfigError, match=r"parameters_b\.yml"):
        loader(conf(tmp_path, base=BASE, local=local))["parameters"]


def test_a_file_that_sets_a_key_twice_is_named(tmp_path: Path):
    root = conf(tmp_path, base=BASE, local={"parameters.yml": "a: 1\na: 2"})
    with pytest.raises(ConfigError, match=r"(?s)local/parameters\.yml.*duplicate key a"):
        loader(root, "base")["parameters"]


def test_a_list_is_no_configuration(tmp_path: Path):
    root = conf(tmp_path, base=BASE, local={"parameters.yml": "- a"})
    with pytest.raises(ConfigError, match=r"local/parameters\.yml: is no mapping"):
        loader(root, "base")["parameters"]


def test_a_file_beside_the_folders_is_refused(tmp_path: Path):
    root = conf(tmp_path, base=BASE)
    (root / "logging.yml").touch()
    loader(root, "base").require_read()
    (root / "parameters.yml").touch()
    with pytest.raises(ConfigError, match=r"parameters\.yml: nothing reads it there; move it to .*local"):
        loader(root, "base").require_read()


def test_files_that_are_no_configuration_are_listed(tmp_path: Path):
    root = conf(tmp_path, base=BASE, local={"parameters.yml.txt": "a: 1", ".gitkeep": ""})
    assert loader(root).others("local") == ["parameters.yml.txt"]

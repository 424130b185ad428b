"""Parameters that the command line cannot carry: lists and mappings, from a YAML file that a run parameter names.

``kedro run --params parameters=my.yml,source.path=FOLDER`` lays the file over the environment's parameters, and what
else stands behind ``--params`` over the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click
from click.core import ParameterSource
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from octa_kedro.errors import ConfigError, OctaError
from octa_kedro.io.yaml_text import require_modest_yaml, yaml_words

FILE = "parameters"
"""The run parameter that names the file."""


@dataclass(frozen=True)
class ParametersFile:
    """The file at `path`, the run's other parameters `beside` it, and both `joined`."""

    path: Path
    beside: dict[str, Any]
    joined: dict[str, Any]


def parameters_file(given: Mapping[str, Any]) -> ParametersFile | None:
    """The file that a run's parameters name, laid under the others; None if they name none.

    Mappings are joined key by key; a list replaces a list. ConfigError if the file cannot be read or is no mapping.
    """
    if FILE not in given:
        return None
    if not isinstance(given[FILE], str):
        raise ConfigError(f"{FILE}={given[FILE]} is no file; write --params {FILE}=FILE.yml")
    path, beside = Path(given[FILE]), {key: value for key, value in given.items() if key != FILE}
    joined = OmegaConf.to_container(OmegaConf.merge(_read(path), OmegaConf.create(beside)))
    return ParametersFile(path, beside, cast(dict[str, Any], joined))


def require_one_place() -> None:
    """ConfigError if ``--params`` would silently replace the ``params`` of the ``--config`` file, as Kedro has it."""
    context = click.get_current_context(silent=True)
    if context is None or "params" not in (context.default_map or {}):  # where Kedro keeps what its --config file says
        return
    if context.get_parameter_source("params") is ParameterSource.COMMANDLINE:
        raise ConfigError(
            "the params of the --config file would all be replaced by those of --params; put them into a file of their "
            f"own and join the two by --params {FILE}=FILE.yml,..."
        )


def _read(path: Path) -> DictConfig:
    try:
        require_modest_yaml(path)
        content = OmegaConf.load(path)
    except (OctaError, OSError, ValueError, YAMLError, OmegaConfBaseException, RecursionError) as error:
        told = yaml_words(error).removeprefix(f"{path}: ")
        raise ConfigError(f"{path}: cannot be read as a YAML file of parameters ({told})") from error
    if not isinstance(content, DictConfig):
        raise ConfigError(f"{path}: is no mapping of parameters; write them as in conf/base/parameters_*.yml")
    return content

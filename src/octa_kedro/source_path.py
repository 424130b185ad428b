"""The path of the scans, wherever it was said: the catalog reads run parameters alone."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from octa_kedro.config_loader import ConfigLoader
from octa_kedro.errors import ConfigError
from octa_kedro.first_lines import DATA_VARIABLE, SOURCE
from octa_kedro.given import Difference


def settle_source(loader: ConfigLoader, found: Iterable[Difference]) -> None:
    """Have the catalog read a ``source.path`` that stands in a configuration folder, as it reads that of ``--params``.

    ConfigError if OCTA_DATA names another path: neither is nearer to the user than the other.
    """
    said = next((one for one in found if one.name == SOURCE and not one.layer.asked), None)
    if said is None or said.value is None:
        return
    variable = os.environ.get(DATA_VARIABLE)
    if variable and Path(variable) != Path(str(said.value)):
        raise ConfigError(
            f"{SOURCE} is {said.value} in {said.layer.place}, but {DATA_VARIABLE} is {variable}; take one of them "
            f"away, or say --params {SOURCE}=PATH"
        )
    joined: Any = OmegaConf.merge({"source": {"path": said.value}}, OmegaConf.create(loader.runtime_params or {}))
    loader.runtime_params = cast(dict[str, Any], OmegaConf.to_container(joined))

"""What parameters say of the scans, wherever it was said: the catalog reads run parameters alone."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from octa_kedro.config_loader import ConfigLoader
from octa_kedro.errors import ConfigError
from octa_kedro.first_lines import DATA_VARIABLE, SOURCE
from octa_kedro.given import Difference

GROUP = "source."


def settle_source(loader: ConfigLoader, found: Iterable[Difference]) -> None:
    """Have the catalog read what a configuration folder says of the source (``source.path``, ``source.anatomy``,
    ``source.pseudonyms``), as it reads that of ``--params``.

    ConfigError if OCTA_DATA names another path: neither is nearer to the user than the other.
    """
    said = [one for one in found if one.name.startswith(GROUP) and not one.layer.asked and one.value is not None]
    for one in said:
        variable = os.environ.get(DATA_VARIABLE)
        if one.name == SOURCE and variable and Path(variable) != Path(str(one.value)):
            raise ConfigError(
                f"{SOURCE} is {one.value} in {one.layer.place}, but {DATA_VARIABLE} is {variable}; take one of them "
                f"away, or say --params {SOURCE}=PATH"
            )
    if said:
        values = {"source": {one.name.removeprefix(GROUP): one.value for one in said}}
        joined: Any = OmegaConf.merge(values, OmegaConf.create(loader.runtime_params or {}))
        loader.runtime_params = cast(dict[str, Any], OmegaConf.to_container(joined))

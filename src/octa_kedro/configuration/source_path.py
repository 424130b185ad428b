"""What parameters say of the scans, wherever it was said: the catalog reads run parameters alone."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from octa_kedro.configuration.config_loader import ConfigLoader
from octa_kedro.configuration.given import Difference
from octa_kedro.errors import ConfigError

GROUP = "source."
SOURCE = "source.path"
DATA_VARIABLE = "OCTA_DATA"


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


def source_origin(path: str, found: Iterable[Difference]) -> str:
    """Which place has said that scans are read from `path`; ConfigError if one did whom the catalog's entry does not
    ask."""
    said, variable = _said(found), os.environ.get(DATA_VARIABLE)
    if said is not None:
        value, place = str(said.value), said.layer.place
    elif variable:
        value, place = variable, DATA_VARIABLE
    else:
        return "the catalog"
    if Path(value) != Path(path):
        raise ConfigError(
            f"{SOURCE} {value} ({place}) has no effect: the entry source of the catalog names {path}; take one of "
            "them away"
        )
    return place


def _said(found: Iterable[Difference]) -> Difference | None:
    """What a place says of the path; None where none does, or one unsets it."""
    return next((one for one in found if one.name == SOURCE and one.value is not None), None)

"""The names of models as one reads them."""

import re

import pandas as pd

from octa_kedro.identifiers import FLOOR_MARK

FLOOR = " (floor)"
"""End of the name of a floor."""
NETWORK = "network"
"""Column of predictions: what computed them, as `training.predict` wrote it (``resnet18``)."""


def readable_model(model: str) -> str:
    """The name of a model as one reads it: training_2d_two_slabs -> 2D network (two slabs); floor_biomarkers ->
    biomarkers (floor)."""
    if is_floor(model):
        return f"{model.removeprefix(FLOOR_MARK).replace('_', ' ')}{FLOOR}"
    found = re.fullmatch(r"(?:training_)?([23])d(?:_(.+))?", model)
    if found is None:
        return model
    more = f" ({found[2].replace('_', ' ')})" if found[2] else ""
    return f"{found[1]}D network{more}"


def model_titles(table: pd.DataFrame) -> dict[str, str]:
    """Of each model of a predictions table its readable name, and in brackets its architecture where the table has it
    (column `network`); models keep their order."""
    titles = {}
    for model in dict.fromkeys(table["model"].astype(str)):
        own = table.loc[table["model"] == model, NETWORK].dropna() if NETWORK in table else ()
        known = sorted({str(name) for name in own if str(name)})
        name, mark, more = readable_model(model).partition(" (")
        inside = [*([more.removesuffix(")")] if mark else []), *known]
        titles[model] = f"{name} ({', '.join(inside)})" if inside else name
    return titles


def is_floor(model: str) -> bool:
    """Whether a model is a floor, which a network has to beat."""
    return model.startswith(FLOOR_MARK)

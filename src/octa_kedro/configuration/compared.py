"""The networks of the pipeline `comparison`: each is what it changes of the parameters of a model."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from octa_kedro.config import Config
from octa_kedro.identifiers import FLOOR_MARK, shown, unfit_for_files

AUTOENCODER = "autoencoder"


class ComparedNetwork(Config):
    """One entry: its `name`, the model `like` whose parameters it has, what it changes of the network (`model`) and of
    all else (`parameters`), and whether it starts from the weights of an autoencoder of its own architecture, which the
    comparison trains for every fold (3D ResNets alone)."""

    name: str
    like: str
    model: dict[str, Any] = Field({})
    start_weights: Literal["none", "autoencoder"] = "none"
    parameters: dict[str, Any] = Field({})

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or unfit_for_files(name):
            raise ValueError(f"{shown(name)} cannot name a folder; write letters, digits and _ alone")
        if name.startswith(FLOOR_MARK):
            raise ValueError(f"{shown(name)} begins like a floor, {FLOOR_MARK}; rename it")
        return name

    @property
    def pretrained(self) -> bool:
        """Whether it starts from an autoencoder."""
        return self.start_weights == AUTOENCODER


def _entries(names: Mapping[str, str], like: str, **more: Any) -> tuple[ComparedNetwork, ...]:
    """One entry per network, by the names of both."""
    return tuple(ComparedNetwork(name=n, like=like, model={"name": of, **more}) for n, of in names.items())


def _with_autoencoder(*entries: ComparedNetwork) -> tuple[ComparedNetwork, ...]:
    return tuple(
        one.model_copy(update={"name": f"{one.name}_{AUTOENCODER}", "start_weights": AUTOENCODER}) for one in entries
    )


_RESNETS_3D = _entries({"resnet18_3d": "resnet18", "resnet50_3d": "resnet50"}, "training_3d", width=1.0)
_SMALL_3D = _entries({"resnet18_3d": "resnet18"}, "training_3d")
PRESETS: dict[str, tuple[ComparedNetwork, ...]] = {
    # The networks of the original's own paper; its autoencoder is only built for ResNets here.
    "paper": (
        *_entries(
            {"vgg19_2d": "vgg19", "resnet50_2d": "resnet50", "resnet152_2d": "resnet152",
             "inception_v3_2d": "inception_v3"},
            "training_2d",
        ),
        *_RESNETS_3D,
        *_entries({"inception_v3_3d": "inception_v3"}, "training_3d", width=1.0),
        *_with_autoencoder(*_RESNETS_3D),
    ),
    "small": (*_entries({"resnet18_2d": "resnet18"}, "training_2d"), *_SMALL_3D, *_with_autoencoder(*_SMALL_3D)),
}  # fmt: skip
"""Lists by name. Where an environment lacks the model that an entry is like, the entry is left out."""


def derived_parameters(parameters: Mapping[str, Any], entry: ComparedNetwork) -> dict[str, Any]:
    """The parameters of a network of the comparison: those of the model that it is like, with what it changes.

    Stage widths belong to one network: they do not pass on to another.
    """
    found = _merged(parameters, entry.parameters)
    model = dict(found.get("model") or {})
    if entry.model.get("name", model.get("name")) != model.get("name"):
        model.pop("widths", None)
    found["model"] = _merged(model, entry.model)
    if entry.pretrained:
        found["start"] = {**(found.get("start") or {}), "weights": "pretraining", "weights_file": None}
    return found


def autoencoder_parameters(pretraining: Mapping[str, Any], network: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the autoencoder from whose weights a network starts, which has these derived parameters."""
    return {**pretraining, "model": {key: value for key, value in network["model"].items() if key != "classes"}}


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings, key by key; those of `other` count."""
    found = dict(one)
    for key, value in other.items():
        own = found.get(key)
        found[key] = _merged(own, value) if isinstance(own, Mapping) and isinstance(value, Mapping) else value
    return found

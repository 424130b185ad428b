"""What the pipelines are built from: the number of folds and repeats, the models to compare, the kind of source.

Kedro builds pipelines before it loads parameters, so these few facts live in ``conf/<env>/structure.yml``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from kedro.config import OmegaConfigLoader
from kedro.framework.project import settings
from pydantic import Field, ValidationError, model_validator

from octa_kedro.config import Config, first_problem
from octa_kedro.errors import ConfigError

PARAMETER_GROUPS = frozenset(
    {
        "source",
        "phantom",
        "cohort",
        "quality",
        "processing",
        "execution",
        "splits",
        "pretraining",
        "evaluation",
        "explainability",
        "inference",
        "tuning",
    }
)


class Structure(Config):
    """The facts of ``structure.yml``.

    `source` is the layout that scans are read in; only the phantom is also written. With `repeats` the
    division into `folds` is drawn so many times, and folds are numbered on: 1 .. folds x repeats. `models`
    maps the namespace (and parameter group) of each model to its number of spatial dimensions; `explain`
    lists those that get maps, `tune` those with a search for parameters. With `pretraining` there is an autoencoder
    per fold.
    """

    source: Literal["phantom", "octa500", "nifti_folder", "vendor"]
    folds: int = Field(ge=1)
    repeats: int = Field(1, ge=1)
    pretraining: bool
    models: dict[str, Literal[2, 3]] = Field(min_length=1)
    explain: tuple[str, ...] = ()
    tune: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _known_models(self) -> "Structure":
        for key in ("explain", "tune"):
            if unknown := set(getattr(self, key)) - self.models.keys():
                raise ValueError(
                    f"{key}: {', '.join(sorted(unknown))} is not among the models {', '.join(self.models)}"
                )
        if clash := self.models.keys() & PARAMETER_GROUPS:
            raise ValueError(f"models: {', '.join(sorted(clash))} is the name of another parameter group")
        return self

    @property
    def fold_numbers(self) -> range:
        """1 .. folds x repeats."""
        return range(1, self.folds * self.repeats + 1)

    def check_splits(self, splits: Mapping[str, Any]) -> None:
        """ConfigError if the parameters `splits` say other folds or repeats than these."""
        for name, noun in (("folds", "folds"), ("repeats", "repeats of them")):
            built = getattr(self, name)
            asked = splits.get(name, built if name == "folds" else 1)
            if asked != built:
                raise ConfigError(
                    f"splits.{name} is {asked}, but the pipelines have {built} {noun}; their number is structural, "
                    "change it in conf/<env>/structure.yml"
                )


_current: Structure | None = None


def use_structure(structure: Structure) -> bool:
    """Make `structure` the one that pipelines are built from; True if it differs from the last."""
    global _current
    changed, _current = structure != _current, structure
    return changed


def current_structure() -> Structure:
    """The structure of the running session, or of the base environment where no session is running."""
    if _current is not None:
        return _current
    loader = OmegaConfigLoader(str(Path(settings.CONF_SOURCE)), **settings.CONFIG_LOADER_ARGS)
    return parse_structure(loader["globals"])


def parse_structure(raw: dict) -> Structure:
    """A Structure from what the configuration loader read; ConfigError names the key at fault."""
    try:
        return Structure.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"structure.yml: {first_problem(error, Structure)}") from error

"""What the pipelines are built from: the number of folds, repeats and seeds, the models to compare, the kind of source.

Kedro builds pipelines before it loads parameters, so these few facts live in ``conf/<env>/structure.yml``.
"""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from kedro.framework.project import settings
from pydantic import Field, ValidationError, model_validator

from octa_kedro.config import Config, first_problem
from octa_kedro.configuration.compared import PRESETS, ComparedNetwork
from octa_kedro.errors import ConfigError
from octa_kedro.identifiers import FLOOR_MARK, ONLY_SO, find_alike, shown, unfit_for_files
from octa_kedro.io.eye_files import has_column, table_of

log = logging.getLogger(__name__)

AUTO, DRAWN_FOLDS, SPLIT = "auto", 3, "split"

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
        "external_test",
        "tuning",
    }
)


class Structure(Config):
    """The facts of ``structure.yml``, with its `folds` in numbers (see `parse_structure`).

    `source` is the layout that scans are read in; only the phantom is also written. With `repeats` the division into
    `folds` is drawn so many times, and folds are numbered on: 1 .. folds x repeats. Every fold of every classifier is
    trained `seeds` times; there is one pre-training per fold. `models` maps the namespace (and parameter group) of each
    model to its number of spatial dimensions; `explain` lists those that get maps, `tune` those with a search for
    parameters. With `pretraining` there is an autoencoder per fold. `comparison` lists the networks of the pipeline of
    that name (`compared.ComparedNetwork`), or names one of its presets.
    """

    source: Literal["phantom", "octa500", "nifti_folder", "vendor"]
    folds: int = Field(ge=1)
    repeats: int = Field(1, ge=1)
    seeds: int = Field(1, ge=1)
    pretraining: bool
    models: dict[str, Literal[2, 3]] = Field(min_length=1)
    explain: tuple[str, ...] = ()
    tune: tuple[str, ...] = ()
    comparison: tuple[ComparedNetwork, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, given: Any) -> Any:
        """The name of a preset as its networks, without those that are like a model that there is not."""
        named = given.get("comparison") if isinstance(given, dict) else None
        if not isinstance(named, str):
            return given
        if named not in PRESETS:
            raise ValueError(
                f"comparison: {shown(named)} is no preset; there are {', '.join(PRESETS)}, or write a list"
            )
        models = given.get("models") or {}
        return given | {"comparison": tuple(one for one in PRESETS[named] if one.like in models)}

    @model_validator(mode="after")
    def _known_entries(self) -> "Structure":
        names = [one.name for one in self.comparison]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"comparison: {twice[0]} is the name of two networks; rename one")
        if alike := find_alike(names):
            raise ValueError(f"comparison: {' and '.join(names[k] for k in alike)} differ {ONLY_SO}; rename one")
        for one in self.comparison:
            if one.like not in self.models:
                raise ValueError(f"comparison: {one.name} is like {one.like}, which is not among the models "
                                 f"{', '.join(self.models)}")  # fmt: skip
            if one.pretrained and self.models[one.like] == 2:
                raise ValueError(
                    f"comparison: {one.name} is 2D, but an autoencoder is of volumes; set start_weights: none"
                )
        return self

    @model_validator(mode="after")
    def _known_models(self) -> "Structure":
        for key in ("explain", "tune"):
            if unknown := set(getattr(self, key)) - self.models.keys():
                raise ValueError(
                    f"{key}: {', '.join(sorted(unknown))} is not among the models {', '.join(self.models)}"
                )
        for name in self.models:
            if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or unfit_for_files(name):
                raise ValueError(f"models: {shown(name)} cannot name a folder; write letters, digits and _ alone")
        if floors := [name for name in self.models if name.startswith(FLOOR_MARK)]:
            raise ValueError(f"models: {floors[0]} begins like a floor, {FLOOR_MARK}; rename it")
        if alike := find_alike(names := [*self.models]):
            raise ValueError(f"models: {' and '.join(names[k] for k in alike)} differ {ONLY_SO}; rename one")
        if clash := self.models.keys() & {*PARAMETER_GROUPS, "comparison"}:
            raise ValueError(f"models: {', '.join(sorted(clash))} is the name of another parameter group")
        return self

    @property
    def fold_numbers(self) -> range:
        """1 .. folds x repeats."""
        return range(1, self.folds * self.repeats + 1)

    @property
    def trainings(self) -> tuple[tuple[int, int], ...]:
        """Fold and seed of every training of a model: all folds with the first seed, then all with the second, ..."""
        return tuple((fold, seed) for seed in range(1, self.seeds + 1) for fold in self.fold_numbers)

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
    """The structure of the running session, or of the default environment where no session is running."""
    if _current is not None:
        return _current
    loader = settings.CONFIG_LOADER_CLASS(str(Path(settings.CONF_SOURCE)), **settings.CONFIG_LOADER_ARGS)
    return parse_structure(loader["globals"])


def current_folds() -> int:
    """``${octa.folds:}`` in a configuration file: the number of folds that the pipelines are built for."""
    return current_structure().folds


def parse_structure(raw: dict, drawn: Any = None) -> Structure:
    """A Structure from what the configuration loader read; ConfigError names the key at fault.

    With ``folds: auto`` there are as many as are `drawn` by a run parameter, or `DRAWN_FOLDS`; `settle_folds` follows.
    """
    if raw.get("folds") == AUTO:
        raw = raw | {"folds": DRAWN_FOLDS if drawn is None else drawn}
    try:
        return Structure.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"structure.yml: {first_problem(error, Structure)}") from error


def drawn_folds(parameters: Mapping[str, Any]) -> Any:
    """``splits.folds`` of a run's own parameters, None if they do not say it."""
    splits = parameters.get("splits")
    return splits.get("folds") if isinstance(splits, Mapping) else None


def settle_folds(structure: Structure, place: Path, drawn: Any = None) -> Structure:
    """The structure with the folds of ``folds: auto`` for the source at `place`: one if its table has a column
    ``split``, else as many as are drawn. The log does not name the folder, which may be called after a patient.

    ConfigError if folds are to be `drawn` by a run parameter but the column divides the eyes.
    """
    table = table_of(place)
    name = table.name if table else ""
    if not has_column(place, SPLIT):
        why = f"{name} has no column {SPLIT}" if table else "the source has no table of eyes"
        log.info("folds: auto is %d, drawn at random, since %s (splits.folds=N draws N)", structure.folds, why)
        return structure
    if drawn not in {None, 1}:
        raise ConfigError(
            f"splits.folds is {drawn}, but {table} has a column {SPLIT}, which is one fold; leave one of them out"
        )
    log.info("folds: auto is 1, since %s has a column %s", name, SPLIT)
    return structure.model_copy(update={"folds": 1})

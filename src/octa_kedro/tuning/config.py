"""Parameters of a hyper-parameter search."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, field_validator, model_validator

from octa_kedro.config import Config, first_problem
from octa_kedro.errors import ConfigError
from octa_kedro.training.config import TrainingConfig

LOWER_IS_BETTER = ("loss", "error", "brier", "ece", "seconds", "memory")
HIGHER_IS_BETTER = ("auroc", "auprc", "accuracy", "sensitivity", "specificity", "f1", "kappa", "mcc")


class Dimension(Config):
    """What one parameter may be: a number from `low` to `high`, or one of `choices`.

    With `log` ratios are drawn evenly rather than differences; `step` leaves only low, low + step, ... Whether a number
    is whole follows from the parameter.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    step: PositiveFloat | None = None
    choices: tuple[Any, ...] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Dimension":
        if self.choices is not None:
            if self.low is not None or self.high is not None or self.log or self.step is not None:
                raise ValueError("choices: give either these or low and high; null takes one away")
            if len({json.dumps(choice) for choice in self.choices}) < max(1, len(self.choices)):
                raise ValueError("choices: give at least one, and none twice")
            return self
        if self.low is None or self.high is None:
            raise ValueError("low: give low and high, or choices")
        if self.low >= self.high:
            raise ValueError(f"low: {self.low:g} is not below high, {self.high:g}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log: needs a low above 0 and no step")
        return self

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that have to be possible for all to be: both ends, or every choice."""
        return self.choices if self.choices is not None else (self.low, self.high)


class TuningConfig(Config):
    """A search: `trials` settings, drawn from `space`, each trained on every fold and scored on its validation eyes.

    `space` maps dotted paths in the model's parameters to what they may be; null takes a path out. `metric` is any
    column of the history, taken at the epoch that each fold keeps, averaged over `folds` (null: all); a loss compares
    only settings of one and the same loss. `direction` follows from its name where that is known. `tpe` draws
    `startup_trials` at random before it learns from them; `random` always. `pruner` median stops a setting after a
    fold in which its mean so far is worse than the median of the others. No trial starts after `timeout_minutes` of
    one run. `trials` and `timeout_minutes` may be changed from run to run, anything else makes another search, which
    needs another `name`.
    """

    name: str = Field("search", pattern=r"^[A-Za-z0-9][\w.-]*$")
    trials: PositiveInt = 20
    folds: tuple[PositiveInt, ...] | None = Field(None, min_length=1)
    metric: str = "val_auroc"
    direction: Literal["maximise", "minimise"] | None = None
    seed: int = Field(0, ge=0)
    sampler: Literal["tpe", "random"] = "tpe"
    startup_trials: PositiveInt = 8
    pruner: Literal["none", "median"] = "none"
    timeout_minutes: PositiveFloat | None = None
    space: dict[str, Dimension] = Field(min_length=1)

    @field_validator("pruner", mode="before")
    @classmethod
    def _no_pruner(cls, given: Any) -> Any:
        return "none" if given is None else given

    @field_validator("space", mode="before")
    @classmethod
    def _dotted(cls, given: Any) -> Any:
        return flatten_space(given) if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _known_direction(self) -> "TuningConfig":
        if self.direction is None and _direction_of(self.metric) is None:
            raise ValueError(f"direction: maximise or minimise? It does not follow from the metric {self.metric!r}")
        return self

    @property
    def goal(self) -> Literal["maximise", "minimise"]:
        """The direction, given or by the metric's name."""
        goal = self.direction or _direction_of(self.metric)
        assert goal is not None
        return goal


def _direction_of(metric: str) -> Literal["maximise", "minimise"] | None:
    words = metric.lower().split("_")
    if any(word in words for word in LOWER_IS_BETTER):
        return "minimise"
    return "maximise" if any(word in words for word in HIGHER_IS_BETTER) else None


def flatten_space(given: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A space with dotted keys, from one with dotted or nested keys: ``--params`` on the command line nests them.

    Of a path that is written both ways the nested part changes the dotted one.
    """
    found: dict[str, Any] = {}
    for key, value in given.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and not value.keys() & Dimension.model_fields.keys():
            inner = flatten_space(value, f"{path}.")
        else:
            inner = {path: value}
        for name, entry in inner.items():
            both = isinstance(entry, Mapping) and isinstance(found.get(name), Mapping)
            found[name] = {**found[name], **entry} if both else entry
    return {name: entry for name, entry in found.items() if entry is not None} if not prefix else found


def nest(values: Mapping[str, Any], into: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A copy of the parameters `into` (default: none) in which each dotted path has its value."""
    changed = dict(into or {})
    for path, value in values.items():
        first, _, rest = path.partition(".")
        inner = changed.get(first)
        changed[first] = nest({rest: value}, inner if isinstance(inner, Mapping) else None) if rest else value
    return changed


def check_space(config: TuningConfig, model: str, parameters: Mapping[str, Any], folds: Iterable[int]) -> None:
    """ConfigError for a path that `model` has no parameter for, a value that it cannot have beside its other
    `parameters`, or a fold that there is not."""
    if missing := set(config.folds or ()) - set(folds):
        there = ", ".join(map(str, folds))
        raise ConfigError(f"parameter tuning.folds: there is no fold {min(missing)}; the splits have {there}")
    for path, dimension in config.space.items():
        for value in dimension.ends:
            try:
                TrainingConfig.model_validate(nest({path: value}, parameters))
            except ValidationError as error:
                problem = first_problem(error, TrainingConfig)
                raise ConfigError(f"parameter tuning.space.{path}: {model} cannot have {value}: {problem}") from error
    # The one parameter that another takes the effect from.
    if "model.width" in config.space and "model.widths" not in config.space and parameters["model"].get("widths"):
        raise ConfigError(
            f"parameter tuning.space.model.width: has no effect beside {model}.model.widths; set that to null"
        )

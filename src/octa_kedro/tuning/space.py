"""What a hyper-parameter search varies: dotted paths into a model's parameters, and what each may be."""

import json
from collections.abc import Mapping
from typing import Any, get_args

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import BaseModel

from octa_kedro.training.config import TrainingConfig
from octa_kedro.tuning.config import Dimension

DIGITS = 4
"""Significant digits of a drawn number: enough for any parameter, and what is reported is exactly what was trained."""


def distributions(space: Mapping[str, Dimension]) -> dict[str, BaseDistribution]:
    """What Optuna draws from, by path in alphabetical order; choices are written as JSON, which a database keeps."""
    return {path: _distribution(path, space[path]) for path in sorted(space)}


def _distribution(path: str, dimension: Dimension) -> BaseDistribution:
    if dimension.choices is not None:
        return CategoricalDistribution([json.dumps(choice) for choice in dimension.choices])
    assert dimension.low is not None
    assert dimension.high is not None
    if not _is_whole(path):
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)
    step = 1 if dimension.step is None else int(dimension.step)
    return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log, step=step)


def _is_whole(path: str) -> bool:
    """Whether the parameter of that path is an integer."""
    options: tuple[Any, ...] = (TrainingConfig,)
    for part in path.split("."):
        model = next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
        if model is None or part not in model.model_fields:
            return False
        annotation = model.model_fields[part].annotation
        options = (annotation, *get_args(annotation))
    return int in options and float not in options


def decode(drawn: Mapping[str, Any], space: Mapping[str, Dimension]) -> dict[str, Any]:
    """Drawn values by path, choices as they were given and numbers with `DIGITS` significant digits."""
    return {path: _decoded(drawn[path], space[path]) for path in sorted(space)}


def _decoded(value: Any, dimension: Dimension) -> Any:
    if dimension.choices is not None:
        return json.loads(value)
    if isinstance(value, int):
        return value
    assert dimension.low is not None
    assert dimension.high is not None
    return min(max(float(f"{value:.{DIGITS}g}"), dimension.low), dimension.high)

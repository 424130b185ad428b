"""Settings that a run would not use: refused where it is sure that they are meant, else warned of."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from octa_kedro.cohort.config import CohortConfig, disease_word
from octa_kedro.configuration.given import Difference
from octa_kedro.configuration.structure import SPLIT, Structure
from octa_kedro.errors import ConfigError
from octa_kedro.explain.config import AUTO, USED_BY, WITH_DONORS, WITHOUT_DONORS, ExplainConfig
from octa_kedro.inference.config import InferenceConfig
from octa_kedro.io.eye_files import has_column
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.training.config import FittingConfig
from octa_kedro.training.engine.config import TORCH_OPTIMISERS
from octa_kedro.tuning.config import TuningConfig

PREFIX = "OCTA_"
LESION_SLABS = "explainability.lesion_slabs."
VARIABLES = ("OCTA_DATA", "OCTA_SHARED_DATA")
"""The environment variables that are read: where the scans are, and where the tests find shared data."""


def without_effect(
    structure: Structure,
    groups: Mapping[str, Any],
    base_models: Iterable[str],
    place: Path,
    found: Sequence[Difference],
) -> list[str]:
    """Words on each setting that a run of this `structure` over the scans at `place` reads to no effect: checked
    parameters by their `groups`, what was `found` to differ from the base, and variables of the environment."""
    off = switched_off(structure, groups, base_models)
    return [
        *useless_groups(found, off),
        *useless_details(found, groups),
        *useless_diseases(found, groups["cohort"]),
        *useless_splits(structure, place, found),
        *stray_variables(),
    ]


def stray_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Words on variables of the environment that look like the project's but are read by nothing.

    ConfigError for one that is spelt almost like one that is read.
    """
    stray = [name for name in sorted(environment) if name.startswith(PREFIX) and name not in VARIABLES]
    for name in stray:
        if near := get_close_matches(name, VARIABLES, n=1, cutoff=0.7):
            raise ConfigError(f"environment variable {name}: nothing reads it, did you mean {near[0]}?")
    return [f"environment variable {name}: nothing reads it (read is {VARIABLES[0]})" for name in stray]


def switched_off(structure: Structure, groups: Mapping[str, Any], base_models: Iterable[str]) -> dict[str, str]:
    """Parameter groups that no pipeline of this run's structure reads, with the reason; `groups` are the checked
    configurations."""
    off = {model: f"structure.yml lists no model {model}" for model in base_models if model not in structure.models}
    if structure.source != "phantom":
        off["phantom"] = f"the source is {structure.source}, no phantom"
    if not structure.pretraining:
        off["pretraining"] = "structure.yml says pretraining: false"
    if not structure.tune:
        off["tuning"] = "structure.yml lists no model under tune"
    if not groups["processing"].needs_surfaces:
        off["quality"] = (
            "quality is measured on a retina, and no step looks for one (processing.depth_mm, flatten and mask_slab "
            "are null, slabs is empty, no registration)"
        )
    return off


def useless_groups(found: Iterable[Difference], off: Mapping[str, str]) -> list[str]:
    """Words on parameters of groups that are `off`; ConfigError unless a place that serves all environments says it."""
    words = []
    for one in found:
        group = one.name.split(".")[0]
        if group not in off:
            continue
        text = f"{one.name} ({one.layer.place}) has no effect: {off[group]}"
        if not one.layer.shared:
            raise ConfigError(f"parameter {text}; take it out, or choose an environment that uses it with --env")
        words.append(text)
    return words


def useless_splits(structure: Structure, place: Path, found: Iterable[Difference]) -> list[str]:
    """Words on how splits are to be drawn, where the table of eyes at `place` has a column that gives them."""
    drawn = [one for one in found if one.name in {"splits.hold_out", "splits.seed"}]
    if not drawn or structure.source not in {"nifti_folder", "vendor"} or not has_column(place, SPLIT):
        return []
    return [
        f"{one.name} {one.value} ({one.layer.place}) has no effect: the table at {place} has a column {SPLIT}"
        for one in drawn
    ]


@dataclass(frozen=True)
class Rule:
    """The parameters `names` of a group matter only if `used` is true of its configuration; `keys` tell why not."""

    names: tuple[str, ...]
    used: Callable[[Any], bool]
    keys: tuple[str, ...]


TRAINING = (
    Rule(("schedule.step_epochs", "schedule.gamma"), lambda c: c.schedule.name == "step", ("schedule.name",)),
    Rule(("schedule.factor", "schedule.patience"), lambda c: c.schedule.name == "plateau", ("schedule.name",)),
    Rule(("schedule.floor",), lambda c: c.schedule.name in {"cosine", "plateau"}, ("schedule.name",)),
    Rule(
        ("optimiser.momentum",),
        lambda c: (
            c.schedule.name != "one_cycle"
            and (c.optimiser.name in {"sgd", "rmsprop"} or c.optimiser.name not in TORCH_OPTIMISERS)
        ),
        ("optimiser.name", "schedule.name"),
    ),
    Rule(("augmentation.flip_x", "augmentation.flip_y"), lambda c: c.augmentation.flip, ("augmentation.flip",)),
    Rule(
        ("augmentation.motion_gain", "augmentation.motion_shift"),
        lambda c: c.augmentation.motion_lines > 0,
        ("augmentation.motion_lines",),
    ),
    Rule(("augmentation.depth_shift",), lambda c: c.model.spatial_dims == 3, ("model.spatial_dims",)),
    Rule(("tracking.uri", "tracking.experiment"), lambda c: "mlflow" in c.tracking.trackers, ("tracking.trackers",)),
)
CLASSIFIER = (
    Rule(("loss.focal_gamma",), lambda c: c.loss.name == "focal", ("loss.name",)),
    Rule(("stop.patience", "stop.keep_from", "stop.tolerance"), lambda c: c.stop.keep == "best", ("stop.keep",)),
    Rule(
        ("stop.metric",),
        lambda c: c.stop.keep == "best" or c.schedule.name == "plateau",
        ("stop.keep", "schedule.name"),
    ),
)
PROCESSING = (
    Rule(
        tuple(f"registration.{name}" for name in ("image", "reference", "spacing_mm", "pyramid", "iterations"))
        + tuple(f"registration.{name}" for name in ("min_overlap", "max_shift_mm", "max_rotation_deg", "max_scale")),
        lambda c: c.registration.method != "none",
        ("registration.method",),
    ),
    Rule(("registration.bspline_cell_mm",), lambda c: c.registration.method == "bspline", ("registration.method",)),
    Rule(("depth_slab",), lambda c: c.depth_mm is not None, ("depth_mm",)),
    Rule(("projection", "enface_intensity"), lambda c: bool(c.slabs), ("slabs",)),
    Rule(("oct_intensity",), lambda c: c.with_oct, ("with_oct",)),
    Rule(("intensity.sd_range",), lambda c: c.intensity.scale == "zscore", ("intensity.scale",)),
    Rule(("enface_intensity.sd_range",), lambda c: c.enface_intensity.scale == "zscore", ("enface_intensity.scale",)),
    Rule(("oct_intensity.sd_range",), lambda c: c.oct_intensity.scale == "zscore", ("oct_intensity.scale",)),
)
INFERENCE = (Rule(("model",), lambda c: c.checkpoint is None and c.checkpoints is None, ("checkpoint", "checkpoints")),)
TUNING = (Rule(("startup_trials",), lambda c: c.sampler == "tpe" or c.pruner == "median", ("sampler", "pruner")),)
COHORT = (Rule(("classes", "negative", "diseases"), lambda c: c.labelled, ("labelled",)),)


def _methods(config: ExplainConfig) -> set[str]:
    named = {config.method_3d, config.method_2d}
    return named - {AUTO} | ({WITH_DONORS, WITHOUT_DONORS} if AUTO in named else set())


EXPLAIN = tuple(
    Rule((name,), lambda c, users=users: bool(_methods(c) & {*users}), ("method_3d", "method_2d"))  # type: ignore[misc]
    for name, users in USED_BY.items()
)
RULES: tuple[tuple[type[Any], tuple[Rule, ...]], ...] = (
    (ExplainConfig, EXPLAIN),
    (ProcessingConfig, PROCESSING),
    (InferenceConfig, INFERENCE),
    (TuningConfig, TUNING),
    (CohortConfig, COHORT),
)


def useless_details(found: Sequence[Difference], groups: Mapping[str, Any]) -> list[str]:
    """Words on each parameter that only matters beside other values; `groups` are the checked configurations."""
    words = []
    for one in found:
        group, _, name = one.name.partition(".")
        config = groups.get(group)
        for rule in _rules(config):
            if any(name == own or name.startswith(f"{own}.") for own in rule.names) and not rule.used(config):
                why = " and ".join(f"{group}.{key} is {_value(config, key)}" for key in rule.keys)
                words.append(f"{one.name} {one.value} ({one.layer.place}) has no effect: {why}")
                break
    return words


def useless_diseases(found: Iterable[Difference], cohort: CohortConfig) -> list[str]:
    """Words on a disease in ``explainability.lesion_slabs`` that no eye of the cohort can have."""
    known = {*(cohort.diseases or ()), *cohort.class_words}
    words = []
    for one in found:
        disease = disease_word(one.name.removeprefix(LESION_SLABS))
        if one.name.startswith(LESION_SLABS) and known and disease not in known:
            words.append(
                f"{one.name} ({one.layer.place}) has no effect: no eye has this disease; known: "
                f"{', '.join(sorted(known))}"
            )
    return words


def _rules(config: Any) -> tuple[Rule, ...]:
    if isinstance(config, FittingConfig):
        return (*TRAINING, *(CLASSIFIER if hasattr(config, "loss") else ()))
    return next((rules for kind, rules in RULES if isinstance(config, kind)), ())


def _value(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = getattr(config, part)
    return "null" if config is None else config

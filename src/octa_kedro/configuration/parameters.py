"""All parameters of a run, checked before anything is computed."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from octa_kedro.cohort.config import CohortConfig, SplitConfig
from octa_kedro.config import Config, first_problem
from octa_kedro.configuration.compared import autoencoder_parameters, derived_parameters
from octa_kedro.configuration.structure import PARAMETER_GROUPS, Structure
from octa_kedro.errors import ConfigError
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.external.config import ExternalConfig
from octa_kedro.inference.config import InferenceConfig
from octa_kedro.io.millimetres import Anatomy
from octa_kedro.phantom.config import PhantomConfig
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.preprocessing.quality_config import QualityConfig
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.training.config import AutoencoderConfig, TrainingConfig
from octa_kedro.tuning.config import TuningConfig, check_space


class SourceConfig(Config):
    """Where scans are read from, whether they are of eyes, and the table of the subjects that eyes get whose files are
    named by patients; the catalog resolves all three."""

    path: str | None = None
    anatomy: Anatomy = "eye"
    pseudonyms: str | None = None


GROUPS: dict[str, type[BaseModel]] = {
    "source": SourceConfig,
    "phantom": PhantomConfig,
    "cohort": CohortConfig,
    "quality": QualityConfig,
    "processing": ProcessingConfig,
    "execution": ExecutionConfig,
    "splits": SplitConfig,
    "pretraining": AutoencoderConfig,
    "evaluation": EvaluationConfig,
    "explainability": ExplainConfig,
    "inference": InferenceConfig,
    "external_test": ExternalConfig,
    "tuning": TuningConfig,
}
STRUCTURAL = Structure.model_fields.keys() - GROUPS.keys()
assert GROUPS.keys() == PARAMETER_GROUPS


def check_parameters(
    parameters: dict[str, Any], structure: Structure, base_models: Iterable[str] = ()
) -> dict[str, BaseModel]:
    """The checked configuration of each group.

    ConfigError for the first parameter that nothing reads, that cannot be, or that disagrees with the
    structure the pipelines were built from. `base_models` are those of the base environment, whose parameters
    an environment that does not train them has as well."""
    checked: dict[str, BaseModel] = {}
    models = [*structure.models, *base_models]
    classes: dict[str, type[BaseModel]] = {**dict.fromkeys(models, TrainingConfig), **GROUPS}
    for group, values in parameters.items():
        if group in STRUCTURAL:
            raise ConfigError(
                f"parameter {group!r} is structural, since pipelines are built from it; set it in "
                "conf/<env>/structure.yml or conf/local/structure.yml"
            )
        if group not in classes:
            near = get_close_matches(group, classes, n=1)
            guess = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(classes))}"
            raise ConfigError(f"parameter {group!r} is unknown, {guess}")
        try:
            checked[group] = classes[group].model_validate(values)
        except ValidationError as error:
            raise ConfigError(f"parameter {group}.{first_problem(error, classes[group])}") from error
    _check_structure(parameters, structure)
    return checked


def require_base(place: object, base: Mapping[str, Any], base_models: Iterable[str]) -> None:
    """ConfigError if the parameters of the base environment, whose folder is `place`, lack a group: a file that was
    lost there would silently leave the run to defaults."""
    if missing := [group for group in (*base_models, *sorted(GROUPS.keys() - {"source"})) if group not in base]:
        raise ConfigError(
            f"{place}: no file there has the parameters {', '.join(missing)}; copy it again from the project as it "
            f"came, or write {missing[0]}: {{}} for the defaults"
        )


def _check_compared(parameters: dict[str, Any], structure: Structure) -> None:
    """ConfigError for a network of the comparison whose parameters cannot be."""
    for one in structure.comparison:
        own = derived_parameters(parameters[one.like], one)
        kinds: list[tuple[type[BaseModel], dict[str, Any]]] = [(TrainingConfig, own)]
        if one.pretrained:
            kinds.append((AutoencoderConfig, autoencoder_parameters(parameters.get("pretraining") or {}, own)))
        for kind, values in kinds:
            try:
                config = kind.model_validate(values)
            except ValidationError as error:
                raise ConfigError(f"structure.yml: comparison: {one.name}: {first_problem(error, kind)}") from error
            if one.pretrained and config.model.family != "resnet":  # type: ignore[attr-defined]
                raise ConfigError(
                    f"structure.yml: comparison: {one.name}: only a 3D ResNet has an autoencoder; set start_weights to "
                    "none"
                )
            if config.model.spatial_dims != structure.models[one.like]:  # type: ignore[attr-defined]
                raise ConfigError(
                    f"structure.yml: comparison: {one.name}: model.spatial_dims is that of {one.like}, which it is "
                    "like; choose another model to be like"
                )


def _check_structure(parameters: dict[str, Any], structure: Structure) -> None:
    if missing := [name for name in structure.models if name not in parameters]:
        raise ConfigError(f"structure.yml names the model {missing[0]}, but there are no parameters {missing[0]}")
    for name, dims in structure.models.items():
        if parameters[name]["model"].get("spatial_dims", 3) != dims:
            raise ConfigError(
                f"{name}.model.spatial_dims is not the {dims} that structure.yml says; correct one of them"
            )
        slabs = set(parameters[name].get("slabs") or ()) - set(parameters["processing"].get("slabs") or ())
        if slabs:
            raise ConfigError(f"{name}.slabs: {', '.join(sorted(slabs))} is not among processing.slabs; add it there")
    _check_compared(parameters, structure)
    for name in structure.tune:
        if "tuning" not in parameters:
            raise ConfigError(f"structure.yml says tune: {name}, but there are no parameters tuning")
        tuning = TuningConfig.model_validate(parameters["tuning"])
        check_space(tuning, name, parameters[name], structure.fold_numbers)
    structure.check_splits(parameters.get("splits", {}))

"""The project's pipelines, built for the structure of the run's environment."""

import warnings

from kedro.pipeline import Pipeline

from octa_kedro.configuration.structure import Structure, current_structure
from octa_kedro.pipelines import (
    comparison,
    conversion,
    data_processing,
    evaluation,
    explainability,
    external_test,
    inference,
    phantom,
    pretraining,
    reporting,
    training,
    tuning,
)


def register_pipelines() -> dict[str, Pipeline]:
    """Every pipeline by name; `__default__` is the whole mission, `training_2d` and `training_3d` all models of
    that dimension."""
    with warnings.catch_warnings():
        # Dots in dataset names are our namespaces; Kedro also warns where one namespace reads from another.
        warnings.filterwarnings("ignore", "One or more dataset names contain")
        return build_pipelines(current_structure())


def build_pipelines(structure: Structure) -> dict[str, Pipeline]:
    """The pipelines of one structure."""
    pipelines = {
        "data_processing": data_processing.create_pipeline(structure),
        "training_3d": training.create_pipeline(structure, spatial_dims=3),
        "training_2d": training.create_pipeline(structure, spatial_dims=2),
        "evaluation": evaluation.create_pipeline(structure),
        "explainability": explainability.create_pipeline(structure),
        "reporting": reporting.create_pipeline(structure),
    }
    if structure.source == "phantom":
        pipelines["phantom"] = phantom.create_pipeline()
    if structure.pretraining:
        pipelines["pretraining"] = pretraining.create_pipeline(structure)
    pipelines["__default__"] = sum(pipelines.values(), Pipeline([]))
    # On demand: not part of the mission.
    pipelines["conversion"] = conversion.create_pipeline()
    pipelines["inference"] = inference.create_pipeline()
    pipelines["external_test"] = external_test.create_pipeline(structure)
    if structure.comparison:
        pipelines["comparison"] = comparison.create_pipeline(structure)
    if structure.tune:
        pipelines["tuning"] = tuning.create_pipeline(structure)
    return pipelines

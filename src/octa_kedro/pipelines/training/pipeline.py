from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline

from octa_kedro.cohort.trainings import place_of
from octa_kedro.configuration.structure import Structure
from octa_kedro.pipelines.training import nodes

IMAGES = {2: "enface_maps", 3: "processed_volumes"}


def create_pipeline(structure: Structure, *, spatial_dims: int) -> Pipeline:
    """Every model of `spatial_dims`, every fold, every seed: one template under many namespaces."""
    return sum(
        (
            _training(structure, model, fold, seed)
            for model, dims in structure.models.items()
            if dims == spatial_dims
            for fold, seed in structure.trainings
        ),
        Pipeline([]),
    )


def _training(structure: Structure, model: str, fold: int, seed: int) -> Pipeline:
    images = IMAGES[structure.models[model]]
    with_weights = structure.pretraining and structure.models[model] == 3
    weights = {"pretrained": f"pretraining.fold_{fold}.checkpoint"} if with_weights else {}
    template = Pipeline(
        [
            Node(
                _with_seed(nodes.train_fold, seed),
                ["images", "table", "params:config", "params:processing", "run_folders", *weights],
                ["checkpoint", "history"],
                name="train",
            ),
            Node(
                nodes.apply_fold,
                ["images", "table", "checkpoint", "params:config"],
                ["predictions", "seen"],
                name="predict",
            ),
        ],
        tags=["gpu", f"training_{structure.models[model]}d"],
    )
    return Pipeline(
        template,
        namespace=f"{model}.{place_of(fold, seed)}",
        inputs={"images": images, "table": f"splits_fold_{fold}", **weights},
        parameters={"params:config": f"params:{model}", "params:processing": "params:processing"},
        prefix_datasets_with_namespace=True,
    )


def _with_seed(function: Callable[..., Any], seed: int) -> Callable[..., Any]:
    """`function` told the number of its seed, under its own name."""
    return function if seed == 1 else update_wrapper(partial(function, seed=seed), function)

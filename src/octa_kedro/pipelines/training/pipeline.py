from kedro.pipeline import Node, Pipeline

from octa_kedro.configuration.structure import Structure
from octa_kedro.pipelines.training import nodes

IMAGES = {2: "enface_maps", 3: "processed_volumes"}


def create_pipeline(structure: Structure, *, spatial_dims: int) -> Pipeline:
    """Every model of `spatial_dims`, every fold: one template under many namespaces."""
    return sum(
        (
            _fold(structure, model, fold)
            for model, dims in structure.models.items()
            if dims == spatial_dims
            for fold in structure.fold_numbers
        ),
        Pipeline([]),
    )


def _fold(structure: Structure, model: str, fold: int) -> Pipeline:
    images = IMAGES[structure.models[model]]
    with_weights = structure.pretraining and structure.models[model] == 3
    weights = {"pretrained": f"pretraining.fold_{fold}.checkpoint"} if with_weights else {}
    template = Pipeline(
        [
            Node(
                nodes.train_fold,
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
        namespace=f"{model}.fold_{fold}",
        inputs={"images": images, "table": f"splits_fold_{fold}", **weights},
        parameters={"params:config": f"params:{model}", "params:processing": "params:processing"},
        prefix_datasets_with_namespace=True,
    )

from kedro.pipeline import Node, Pipeline

from octa_kedro.configuration.structure import Structure
from octa_kedro.pipelines.pretraining import nodes


def create_pipeline(structure: Structure) -> Pipeline:
    """One autoencoder per fold, so that no fold's validation subjects are in the weights it starts from."""
    template = Pipeline(
        [
            Node(
                nodes.pretrain_fold,
                ["processed_volumes", "table", "params:pretraining", "params:processing", "run_folders"],
                ["checkpoint", "history"],
                name="pretrain",
            )
        ],
        tags=["gpu", "pretraining"],
    )
    return sum(
        (
            Pipeline(
                template,
                namespace=f"pretraining.fold_{fold}",
                inputs={"processed_volumes": "processed_volumes", "table": f"splits_fold_{fold}"},
                parameters={
                    "params:pretraining": "params:pretraining",
                    "params:processing": "params:processing",
                },
                prefix_datasets_with_namespace=True,
            )
            for fold in structure.fold_numbers
        ),
        Pipeline([]),
    )

from kedro.pipeline import Node, Pipeline

from octa_kedro.pipelines.inference import nodes

PARAMETERS = {name: name for name in ("params:inference", "params:explainability")}


def create_pipeline() -> Pipeline:
    """One eye in the release layout and a checkpoint -> probability, map, figure."""
    template = Pipeline(
        [
            Node(
                nodes.infer_eye,
                ["source", "checkpoint", "references", *PARAMETERS],
                ["prediction", "image", "map", "figure"],
                name="infer_eye",
            )
        ],
        tags=["inference", "gpu"],
    )
    return Pipeline(
        template,
        namespace="inference",
        inputs={"source", "references"},
        parameters=PARAMETERS,
        prefix_datasets_with_namespace=True,
    )

from kedro.pipeline import Node, Pipeline

from octa_kedro.pipelines.phantom import nodes


def create_pipeline() -> Pipeline:
    """Parameters -> a synthetic cohort on disk, in OCTA-500's layout, and a picture of what its diseases look like."""
    return Pipeline(
        [
            Node(nodes.plan_phantom, "params:phantom", "source", name="write_phantom"),
            Node(nodes.draw_gallery, "params:phantom", "phantom.gallery", name="draw_gallery"),
        ],
        tags=["phantom"],
    )

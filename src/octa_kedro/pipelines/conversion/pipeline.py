from kedro.pipeline import Node, Pipeline

from octa_kedro.pipelines.conversion import nodes
from octa_kedro.pipelines.data_processing.pipeline import read_cohort


def create_pipeline() -> Pipeline:
    """Source of scans -> NIfTI files of the raw scans, for other programs; no other pipeline needs them."""
    convert = Node(
        nodes.convert_volumes,
        ["source", "cohort_table", "params:cohort", "params:execution"],
        "volumes",
        name="convert_volumes",
    )
    return Pipeline([read_cohort(), convert], tags=["conversion"])

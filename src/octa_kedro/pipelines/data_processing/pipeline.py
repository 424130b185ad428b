from kedro.pipeline import Node, Pipeline

from octa_kedro.pipelines.data_processing import nodes
from octa_kedro.structure import Structure


def create_pipeline(structure: Structure) -> Pipeline:
    """Source of scans -> cohort table, processed volumes, en-face maps, splits."""
    both = ["volumes", "surfaces", "params:processing"]
    folds = [f"splits_fold_{k}" for k in structure.fold_numbers]
    return Pipeline(
        [
            Node(nodes.read_cohort, ["source", "params:cohort"], "cohort_table", name="read_cohort"),
            Node(nodes.split_subjects, ["cohort_table", "params:splits"], "splits", name="split_subjects"),
            Node(nodes.tabulate_folds, ["splits", "params:splits"], folds, name="tabulate_folds"),
            Node(
                nodes.convert_volumes,
                ["source", "cohort_table", "params:processing"],
                "volumes",
                name="convert_volumes",
            ),
            Node(
                nodes.find_surfaces,
                ["source", "cohort_table", "params:processing"],
                "surfaces",
                name="find_surfaces",
            ),
            Node(nodes.process_volumes, both, "processed_volumes", name="process_volumes"),
            Node(nodes.make_enface_maps, both, "enface_maps", name="make_enface_maps"),
            Node(nodes.process_surfaces, both, "processed_surfaces", name="process_surfaces"),
            Node(nodes.process_lesions, ["source", *both], "processed_lesions", name="process_lesions"),
        ],
        tags=["data_processing"],
    )

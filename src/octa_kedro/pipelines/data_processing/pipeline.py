from kedro.pipeline import Node, Pipeline

from octa_kedro.configuration.structure import Structure
from octa_kedro.pipelines.data_processing import figure_nodes, nodes

CONFIG, EXECUTION = "params:processing", "params:execution"
SETTLED = "processing_settings"  # CONFIG with its grid in numbers
PROCESSED = [
    "processed_volumes",
    "enface_maps",
    "processed_surfaces",
    "processed_lesions",
    "processed_oct",
    "flattening",
]


def create_pipeline(structure: Structure) -> Pipeline:
    """Source of scans -> who takes part, volumes, en-face maps, splits; and the tables and pictures that show how."""
    return Pipeline([*_who(), *_what(), *_shown(structure)], tags=["data_processing"])


def read_cohort() -> Node:
    """Where every pipeline over a source begins."""
    outputs = ["cohort_table", "eye_flow_files"]
    inputs = ["source", "params:cohort", EXECUTION, "params:explainability"]
    return Node(nodes.read_labelled_cohort, inputs, outputs, name="read_cohort")


def _who() -> list[Node]:
    """Label sheet, files and quality -> the eyes that are processed, and their splits."""
    return [
        read_cohort(),
        Node(
            nodes.inspect_eyes,
            ["source", "cohort_table", "params:cohort", CONFIG, EXECUTION],
            ["surfaces", "thumbnails"],
            name="inspect_eyes",
        ),
        Node(nodes.judge_quality, ["surfaces", "params:quality"], "quality_table", name="judge_quality"),
        Node(
            nodes.screen_eyes,
            ["cohort_table", "quality_table", "surfaces", "eye_flow_files"],
            ["screened_cohort", "eye_flow_quality"],
            name="screen_eyes",
        ),
        Node(nodes.draw_splits, ["screened_cohort", "params:splits"], "drawn_splits", name="draw_splits"),
    ]


def _what() -> list[Node]:
    """Scans -> everything on the processed grid."""
    return [
        Node(
            nodes.settle_processing,
            ["source", "screened_cohort", CONFIG, EXECUTION],
            SETTLED,
            name="settle_processing",
        ),
        Node(
            nodes.measure_heights,
            ["surfaces", "screened_cohort", CONFIG, EXECUTION],
            "height_table",
            name="measure_heights",
        ),
        Node(
            nodes.choose_references,
            ["source", "surfaces", "screened_cohort", "drawn_splits", SETTLED, EXECUTION],
            "references",
            name="choose_references",
        ),
        Node(
            nodes.process_eyes,
            ["source", "screened_cohort", "surfaces", "references", SETTLED, EXECUTION],
            PROCESSED,
            name="process_eyes",
        ),
        Node(
            nodes.measure_biomarkers,
            ["source", "screened_cohort", "surfaces", CONFIG, EXECUTION],
            "biomarker_masks",
            name="measure_biomarkers",
        ),
        Node(nodes.tabulate_biomarkers, "biomarker_masks", "biomarkers", name="tabulate_biomarkers"),
        Node(nodes.collect_transforms, "processed_volumes", "transforms", name="collect_transforms"),
    ]


def _shown(structure: Structure) -> list[Node]:
    """Splits of the eyes that were processed; flow, contact sheets and steps to look at."""
    folds = [f"splits_fold_{k}" for k in structure.fold_numbers]
    return [
        Node(
            nodes.admit_eyes,
            ["drawn_splits", "eye_flow_quality", *PROCESSED, "biomarker_masks"],
            ["splits", "eye_flow", "flow_table", "flow_report"],
            name="admit_eyes",
        ),
        Node(nodes.tabulate_folds, ["splits", "params:splits"], folds, name="tabulate_folds"),
        Node(
            figure_nodes.draw_contact_sheets,
            ["thumbnails", "cohort_table", "quality_table"],
            "contact_sheets",
            name="draw_contact_sheets",
        ),
        Node(
            figure_nodes.draw_steps,
            ["source", "screened_cohort", "surfaces", "references", SETTLED, EXECUTION],
            "processing_steps",
            name="draw_steps",
        ),
    ]

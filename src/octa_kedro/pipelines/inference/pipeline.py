from kedro.pipeline import Node, Pipeline

from octa_kedro.pipelines.data_processing import nodes as steps
from octa_kedro.pipelines.data_processing.pipeline import PROCESSED
from octa_kedro.pipelines.inference import nodes

EXPLAIN, INFERENCE = "params:explainability", "params:inference"
SETTINGS = ["who", "processing", "execution"]
VOLUMES, MAPS, SURFACES, _, _, FLATTENING = PROCESSED


def create_pipeline() -> Pipeline:
    """A source of any number of unlabelled eyes and trained networks -> table, report, and a folder per eye.

    Up to the processed images the node functions are those of `data_processing`.
    """
    template = Pipeline([*_processed(), *_read()], tags=["inference"])
    parameters = {name for name in template.inputs() if name.startswith("params:")}
    return Pipeline(
        template,
        namespace="inference",
        inputs={"references"},
        parameters={name: name for name in parameters},
        prefix_datasets_with_namespace=True,
    )


def _processed() -> list[Node]:
    who, processing, execution = SETTINGS
    return [
        Node(
            nodes.choose_settings,
            ["source", "models", INFERENCE, "params:cohort", "params:execution", EXPLAIN],
            SETTINGS,
            name="choose_settings",
        ),
        Node(
            steps.read_cohort,
            ["source", who, execution],
            ["cohort_table", "eye_flow_files"],
            name="read_cohort",
        ),
        Node(
            steps.inspect_eyes,
            ["source", "cohort_table", who, processing, execution],
            ["surfaces", "thumbnails"],
            name="inspect_eyes",
        ),
        Node(steps.judge_quality, ["surfaces", "params:quality"], "quality_table", name="judge_quality"),
        Node(
            nodes.keep_readable,
            ["cohort_table", "quality_table", "surfaces", "eye_flow_files"],
            ["readable_cohort", "eye_flow_quality"],
            name="keep_readable",
        ),
        Node(
            steps.process_eyes,
            ["source", "readable_cohort", "surfaces", "references", processing, execution],
            PROCESSED,
            name="process_eyes",
        ),
    ]


def _read() -> list[Node]:
    return [
        Node(
            nodes.read_eyes,
            [VOLUMES, MAPS, "models", INFERENCE, EXPLAIN, "params:evaluation"],
            "maps",
            name="read_eyes",
            tags=["gpu"],
        ),
        Node(
            nodes.tabulate_eyes,
            {
                "readings": "maps",
                "volumes": VOLUMES,
                "enface": MAPS,
                "surfaces": "surfaces",
                "cohort": "readable_cohort",
                "quality": "quality_table",
                "flow": "eye_flow_quality",
                "models": "models",
                "config": INFERENCE,
                "explanation": EXPLAIN,
                "evaluation": "params:evaluation",
            },
            ["predictions", "prediction"],
            name="tabulate_eyes",
        ),
        Node(
            nodes.fill_folders,
            ["maps", VOLUMES, MAPS, SURFACES, FLATTENING, "prediction"],
            "eyes",
            name="fill_folders",
        ),
    ]

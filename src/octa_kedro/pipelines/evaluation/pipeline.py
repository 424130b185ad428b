from kedro.pipeline import Node, Pipeline

from octa_kedro.cohort.trainings import place_of
from octa_kedro.configuration.structure import Structure
from octa_kedro.pipelines.evaluation import nodes
from octa_kedro.pipelines.naming import keyword

PARAMETERS = "params:evaluation"
EXECUTION = "params:execution"
FEATURES = ["processed_volumes", "enface_maps", "biomarkers", "quality_table"]  # of the floors
SURFACES = "processed_surfaces"


def create_pipeline(structure: Structure) -> Pipeline:
    """Predictions of all models -> pooled table, metrics with intervals, figures."""
    trained = {(model, *one): f"{model}.{place_of(*one)}" for model in structure.models for one in structure.trainings}
    tables = {keyword(*one): f"{name}.predictions" for one, name in trained.items()}
    seen = {f"{nodes.SEEN}{keyword(*one)}": f"{name}.seen" for one, name in trained.items()}
    histories = {m: [f"{name}.history" for one, name in trained.items() if one[0] == m] for m in structure.models}
    template = Pipeline(
        [
            Node(nodes.score_floors, [*FEATURES, "splits"], "floor", name="score_floors"),
            Node(
                nodes.pool_models,
                {"floor": "floor", "splits": "splits", **tables, **seen},
                ["predictions", "fold_predictions"],
                name="pool_models",
            ),
            Node(
                nodes.compare_models,
                ["predictions", "fold_predictions", PARAMETERS],
                "comparisons",
                name="compare_models",
            ),
            Node(nodes.calibrate_models, ["predictions", PARAMETERS], "calibration", name="calibrate_models"),
            Node(
                nodes.tabulate_variation,
                ["predictions", "fold_predictions", "splits", PARAMETERS],
                "variation",
                name="tabulate_variation",
            ),
            Node(
                nodes.tabulate_metrics,
                ["predictions", "comparisons", "calibration", "variation", PARAMETERS],
                ["metrics", "report"],
                name="tabulate_metrics",
            ),
            Node(nodes.permute_labels, ["predictions", PARAMETERS], "label_permutation", name="permute_labels"),
            *_of_eyes(),
            *_figures(),
            *(
                Node(nodes.draw_history, histories[model], f"{model}.history_figure", name=f"draw_history_{model}")
                for model in structure.models
            ),
        ],
        tags=["evaluation"],
    )
    return Pipeline(
        template,
        namespace="evaluation",
        inputs={
            *FEATURES,
            SURFACES,
            "splits",
            *tables.values(),
            *seen.values(),
            *(name for names in histories.values() for name in names),
        },
        parameters={name: name for name in (PARAMETERS, EXECUTION)},
        prefix_datasets_with_namespace=True,
    )


def _of_eyes() -> list[Node]:
    """What becomes of groups of eyes, and of those that are called wrong."""
    known = ["predictions", "splits", "quality_table", PARAMETERS]
    seen = ["processed_volumes", "enface_maps", SURFACES]
    return [
        Node(nodes.tabulate_subgroups, known, "subgroups", name="tabulate_subgroups"),
        Node(nodes.list_errors, known, "errors", name="list_errors"),
        Node(nodes.draw_errors, ["errors", "predictions", *seen, EXECUTION], "errors_figure", name="draw_errors"),
    ]


def _figures() -> list[Node]:
    """All models side by side."""
    judged = ["predictions", "metrics"]
    curves = ["roc_figure", "precision_recall_figure", "decision_figure"]
    return [
        Node(nodes.draw_curves, [*judged, PARAMETERS], curves, name="draw_curves"),
        Node(nodes.draw_confusion, [*judged, "splits", PARAMETERS], "confusion_figure", name="draw_confusion"),
        Node(
            nodes.draw_reliability,
            [*judged, "calibration", PARAMETERS],
            "reliability_figure",
            name="draw_reliability",
        ),
        Node(
            nodes.draw_overview,
            ["predictions", "fold_predictions", "metrics", PARAMETERS],
            ["forest_figure", "spread_figure"],
            name="draw_overview",
        ),
    ]

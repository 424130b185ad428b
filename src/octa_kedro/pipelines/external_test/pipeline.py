from kedro.pipeline import Node, Pipeline

from octa_kedro.cohort.trainings import place_of
from octa_kedro.configuration.structure import Structure
from octa_kedro.pipelines.data_processing import figure_nodes
from octa_kedro.pipelines.data_processing import nodes as steps
from octa_kedro.pipelines.data_processing.pipeline import PROCESSED
from octa_kedro.pipelines.evaluation import nodes as judging
from octa_kedro.pipelines.external_test import nodes
from octa_kedro.pipelines.naming import keyword
from octa_kedro.pipelines.training.pipeline import IMAGES
from octa_kedro.report.listed import FIGURES, TABLES

NAME = "external_test"
EXECUTION, EXTERNAL, PARAMETERS = "params:execution", "params:external_test", "params:evaluation"
VOLUMES, MAPS, SURFACES, *_ = PROCESSED
DEVELOPMENT = "development_"
"""Before the names of datasets of the development cohort."""
OF_DEVELOPMENT = (
    *("cohort_table", "splits", VOLUMES, MAPS, "biomarkers", "quality_table"),
    *("evaluation.metrics", "evaluation.calibration"),
)
KNOWN = ("predictions", "splits", "quality_table", PARAMETERS)


def create_pipeline(structure: Structure) -> Pipeline:
    """A second labelled cohort and the mission's networks -> the same evaluation of it, its shift, and a report.

    Nothing is fitted: networks, floors, thresholds and temperatures are those of the development cohort.
    """
    trained = {(model, *one): f"{model}.{place_of(*one)}" for model in structure.models for one in structure.trainings}
    template = Pipeline(
        [*_eyes(), *_predicted(structure, trained), *_judged(), *_figures(), _report(trained)], tags=[NAME]
    )
    parameters = {name for name in template.inputs() if name.startswith("params:")}
    return Pipeline(
        template,
        namespace=NAME,
        inputs={
            "references": "references",
            "processing_settings": "processing_settings",
            **{_first(name): name for name in OF_DEVELOPMENT},
            **{f"{name}.checkpoint": f"{name}.checkpoint" for name in trained.values()},
        },
        parameters={name: name for name in parameters},
        prefix_datasets_with_namespace=True,
    )


def _first(name: str) -> str:
    """What a dataset of the development cohort is called in the template."""
    return f"{DEVELOPMENT}{name.replace('.', '_')}"


def _eyes() -> list[Node]:
    """The steps of `data_processing`, with the processing that the networks were trained with."""
    settings = "processing_settings"
    return [
        Node(nodes.choose_cohort, ["params:cohort", EXTERNAL, _first("splits")], "who", name="choose_cohort"),
        Node(
            nodes.read_cohort,
            ["source", "who", "params:cohort", EXTERNAL, EXECUTION, _first("cohort_table")],
            ["cohort_table", "eye_flow_files"],
            name="read_cohort",
        ),
        Node(
            steps.inspect_eyes,
            ["source", "cohort_table", "who", settings, EXECUTION],
            ["surfaces", "thumbnails"],
            name="inspect_eyes",
        ),
        Node(steps.judge_quality, ["surfaces", "params:quality"], "quality_table", name="judge_quality"),
        Node(
            steps.screen_eyes,
            ["cohort_table", "quality_table", "surfaces", "eye_flow_files"],
            ["screened_cohort", "eye_flow_quality"],
            name="screen_eyes",
        ),
        Node(
            steps.process_eyes,
            ["source", "screened_cohort", "surfaces", "references", settings, EXECUTION],
            PROCESSED,
            name="process_eyes",
        ),
        Node(
            steps.measure_biomarkers,
            ["source", "screened_cohort", "surfaces", settings, EXECUTION],
            "biomarker_masks",
            name="measure_biomarkers",
        ),
        Node(steps.tabulate_biomarkers, "biomarker_masks", "biomarkers", name="tabulate_biomarkers"),
        Node(
            nodes.admit_cohort,
            ["screened_cohort", "eye_flow_quality", _first(VOLUMES), *PROCESSED, "biomarker_masks"],
            ["splits", "eye_flow", "flow_table", "flow_report"],
            name="admit_cohort",
        ),
        Node(
            figure_nodes.draw_contact_sheets,
            ["thumbnails", "cohort_table", "quality_table"],
            "contact_sheets",
            name="draw_contact_sheets",
        ),
    ]


def _predicted(structure: Structure, trained: dict[tuple[str, int, int], str]) -> list[Node]:
    """What networks and floors say of the eyes, and the mean of each model's networks."""
    tables = {keyword(*one): f"{name}.predictions" for one, name in trained.items()}
    features = (VOLUMES, MAPS, "biomarkers", "quality_table", "splits")
    return [
        *(
            Node(
                nodes.predict,
                [IMAGES[structure.models[model]], "splits", f"{name}.checkpoint", f"params:{model}", EXTERNAL],
                [f"{name}.predictions", f"{name}.facts"],
                name=f"predict_{keyword(model, *one)}",
                tags=["gpu"],
            )
            for (model, *one), name in trained.items()
        ),
        Node(nodes.score_floors, [*map(_first, features), *features], "floor", name="score_floors"),
        Node(
            nodes.pool_models,
            {
                "floor": "floor",
                "metrics": _first("evaluation.metrics"),
                "calibration": _first("evaluation.calibration"),
                **tables,
            },
            ["predictions", "fold_predictions"],
            name="pool_models",
        ),
    ]


def _judged() -> list[Node]:
    """The evaluation's tables, of this cohort alone, and how it differs from the other."""
    both = ["predictions", "fold_predictions"]
    cohort = ("splits", "quality_table", VOLUMES, MAPS)
    return [
        Node(judging.compare_models, [*both, PARAMETERS], "comparisons", name="compare_models"),
        Node(judging.calibrate_models, ["predictions", PARAMETERS], "calibration", name="calibrate_models"),
        Node(
            judging.tabulate_variation,
            [*both, _first("splits"), PARAMETERS],
            "variation",
            name="tabulate_variation",
        ),
        Node(
            judging.tabulate_metrics,
            ["predictions", "comparisons", "calibration", "variation", PARAMETERS],
            ["metrics", "metrics_text"],
            name="tabulate_metrics",
        ),
        Node(judging.permute_labels, ["predictions", PARAMETERS], "label_permutation", name="permute_labels"),
        Node(judging.tabulate_subgroups, [*KNOWN], "subgroups", name="tabulate_subgroups"),
        Node(judging.list_errors, [*KNOWN], "errors", name="list_errors"),
        Node(
            nodes.compare_cohorts,
            [*map(_first, cohort), *cohort, PARAMETERS],
            ["shift", "shift_figure"],
            name="compare_cohorts",
        ),
    ]


def _figures() -> list[Node]:
    judged = ["predictions", "metrics"]
    seen = [VOLUMES, MAPS, SURFACES]
    return [
        Node(judging.draw_errors, ["errors", "predictions", *seen, EXECUTION], "errors_figure", name="draw_errors"),
        Node(
            judging.draw_curves,
            [*judged, PARAMETERS],
            ["roc_figure", "precision_recall_figure", "decision_figure"],
            name="draw_curves",
        ),
        Node(judging.draw_confusion, [*judged, "splits", PARAMETERS], "confusion_figure", name="draw_confusion"),
        Node(
            judging.draw_reliability,
            [*judged, "calibration", PARAMETERS],
            "reliability_figure",
            name="draw_reliability",
        ),
        Node(
            judging.draw_overview,
            ["predictions", "fold_predictions", "metrics", PARAMETERS],
            ["forest_figure", "spread_figure"],
            name="draw_overview",
        ),
    ]


def _report(trained: dict[tuple[str, int, int], str]) -> Node:
    names = ("splits", "metrics", "comparisons", "calibration", "biomarkers", "predictions", "shift")
    return Node(
        nodes.write_report,
        {
            "flow": "flow_table",
            **{name: name for name in names},
            "permutation": "label_permutation",
            "development": _first("evaluation.metrics"),
            "processing_settings": "processing_settings",
            "config": PARAMETERS,
            "external": EXTERNAL,
            **{f"{nodes.FACTS}{keyword(*one)}": f"{name}.facts" for one, name in trained.items()},
            **{f"{nodes.TABLE}{name}": name for name in TABLES},
            **{f"{nodes.FIGURE}{one.name}": f"{one.name}_figure" for one in FIGURES},
            f"{nodes.FIGURE}shift": "shift_figure",
        },
        ["report", "report_text"],
        name="write_report",
    )

from kedro.pipeline import Node, Pipeline

from octa_kedro.cohort.trainings import place_of
from octa_kedro.configuration.structure import Structure
from octa_kedro.pipelines.naming import keyword
from octa_kedro.pipelines.reporting import nodes
from octa_kedro.report.listed import FIGURES, TABLES

REPORT, TWIN = "report", "report_text"
PARAMETERS = "params:evaluation"


def create_pipeline(structure: Structure) -> Pipeline:
    """Everything that was found -> one report, its twin in Markdown, and a model card beside each checkpoint.

    What the pipeline explainability makes is shown where it is there.
    """
    trained = {
        keyword(model, *one): f"{model}.{place_of(*one)}" for model in structure.models for one in structure.trainings
    }
    cards = [
        Node(
            nodes.describe_network,
            {"checkpoint": f"{name}.checkpoint", "metrics": "evaluation.metrics"},
            [f"{name}.facts", f"{name}.model_card"],
            name=f"describe_{key}",
        )
        for key, name in trained.items()
    ]
    report = Node(nodes.write_report, _read(structure, trained), [REPORT, TWIN], name="write_report")
    return Pipeline([*cards, report], tags=["reporting"])


def _read(structure: Structure, trained: dict[str, str]) -> dict[str, str]:
    """What the report is made of, by the keyword of its node."""
    tables = {name: f"evaluation.{name}" for name in ("metrics", "comparisons", "calibration", "predictions")}
    tables |= {"permutation": "evaluation.label_permutation", "flow": "flow_table"}
    tables |= {name: name for name in ("splits", "biomarkers", "processing_settings")}
    explained = [model for model in structure.explain if structure.models[model] == 3]
    return {
        **tables,
        "config": PARAMETERS,
        **{f"{what}__{key}": f"{name}.{what}" for key, name in trained.items() for what in nodes.OF_NETWORKS},
        **{f"{nodes.TABLE}{name}": f"evaluation.{name}" for name in TABLES},
        **{f"{nodes.FIGURE}{one.name}": f"evaluation.{one.name}_figure" for one in FIGURES},
        **{f"{nodes.DRAWN}{model}": f"evaluation.{model}.history_figure" for model in structure.models},
        **{f"{nodes.DIGEST}{model}": f"explainability.{model}.digest" for model in explained},
        **{f"{nodes.PAGE}{model}": f"explainability.{model}.page" for model in explained},
    }

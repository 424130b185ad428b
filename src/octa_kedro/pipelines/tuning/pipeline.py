from kedro.pipeline import Node, Pipeline

from octa_kedro.configuration.structure import Structure
from octa_kedro.pipelines.naming import keyword
from octa_kedro.pipelines.training.pipeline import IMAGES
from octa_kedro.pipelines.tuning import nodes


def create_pipeline(structure: Structure) -> Pipeline:
    """A search for each model that has one: images and folds -> trials, best parameters, figure, report."""
    return sum((_model(structure, model) for model in structure.tune), Pipeline([]))


def _model(structure: Structure, model: str) -> Pipeline:
    tables = {keyword(nodes.SPLITS, fold): f"splits_fold_{fold}" for fold in structure.fold_numbers}
    encoders = {}
    if structure.pretraining and structure.models[model] == 3:
        encoders = {
            keyword(nodes.PRETRAINED, fold): f"pretraining.fold_{fold}.checkpoint" for fold in structure.fold_numbers
        }
    search = Node(
        nodes.search,
        {
            "images": "images",
            "study": "study",
            "config": "params:config",
            "processing": "params:processing",
            "tuning": "params:tuning",
            **tables,
            **encoders,
        },
        ["trials", "best", "figure", "report"],
        name="search",
        tags=["gpu", "tuning"],
    )
    shared = [*tables.values(), *encoders.values()]
    return Pipeline(
        [search],
        namespace=f"tuning.{model}",
        inputs={"images": IMAGES[structure.models[model]], **{name: name for name in shared}},
        parameters={
            "params:config": f"params:{model}",
            "params:processing": "params:processing",
            "params:tuning": "params:tuning",
        },
        prefix_datasets_with_namespace=True,
    )

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline

from octa_kedro.cohort.trainings import place_of
from octa_kedro.configuration.compared import ComparedNetwork
from octa_kedro.configuration.structure import Structure
from octa_kedro.pipelines.comparison import nodes
from octa_kedro.pipelines.evaluation import nodes as judging
from octa_kedro.pipelines.evaluation.pipeline import FEATURES
from octa_kedro.pipelines.naming import keyword
from octa_kedro.pipelines.training.pipeline import IMAGES

NAME = "comparison"
PARAMETERS, PROCESSING = "params:evaluation", "params:processing"
ENTRIES = "entries"


def create_pipeline(structure: Structure) -> Pipeline:
    """Images and folds of `data_processing` -> every network of the comparison, trained on the very same folds; one
    table of all, their differences, a verdict and figures."""
    compared = structure.comparison
    template = Pipeline(
        [
            _described(compared),
            *(node for entry in compared for node in _trained(structure, entry)),
            *_judged(structure),
        ],
        tags=[NAME],
    )
    made = template.all_outputs()
    parameters = {name for name in template.inputs() if name.startswith("params:")}
    shared = {name for name in template.inputs() - parameters if name not in made and not _own(name)}
    return Pipeline(
        template,
        namespace=NAME,
        inputs=shared,
        parameters={name: name for name in parameters},
        prefix_datasets_with_namespace=True,
    )


def _own(name: str) -> bool:
    """Whether no node makes it, and it is the comparison's all the same: the state of its trainings."""
    return name.endswith("run_folders")


def _bound(function: Callable[..., Any], **what: Any) -> Callable[..., Any]:
    """`function` told its entry, under its own name."""
    return update_wrapper(partial(function, **what), function)


def _described(compared: tuple[ComparedNetwork, ...]) -> Node:
    return Node(
        _bound(nodes.describe_entries, entries=compared),
        ["processing_settings", *(f"params:{one.like}" for one in compared)],
        ENTRIES,
        name="describe_entries",
    )


def _trained(structure: Structure, entry: ComparedNetwork) -> list[Node]:
    """The trainings of one network, and before them an autoencoder per fold where it starts from one."""
    images, config = IMAGES[structure.models[entry.like]], f"params:{entry.like}"
    found = []
    for fold in structure.fold_numbers if entry.pretrained else ():
        place = f"{entry.name}.pretraining.{place_of(fold)}"
        found.append(
            Node(
                _bound(nodes.pretrain_entry, entry=entry),
                [
                    "processed_volumes",
                    f"splits_fold_{fold}",
                    config,
                    "params:pretraining",
                    PROCESSING,
                    f"{place}.run_folders",
                    ENTRIES,
                ],
                [f"{place}.checkpoint", f"{place}.history"],
                name=f"pretrain_{keyword(entry.name, fold)}",
                tags=["gpu"],
            )
        )
    for fold, seed in structure.trainings:
        place, table = f"{entry.name}.{place_of(fold, seed)}", f"splits_fold_{fold}"
        weights = [f"{entry.name}.pretraining.{place_of(fold)}.checkpoint"] if entry.pretrained else []
        found += [
            Node(
                _bound(nodes.train_entry, entry=entry, seed=seed),
                [images, table, config, PROCESSING, f"{place}.run_folders", ENTRIES, *weights],
                [f"{place}.checkpoint", f"{place}.history"],
                name=f"train_{keyword(entry.name, fold, seed)}",
                tags=["gpu"],
            ),
            Node(
                _bound(nodes.apply_entry, entry=entry),
                [images, table, f"{place}.checkpoint", config],
                [f"{place}.predictions", f"{place}.seen"],
                name=f"predict_{keyword(entry.name, fold, seed)}",
                tags=["gpu"],
            ),
        ]
    return found


def _judged(structure: Structure) -> list[Node]:
    """The nodes of the evaluation, over the networks of the comparison and the floors."""
    trained = {
        (one.name, *k): f"{one.name}.{place_of(*k)}" for one in structure.comparison for k in structure.trainings
    }
    tables = {keyword(*one): f"{name}.predictions" for one, name in trained.items()}
    seen = {f"{judging.SEEN}{keyword(*one)}": f"{name}.seen" for one, name in trained.items()}
    both = ["predictions", "fold_predictions"]
    return [
        Node(judging.score_floors, [*FEATURES, "splits"], "floor", name="score_floors"),
        Node(
            judging.pool_models,
            {"floor": "floor", "splits": "splits", **tables, **seen},
            both,
            name="pool_models",
        ),
        Node(judging.compare_models, [*both, PARAMETERS], "comparisons", name="compare_models"),
        Node(judging.calibrate_models, ["predictions", PARAMETERS], "calibration", name="calibrate_models"),
        Node(judging.tabulate_variation, [*both, "splits", PARAMETERS], "variation", name="tabulate_variation"),
        Node(
            judging.tabulate_metrics,
            ["predictions", "comparisons", "calibration", "variation", PARAMETERS],
            ["metrics", "metrics_text"],
            name="tabulate_metrics",
        ),
        Node(
            nodes.tabulate_comparison,
            [ENTRIES, "metrics", "comparisons", PARAMETERS],
            ["table", "verdict"],
            name="tabulate_comparison",
        ),
        Node(
            judging.draw_overview,
            [*both, "metrics", PARAMETERS],
            ["forest_figure", "spread_figure"],
            name="draw_overview",
        ),
        Node(
            judging.draw_curves,
            ["predictions", "metrics", PARAMETERS],
            ["roc_figure", "precision_recall_figure", "decision_figure"],
            name="draw_curves",
        ),
    ]

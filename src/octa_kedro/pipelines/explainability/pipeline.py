from kedro.pipeline import Node, Pipeline

from octa_kedro.cohort.trainings import place_of
from octa_kedro.configuration.structure import Structure
from octa_kedro.pipelines.explainability import nodes, result_nodes
from octa_kedro.pipelines.naming import keyword
from octa_kedro.pipelines.training.pipeline import IMAGES

PREDICTIONS = "evaluation.predictions"
SURFACES = "processed_surfaces"
PARAMETERS = "params:explainability"
THRESHOLD = "params:evaluation"  # what counts as classified correctly is decided in one place


def create_pipeline(structure: Structure) -> Pipeline:
    """Checkpoints and images -> maps, scores against the lesions, a figure per held-out eye."""
    return sum((_model(structure, model) for model in structure.explain), Pipeline([]))


def _model(structure: Structure, model: str) -> Pipeline:
    images = IMAGES[structure.models[model]]
    checkpoints = {keyword(model, *one): f"{model}.{place_of(*one)}.checkpoint" for one in structure.trainings}
    known = {
        "images": images,
        "surfaces": SURFACES,
        "splits": "splits",
        "config": PARAMETERS,
        "evaluation": THRESHOLD,
        **checkpoints,
    }
    explain = Node(
        nodes.explain_model,
        known,
        ["maps", "layer"],
        name="explain",
        tags=["gpu"],
    )
    place = Node(
        nodes.place_over_scans,
        ["maps", images, "flattening", "layer", PREDICTIONS, "params:execution"],
        "maps_over_scan",
        name="place_over_scans",
    )
    if structure.models[model] == 3:
        looks = [*_slab_nodes(known), *_volume_nodes(images, structure, checkpoints)]
    else:
        looks = _plane_nodes(images)
    template = Pipeline([explain, place, *looks], tags=["explainability"])
    return Pipeline(
        template,
        namespace=f"explainability.{model}",
        inputs={name for name in template.inputs() if not name.startswith("params:")},
        parameters={name: name for name in template.inputs() if name.startswith("params:")},
        prefix_datasets_with_namespace=True,
    )


def _slab_nodes(known: dict[str, str]) -> list[Node]:
    return [
        Node(nodes.value_slabs, known, "slab_values", name="value_slabs", tags=["gpu"]),
        Node(nodes.tabulate_slabs, ["slab_values", "layer", PREDICTIONS], "slabs", name="tabulate_slabs"),
    ]


def _volume_nodes(images: str, structure: Structure, checkpoints: dict[str, str]) -> list[Node]:
    common = {
        "images": images,
        "maps": "maps",
        "layer": "layer",
        "surfaces": SURFACES,
        "lesions": "processed_lesions",
        "predictions": PREDICTIONS,
        "evaluation": THRESHOLD,
        "config": PARAMETERS,
        "slabs": "slabs",
    }
    flat = next((model for model in structure.explain if structure.models[model] == 2), None)
    if flat is not None:
        common["plane_maps"] = f"explainability.{flat}.maps"
    beside = {} if flat is None else {"plane_layer": f"explainability.{flat}.layer"}
    return [
        Node(
            result_nodes.score_maps,
            common | {"random_maps": "random_maps"},
            ["scores", "summary", "findings", "sizes", "report"],
            name="score_maps",
        ),
        Node(
            result_nodes.view_maps,
            [images, "maps", "layer", SURFACES, "processed_lesions", "scores", PARAMETERS],
            "viewer",
            name="view_maps",
        ),
        Node(result_nodes.draw_volume_maps, common | beside | {"enface": "enface_maps"}, "figures", name="draw_maps"),
        *_check_nodes(images, checkpoints),
        Node(result_nodes.report_maps, _reported(), ["page", "digest"], name="report_maps"),
    ]


def _check_nodes(images: str, checkpoints: dict[str, str]) -> list[Node]:
    judged = {
        "images": images,
        "surfaces": SURFACES,
        "splits": "splits",
        "layer": "layer",
        "predictions": PREDICTIONS,
        "config": PARAMETERS,
        "evaluation": THRESHOLD,
    }
    first = next(iter(checkpoints.values()))
    return [
        Node(
            nodes.explain_at_random,
            judged | {"checkpoint": first},
            "random_maps",
            name="explain_at_random",
            tags=["gpu"],
        ),
        Node(
            nodes.check_maps,
            judged | checkpoints,
            ["faithfulness", "sanity"],
            name="check_maps",
            tags=["gpu"],
        ),
        Node(
            nodes.conclude_checks,
            ["faithfulness", "sanity", "layer", THRESHOLD],
            ["checks", "randomisation_figure"],
            name="conclude_checks",
        ),
    ]


def _reported() -> dict[str, str]:
    """What the page shows."""
    tables = {name: name for name in ("scores", "summary", "findings", "sizes")}
    places = {"viewer": "viewer", "figures": "figures"}
    around = {"maps": "maps", "layer": "layer", "surfaces": SURFACES}
    checked = {name: name for name in ("slabs", "faithfulness", "sanity", "randomisation_figure")}
    return tables | places | around | checked | {"config": PARAMETERS, "evaluation": THRESHOLD}


def _plane_nodes(images: str) -> list[Node]:
    return [
        Node(
            result_nodes.draw_plane_maps,
            [images, "maps", "layer", "processed_lesions", PREDICTIONS, THRESHOLD],
            "figures",
            name="draw_maps",
        )
    ]

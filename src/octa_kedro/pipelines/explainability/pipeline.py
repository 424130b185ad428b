from kedro.pipeline import Node, Pipeline

from octa_kedro.pipelines.explainability import nodes
from octa_kedro.pipelines.naming import keyword
from octa_kedro.pipelines.training.pipeline import IMAGES
from octa_kedro.structure import Structure

PREDICTIONS = "evaluation.predictions"
SURFACES = "processed_surfaces"
PARAMETERS = "params:explainability"
THRESHOLD = "params:evaluation"  # what counts as classified correctly is decided in one place


def create_pipeline(structure: Structure) -> Pipeline:
    """Checkpoints and images -> maps, scores against the lesions, a figure per held-out eye."""
    return sum((_model(structure, model) for model in structure.explain), Pipeline([]))


def _model(structure: Structure, model: str) -> Pipeline:
    images = IMAGES[structure.models[model]]
    checkpoints = {keyword(model, fold): f"{model}.fold_{fold}.checkpoint" for fold in structure.fold_numbers}
    known = {"images": images, "surfaces": SURFACES, "splits": "splits", "config": PARAMETERS, **checkpoints}
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
        looks = [*_slab_nodes(known), *_volume_nodes(images, structure)]
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


def _volume_nodes(images: str, structure: Structure) -> list[Node]:
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
            nodes.score_maps,
            common,
            ["scores", "summary", "findings", "sizes", "report"],
            name="score_maps",
        ),
        Node(
            nodes.view_maps,
            [images, "maps", "layer", SURFACES, "processed_lesions", "scores", PARAMETERS],
            "viewer",
            name="view_maps",
        ),
        Node(nodes.draw_volume_maps, common | beside | {"enface": "enface_maps"}, "figures", name="draw_maps"),
    ]


def _plane_nodes(images: str) -> list[Node]:
    return [Node(nodes.draw_plane_maps, [images, "maps", "layer", PREDICTIONS, THRESHOLD], "figures", name="draw_maps")]

"""Nodes that map, score and draw where the networks look."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.pipelines.naming import model_of
from octa_kedro.pipelines.node_function import node_function
from octa_kedro.results.config import ExecutionConfig

if TYPE_CHECKING:
    import pandas as pd

    from octa_kedro.explain.drawing import EyePicture
    from octa_kedro.results.recipe import Job
    from octa_kedro.results.stored import Stored
    from octa_kedro.training.checkpoint import Checkpoint
    from octa_kedro.viewer.cohort import ViewerPage

log = logging.getLogger(__name__)


@node_function
def explain_model(
    images: Mapping[str, Stored],
    surfaces: Mapping[str, Stored],
    splits: pd.DataFrame,
    config: ExplainConfig,
    **checkpoints: Checkpoint,
) -> tuple[Job, dict[str, Any]]:
    """All folds' checkpoints of a model -> a map per eye, and how they are made."""
    from octa_kedro.explain.explainer import Explainer
    from octa_kedro.explain.recipes import map_job

    loaded = list(checkpoints.values())
    job = map_job(images, splits, loaded, config, surfaces)
    layer = Explainer(loaded[0], config).describe(next(iter(images.values()))())
    return job, {"model": model_of(next(iter(checkpoints)))} | layer


@node_function
def value_slabs(
    images: Mapping[str, Stored],
    surfaces: Mapping[str, Stored],
    splits: pd.DataFrame,
    config: ExplainConfig,
    **checkpoints: Checkpoint,
) -> Job:
    """All folds' checkpoints of a 3D model -> the Shapley values of the slabs of held-out eyes."""
    from octa_kedro.explain.recipes import slab_value_job

    return slab_value_job(images, splits, [*checkpoints.values()], config, surfaces)


@node_function
def tabulate_slabs(values: Mapping[str, Stored], layer: Mapping[str, Any], predictions: pd.DataFrame) -> pd.DataFrame:
    """Shapley values of slabs beside the predictions, as a table."""
    from octa_kedro.explain.slab_decision import tabulate_slabs as tabulate

    return tabulate(values, _held_out(predictions, layer))


@node_function
def place_over_scans(
    maps: Mapping[str, Stored],
    images: Mapping[str, Stored],
    flattening: Mapping[str, Stored],
    layer: Mapping[str, Any],
    predictions: pd.DataFrame,
    execution: ExecutionConfig,
) -> Job:
    """Maps of held-out eyes -> the same on the voxels of their raw scans, as `conversion` writes these."""
    from octa_kedro.explain.recipes import over_scan_job

    return over_scan_job(maps, images, flattening, _held_out(predictions, layer)["subject"], execution)


@node_function
def score_maps(
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    layer: Mapping[str, Any],
    surfaces: Mapping[str, Stored],
    lesions: Mapping[str, Stored],
    predictions: pd.DataFrame,
    config: ExplainConfig,
    evaluation: EvaluationConfig,
    slabs: pd.DataFrame,
    plane_maps: Mapping[str, Stored] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, str]:
    """Does each 3D map find the lesion, better than controls do? -> scores by eye, their summary, by finding, by size
    of the lesion, and as text (also logged), with what `slabs` carried the decisions. Of a 2D network's `plane_maps`,
    if any, a control is made."""
    from octa_kedro.explain import cohort
    from octa_kedro.explain.hits_text import format_findings, format_hits
    from octa_kedro.explain.slab_text import format_slabs
    from octa_kedro.explain.summary import Bootstrap, summarise_findings, summarise_hits, summarise_sizes

    model = str(layer["model"])
    rows = predictions[predictions["model"] == model]
    around = cohort.Surroundings(surfaces, lesions)
    draw = Bootstrap(evaluation.resamples, evaluation.seed, evaluation.level)
    common = (maps, around, rows, config, evaluation.threshold)
    scores = cohort.score_maps(*common, rivals=cohort.Rivals(images, plane_maps or {}))
    summary = summarise_hits(scores, {model: float(layer["cell_mm"][0])}, draw, target_class=config.target_class)
    findings = cohort.score_findings(*common, names=config.finding_names)
    by_finding = summarise_findings(findings, draw, target_class=config.target_class)
    sizes = summarise_sizes(scores, draw, target_class=config.target_class)
    hits, marked = format_hits(summary, evaluation.level), format_findings(by_finding)
    carried = format_slabs(slabs, config.lesion_slabs, evaluation.threshold, draw, target_class=config.target_class)
    text = f"{layer['title']} maps\n\n{hits}\n\nBy finding\n{marked}\n"
    text += f"\nWhich slabs carried the decisions (Shapley values compared with healthy eyes)\n{carried}\n"
    log.info("do the maps find the lesions?\n%s", text)
    return scores, summary, by_finding, sizes, text


@node_function
def view_maps(
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    layer: Mapping[str, Any],
    surfaces: Mapping[str, Stored],
    lesions: Mapping[str, Stored],
    scores: pd.DataFrame,
    config: ExplainConfig,
) -> ViewerPage:
    """All eyes with a 3D map -> a page to look at them in three planes and in 3D."""
    from octa_kedro.explain.scoring import MAP
    from octa_kedro.explain.titles import readable_model
    from octa_kedro.viewer.cohort import ViewerPage

    return ViewerPage(
        scores[scores["method"] == MAP],
        images,
        maps,
        surfaces,
        lesions,
        title=f"Where the {readable_model(str(layer['model']))} looks",
        note=f"Maps: {layer['title']}, the mean of the networks that have not learnt from the eye.",
        findings=config.finding_names,
    )


@node_function
def draw_volume_maps(
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    layer: Mapping[str, Any],
    enface: Mapping[str, Stored],
    surfaces: Mapping[str, Stored],
    lesions: Mapping[str, Stored],
    predictions: pd.DataFrame,
    evaluation: EvaluationConfig,
    slabs: pd.DataFrame,
    config: ExplainConfig,
    plane_maps: Mapping[str, Stored] | None = None,
    plane_layer: Mapping[str, Any] | None = None,
) -> dict[str, EyePicture]:
    """A figure and an animated sweep per held-out eye of a 3D model, beside its map by a 2D model, if there is one."""
    from octa_kedro.explain.cohort import Surroundings
    from octa_kedro.explain.drawing import PlaneMaps, draw_maps, draw_sweeps
    from octa_kedro.explain.slab_decision import decisions

    plane = None
    if plane_maps is not None and plane_layer is not None:
        plane = PlaneMaps(plane_maps, tuple(plane_layer["slabs"]))
    around, rows = Surroundings(surfaces, lesions, enface), _held_out(predictions, layer)
    decided = decisions(slabs, evaluation.threshold, config.target_class)
    figures = draw_maps(images, maps, rows, around, **_how(layer, evaluation), plane=plane, decisions=decided)
    return figures | draw_sweeps(images, maps, rows, around)


@node_function
def draw_plane_maps(
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    layer: Mapping[str, Any],
    predictions: pd.DataFrame,
    evaluation: EvaluationConfig,
) -> dict[str, EyePicture]:
    """A figure per held-out eye of a 2D model."""
    from octa_kedro.explain.cohort import Surroundings
    from octa_kedro.explain.drawing import draw_maps

    rows, slabs = _held_out(predictions, layer), tuple(layer["slabs"])
    return draw_maps(images, maps, rows, Surroundings(), slabs, **_how(layer, evaluation))


def _how(layer: Mapping[str, Any], evaluation: EvaluationConfig) -> dict[str, Any]:
    from octa_kedro.explain.titles import readable_model

    return {
        "threshold": evaluation.threshold,
        "model": readable_model(str(layer["model"])),
        "unit": f"{layer['title']}, raw (evidence)",
    }


def _held_out(predictions: pd.DataFrame, layer: Mapping[str, Any]) -> pd.DataFrame:
    return predictions[(predictions["model"] == layer["model"]) & (predictions["part"] == "held_out")]

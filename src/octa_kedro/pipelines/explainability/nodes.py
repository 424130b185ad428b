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
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure

    from octa_kedro.explain.drawing import EyePicture
    from octa_kedro.report.page import ReportPage
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
    evaluation: EvaluationConfig,
    **checkpoints: Checkpoint,
) -> tuple[Job, dict[str, Any]]:
    """All folds' checkpoints of a model -> a map per eye, and how they are made (what speaks against it is logged)."""
    from octa_kedro.explain.explainer import Explainer
    from octa_kedro.explain.recipes import map_job, settle_method

    loaded = list(checkpoints.values())
    model = model_of(next(iter(checkpoints)))
    settled = settle_method(images, splits, loaded, config, surfaces)
    layer = Explainer(loaded[0], settled).describe(next(iter(images.values()))())
    if layer["note"]:
        log.warning("maps of %s: %s", model, layer["note"])
    job = map_job(images, splits, loaded, settled, threshold=evaluation.threshold, surfaces=surfaces)
    return job, {"model": model} | layer


@node_function
def value_slabs(
    images: Mapping[str, Stored],
    surfaces: Mapping[str, Stored],
    splits: pd.DataFrame,
    config: ExplainConfig,
    evaluation: EvaluationConfig,
    **checkpoints: Checkpoint,
) -> Job:
    """All folds' checkpoints of a 3D model -> the Shapley values of the slabs of held-out eyes."""
    from octa_kedro.explain.recipes import slab_value_job

    networks = [*checkpoints.values()]
    return slab_value_job(images, splits, networks, config, threshold=evaluation.threshold, surfaces=surfaces)


@node_function
def tabulate_slabs(values: Mapping[str, Stored], layer: Mapping[str, Any], predictions: pd.DataFrame) -> pd.DataFrame:
    """Shapley values of slabs beside the predictions, as a table."""
    from octa_kedro.explain.slab_decision import tabulate_slabs as tabulate

    return tabulate(values, _held_out(predictions, layer))


@node_function
def explain_at_random(
    images: Mapping[str, Stored],
    surfaces: Mapping[str, Stored],
    splits: pd.DataFrame,
    layer: Mapping[str, Any],
    predictions: pd.DataFrame,
    config: ExplainConfig,
    evaluation: EvaluationConfig,
    checkpoint: Checkpoint,
) -> Job:
    """Maps by the same network with random weights, of the eyes that maps are judged on: a control."""
    from octa_kedro.explain.cohort import judged_eyes
    from octa_kedro.explain.recipes import random_map_job

    rows = predictions[predictions["model"] == layer["model"]]
    judged = judged_eyes(rows, layer["target_class"], evaluation.threshold)["subject"].astype(str)
    settled = config.model_copy(update={"method_3d": layer["method"]})
    return random_map_job(images, splits, checkpoint, settled, subjects=judged, surfaces=surfaces)


@node_function
def check_maps(
    images: Mapping[str, Stored],
    surfaces: Mapping[str, Stored],
    splits: pd.DataFrame,
    layer: Mapping[str, Any],
    predictions: pd.DataFrame,
    config: ExplainConfig,
    evaluation: EvaluationConfig,
    **checkpoints: Checkpoint,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Does the network use what its maps mark, and do they depend on its weights? -> tables of a few held-out eyes."""
    from octa_kedro.explain import checked_cohort

    rows = predictions[predictions["model"] == layer["model"]]
    eyes = checked_cohort.sample_eyes(rows, config, layer["target_class"], evaluation.threshold)
    networks = list(checkpoints.values())
    settled = config.model_copy(update={"method_3d": layer["method"]})
    return checked_cohort.check_maps(eyes, images, surfaces, splits, checkpoints=networks, config=settled)


@node_function
def conclude_checks(
    faithfulness: pd.DataFrame, sanity: pd.DataFrame, layer: Mapping[str, Any], evaluation: EvaluationConfig
) -> tuple[str, Figure]:
    """What the checks say in plain words (also logged), and the curves of the randomised weights."""
    from octa_kedro.explain.checks_figure import randomisation_figure
    from octa_kedro.explain.checks_text import format_checks
    from octa_kedro.explain.summary import Bootstrap
    from octa_kedro.explain.titles import readable_model

    draw = Bootstrap(evaluation.resamples, evaluation.seed, evaluation.level)
    title = f"{readable_model(str(layer['model']))}, {layer['title']}"
    text = format_checks(faithfulness, sanity, draw, title=title)
    log.info("what are the maps worth?\n%s", text)
    return text, randomisation_figure(sanity, draw, title=title)


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
    random_maps: Mapping[str, Stored],
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
    from octa_kedro.explain.random_network import RANDOM_WEIGHTS
    from octa_kedro.explain.slab_text import carried_diseases, format_slabs
    from octa_kedro.explain.summary import Bootstrap, summarise_findings, summarise_hits, summarise_sizes
    from octa_kedro.explain.titles import explained_words

    model = str(layer["model"])
    rows = predictions[predictions["model"] == model]
    around = cohort.Surroundings(surfaces, lesions)
    draw = Bootstrap(evaluation.resamples, evaluation.seed, evaluation.level)
    common = (maps, around, rows, config, evaluation.threshold)
    rivals = cohort.Rivals(images, plane_maps or {}, {RANDOM_WEIGHTS: random_maps})
    scores = cohort.score_maps(*common, rivals=rivals)
    summary = summarise_hits(scores, {model: float(layer["cell_mm"][0])}, draw, target_class=layer["target_class"])
    findings = cohort.score_findings(*common, names=config.finding_names)
    by_finding = summarise_findings(findings, draw, target_class=layer["target_class"])
    sizes = summarise_sizes(scores, draw, target_class=layer["target_class"])
    explained, note = explained_words(layer), f"\nNote: {layer['note']}" if layer["note"] else ""
    hits, marked = format_hits(summary, evaluation.level), format_findings(by_finding)
    carried = format_slabs(
        carried_diseases(slabs, config.lesion_slabs, evaluation.threshold, draw, target_class=layer["target_class"])
    )
    text = f"{layer['title']} maps of {explained}{note}\n\n{hits}\n\nBy finding\n{marked}\n"
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
    from octa_kedro.explain.titles import explained_words, readable_model
    from octa_kedro.viewer.cohort import ViewerPage

    note = f" Note: {layer['note']}." if layer["note"] else ""
    return ViewerPage(
        scores[scores["method"] == MAP],
        images,
        maps,
        surfaces,
        lesions,
        title=f"Where the {readable_model(str(layer['model']))} looks",
        note=f"Maps: {layer['title']}, {explained_words(layer)}; the mean of the networks that have not learnt from "
        f"the eye.{note}",
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
    decided = decisions(slabs, evaluation.threshold)
    figures = draw_maps(images, maps, rows, around, **_how(layer, evaluation), plane=plane, decisions=decided)
    return figures | draw_sweeps(images, maps, rows, around)


@node_function
def report_maps(
    scores: pd.DataFrame,
    summary: pd.DataFrame,
    findings: pd.DataFrame,
    sizes: pd.DataFrame,
    viewer: Path,
    figures: Path,
    maps: Mapping[str, Stored],
    layer: Mapping[str, Any],
    surfaces: Mapping[str, Stored],
    slabs: pd.DataFrame,
    faithfulness: pd.DataFrame,
    sanity: pd.DataFrame,
    randomisation_figure: Path,
    config: ExplainConfig,
    evaluation: EvaluationConfig,
) -> ReportPage:
    """Scores, checks, figures and viewer of a 3D model -> a page of results to read."""
    from octa_kedro.explain.checks_text import conclusions
    from octa_kedro.explain.slab_evidence import slab_evidence
    from octa_kedro.explain.slab_text import carried_diseases
    from octa_kedro.explain.summary import Bootstrap
    from octa_kedro.report.checks import check_section, decision_section
    from octa_kedro.report.explanation import Places, Scores, explanation_page

    draw, explained = Bootstrap(evaluation.resamples, evaluation.seed, evaluation.level), layer["target_class"]
    carried = carried_diseases(slabs, config.lesion_slabs, evaluation.threshold, draw, target_class=explained)
    said = conclusions(faithfulness, sanity, draw)
    evidence = slab_evidence(scores, maps, surfaces, draw, target_class=explained)
    return explanation_page(
        Scores(scores, summary, findings, sizes, evidence),
        layer,
        config,
        Places(figures, viewer),
        [decision_section(carried, draw.level), check_section(said, randomisation_figure)],
        level=evaluation.level,
    )


@node_function
def draw_plane_maps(
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    layer: Mapping[str, Any],
    lesions: Mapping[str, Stored],
    predictions: pd.DataFrame,
    evaluation: EvaluationConfig,
) -> dict[str, EyePicture]:
    """A figure per held-out eye of a 2D model."""
    from octa_kedro.explain.cohort import Surroundings
    from octa_kedro.explain.drawing import draw_maps

    rows, slabs = _held_out(predictions, layer), tuple(layer["slabs"])
    return draw_maps(images, maps, rows, Surroundings(lesions=lesions), slabs, **_how(layer, evaluation))


def _how(layer: Mapping[str, Any], evaluation: EvaluationConfig) -> dict[str, Any]:
    from octa_kedro.explain.titles import readable_model

    return {
        "threshold": evaluation.threshold,
        "model": readable_model(str(layer["model"])),
        "unit": f"{layer['title']}, raw",
    }


def _held_out(predictions: pd.DataFrame, layer: Mapping[str, Any]) -> pd.DataFrame:
    return predictions[(predictions["model"] == layer["model"]) & (predictions["part"] == "held_out")]

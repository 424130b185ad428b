"""Nodes that score, show and report the maps."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.pipelines.explainability.nodes import held_out
from octa_kedro.pipelines.node_function import node_function

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from octa_kedro.explain.drawing import EyePicture
    from octa_kedro.report.page import ReportPage
    from octa_kedro.results.stored import Stored
    from octa_kedro.viewer.cohort import ViewerPage

log = logging.getLogger(__name__)


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
    from octa_kedro.evaluation.names import readable_model
    from octa_kedro.explain.scoring import MAP
    from octa_kedro.explain.titles import explained_words
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
    around, rows = Surroundings(surfaces, lesions, enface), held_out(predictions, layer)
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

    rows, slabs = held_out(predictions, layer), tuple(layer["slabs"])
    return draw_maps(images, maps, rows, Surroundings(lesions=lesions), slabs, **_how(layer, evaluation))


def _how(layer: Mapping[str, Any], evaluation: EvaluationConfig) -> dict[str, Any]:
    from octa_kedro.evaluation.names import readable_model

    return {
        "threshold": evaluation.threshold,
        "model": readable_model(str(layer["model"])),
        "unit": f"{layer['title']}, raw",
    }

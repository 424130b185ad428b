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
    from matplotlib.figure import Figure

    from octa_kedro.results.recipe import Job
    from octa_kedro.results.stored import Stored
    from octa_kedro.training.checkpoint import Checkpoint

log = logging.getLogger(__name__)


@node_function
def explain_model(
    images: Mapping[str, Stored], splits: pd.DataFrame, config: ExplainConfig, **checkpoints: Checkpoint
) -> tuple[Job, dict[str, Any]]:
    """All folds' checkpoints of a model -> a map per eye, and how they are made."""
    from octa_kedro.explain.explainer import Explainer
    from octa_kedro.explain.recipes import map_job

    loaded = list(checkpoints.values())
    layer = Explainer(loaded[0], config).describe(next(iter(images.values()))())
    return map_job(images, splits, loaded, config), {"model": model_of(next(iter(checkpoints)))} | layer


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
    maps: Mapping[str, Stored],
    layer: Mapping[str, Any],
    surfaces: Mapping[str, Stored],
    lesions: Mapping[str, Stored],
    predictions: pd.DataFrame,
    config: ExplainConfig,
    evaluation: EvaluationConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Does each 3D map point at the lesion's slab, and at the lesion? -> scores, summary, text (also logged)."""
    from octa_kedro.explain import cohort
    from octa_kedro.explain.localisation import format_hits, summarise_hits

    model = str(layer["model"])
    rows = predictions[predictions["model"] == model]
    scores = cohort.score_maps(maps, cohort.Surroundings(surfaces, lesions), rows, config, evaluation.threshold)
    summary = summarise_hits(scores, {model: float(layer["cell_mm"][0])})
    text = format_hits(summary)
    log.info("depth of the maps:\n%s", text)
    return scores, summary, text


@node_function
def draw_volume_maps(
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    layer: Mapping[str, Any],
    enface: Mapping[str, Stored],
    surfaces: Mapping[str, Stored],
    lesions: Mapping[str, Stored],
    predictions: pd.DataFrame,
) -> dict[str, Figure]:
    """A figure per held-out eye of a 3D model."""
    from octa_kedro.explain.cohort import Surroundings, draw_maps

    return draw_maps(images, maps, _held_out(predictions, layer), Surroundings(surfaces, lesions, enface))


@node_function
def draw_plane_maps(
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    layer: Mapping[str, Any],
    predictions: pd.DataFrame,
) -> dict[str, Figure]:
    """A figure per held-out eye of a 2D model."""
    from octa_kedro.explain.cohort import Surroundings, draw_maps

    return draw_maps(images, maps, _held_out(predictions, layer), Surroundings(), tuple(layer["slabs"]))


def _held_out(predictions: pd.DataFrame, layer: Mapping[str, Any]) -> pd.DataFrame:
    return predictions[(predictions["model"] == layer["model"]) & (predictions["part"] == "held_out")]

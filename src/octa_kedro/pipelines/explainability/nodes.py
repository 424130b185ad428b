"""Nodes that map where the networks look, and check what the maps are worth."""

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
    images: Mapping[str, Stored],
    surfaces: Mapping[str, Stored],
    splits: pd.DataFrame,
    config: ExplainConfig,
    evaluation: EvaluationConfig,
    **checkpoints: Checkpoint,
) -> tuple[Job, dict[str, Any]]:
    """All checkpoints of a model -> a map per eye, and how they are made (what speaks against it is logged)."""
    from octa_kedro.explain.explainer import Explainer
    from octa_kedro.explain.recipes import map_job, settle_method

    loaded = list(checkpoints.values())
    model = model_of(next(iter(checkpoints)))
    settled = settle_method(images, splits, loaded, config, surfaces)
    layer = Explainer(loaded[0], settled).describe(next(iter(images.values()))())
    if layer["note"]:
        log.warning("maps of %s: %s", model, layer["note"])
    if evaluation.threshold_rule != "fixed":
        log.warning(
            "maps of %s: what counts as called correctly is decided by evaluation.threshold, %g, and not by the "
            "threshold that rule %s chose", model, evaluation.threshold, evaluation.threshold_rule,
        )  # fmt: skip
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
    """All checkpoints of a 3D model -> the Shapley values of the slabs of held-out eyes."""
    from octa_kedro.explain.recipes import slab_value_job

    networks = [*checkpoints.values()]
    return slab_value_job(images, splits, networks, config, threshold=evaluation.threshold, surfaces=surfaces)


@node_function
def tabulate_slabs(values: Mapping[str, Stored], layer: Mapping[str, Any], predictions: pd.DataFrame) -> pd.DataFrame:
    """Shapley values of slabs beside the predictions, as a table."""
    from octa_kedro.explain.slab_decision import tabulate_slabs as tabulate

    return tabulate(values, held_out(predictions, layer))


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
    from octa_kedro.evaluation.names import readable_model
    from octa_kedro.explain.checks_figure import randomisation_figure
    from octa_kedro.explain.checks_text import format_checks
    from octa_kedro.explain.summary import Bootstrap

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

    return over_scan_job(maps, images, flattening, held_out(predictions, layer)["subject"], execution)


def held_out(predictions: pd.DataFrame, layer: Mapping[str, Any]) -> pd.DataFrame:
    """The predictions of the model that `layer` tells of, for held-out eyes."""
    return predictions[(predictions["model"] == layer["model"]) & (predictions["part"] == "held_out")]

"""Nodes that read unlabelled eyes with trained networks; up to the processed image the steps are the mission's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from octa_kedro.cohort.config import CohortConfig
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.inference.config import InferenceConfig
from octa_kedro.pipelines.data_processing.nodes import screen_eyes
from octa_kedro.pipelines.node_function import node_function
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.results.config import ExecutionConfig

if TYPE_CHECKING:
    import pandas as pd

    from octa_kedro.inference.folders import EyeFolder
    from octa_kedro.inference.networks import ModelFolder
    from octa_kedro.io.source import Source
    from octa_kedro.results.recipe import Job
    from octa_kedro.results.stored import Manifest, Stored


@node_function
def choose_settings(
    source: Source,
    models: ModelFolder,
    config: InferenceConfig,
    cohort: CohortConfig,
    execution: ExecutionConfig,
    explanation: ExplainConfig,
) -> tuple[CohortConfig, ProcessingConfig, ExecutionConfig]:
    """How the mission's steps are to go: all eyes of the source (or the one that is asked for) without labels,
    processed as the networks' training eyes were, and an eye that cannot be is put aside."""
    from octa_kedro.inference.cohort import unlabelled
    from octa_kedro.inference.networks import processing_of
    from octa_kedro.inference.reading import require_explainable

    networks = models.take(config)
    require_explainable(networks, explanation)
    processing = processing_of(networks)
    return (
        unlabelled(source, cohort, processing, config.subject),
        processing,
        execution.model_copy(update={"on_error": "quarantine"}),
    )


@node_function
def keep_readable(
    cohort: pd.DataFrame, quality: pd.DataFrame, surfaces: Manifest, flow: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """As the mission screens eyes, but one beyond the limits of quality stays: it is read, and warned of."""
    return screen_eyes(cohort, quality.assign(reasons=""), surfaces, flow)


@node_function
def read_eyes(
    volumes: Mapping[str, Stored],
    enface: Mapping[str, Stored],
    models: ModelFolder,
    config: InferenceConfig,
    explanation: ExplainConfig,
    evaluation: EvaluationConfig,
) -> Job:
    """Processed eyes -> each one's map with its probabilities by every network."""
    from octa_kedro.inference.reading import images_for, reading_job

    networks = models.take(config)
    return reading_job(images_for(networks, volumes, enface), networks, explanation, evaluation.stated_threshold())


@node_function
def tabulate_eyes(
    readings: Manifest,
    volumes: Manifest,
    enface: Manifest,
    surfaces: Mapping[str, Stored],
    cohort: pd.DataFrame,
    quality: pd.DataFrame,
    flow: pd.DataFrame,
    models: ModelFolder,
    config: InferenceConfig,
    explanation: ExplainConfig,
    evaluation: EvaluationConfig,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Readings -> the table of predictions, and a report of them and of the eyes that were left out (also logged)."""
    from octa_kedro.cohort.flow import leave_unless
    from octa_kedro.inference.prediction_table import Around, tabulate, tell, write_report
    from octa_kedro.inference.reading import images_for
    from octa_kedro.preprocessing.quality import reasons_in
    from octa_kedro.training.guard import patients_in

    networks = models.take(config)
    origins = {subject: stored.meta["note"] or "supplied" for subject, stored in surfaces.items()}
    around = Around(reasons_in(quality), origins, patients_in(cohort))
    images = images_for(networks, volumes, enface)
    table = tabulate(readings, images, networks, around, evaluation.stated_threshold())
    after = leave_unless(flow, images, "processing", volumes.failed | enface.failed)
    report = write_report(
        table,
        readings,
        networks,
        leave_unless(after, readings, "prediction", readings.failed),
        target_class=explanation.target_class,
        environment=models.environment,
    )
    tell(report)
    return table, report


@node_function
def fill_folders(
    readings: Mapping[str, Stored],
    volumes: Mapping[str, Stored],
    enface: Mapping[str, Stored],
    surfaces: Mapping[str, Stored],
    flattening: Mapping[str, Stored],
    report: dict[str, Any],
) -> dict[str, EyeFolder]:
    """Everything that was found -> a folder per eye."""
    from octa_kedro.inference.folders import Found, eye_folders

    return eye_folders(Found(readings, volumes, enface, surfaces, flattening), report)

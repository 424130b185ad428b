"""Nodes that judge a second labelled cohort by frozen networks; the others are the mission's and the evaluation's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from octa_kedro.cohort.config import CohortConfig
from octa_kedro.evaluation.config import EvaluationConfig
from octa_kedro.external.config import ExternalConfig
from octa_kedro.pipelines.data_processing.nodes import admit_eyes
from octa_kedro.pipelines.naming import model_of, seed_of
from octa_kedro.pipelines.node_function import node_function
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.results.config import ExecutionConfig
from octa_kedro.training.config import TrainingConfig

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure

    from octa_kedro.io.source import Source
    from octa_kedro.report.page import ReportPage
    from octa_kedro.results.stored import Manifest, Stored
    from octa_kedro.training.checkpoint import Checkpoint

FACTS, FIGURE, TABLE = "facts__", "figure__", "table__"
"""Beginnings of the keywords of `write_report`."""

log = logging.getLogger(__name__)


@node_function
def choose_cohort(config: CohortConfig, external: ExternalConfig, splits: pd.DataFrame) -> CohortConfig:
    """How the second cohort is read: with the classes of the development cohort."""
    from octa_kedro.external.cohort import second_cohort

    return second_cohort(config, external, splits)


@node_function
def read_cohort(
    source: Source,
    who: CohortConfig,
    config: CohortConfig,
    external: ExternalConfig,
    execution: ExecutionConfig,
    development: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Label table and file checks -> one row per usable eye, none of the development cohort, and what became of all."""
    from octa_kedro.external.cohort import select_second

    own_words = config.classes is None
    on_error = execution.on_error
    found = select_second(source, who, external, development, own_words=own_words, on_error=on_error)
    return found.table, found.flow


@node_function
def admit_cohort(
    cohort: pd.DataFrame,
    flow: pd.DataFrame,
    development: Mapping[str, Stored],
    images: Manifest,
    *beside: Manifest,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, str]:
    """Processed eyes -> those that are judged, none of which has an image of the development cohort; the flow of eyes,
    counted, and as text."""
    from octa_kedro.external.cohort import as_held_out, require_other_images

    words = require_other_images(images, development)
    splits, after, counted, text = admit_eyes(as_held_out(cohort), flow, images, *beside)
    return splits, after, counted, text + "".join(f"eyes {line}\n" for line in words)


@node_function
def predict(
    images: Mapping[str, Stored],
    splits: pd.DataFrame,
    checkpoint: Checkpoint,
    config: TrainingConfig,
    external: ExternalConfig,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """One frozen network -> its predictions for the second cohort, and what the report says of it."""
    from octa_kedro.external.judging import predict_second
    from octa_kedro.report.networks import network_facts

    card = checkpoint.card.model_dump(mode="json")
    facts = network_facts(card, sum(weights.numel() for weights in checkpoint.weights.values()))
    return predict_second(images, splits, checkpoint, config, external), facts


@node_function
def score_floors(
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    biomarkers: pd.DataFrame,
    quality: pd.DataFrame,
    splits: pd.DataFrame,
    *second: Any,
) -> pd.DataFrame:
    """Floors, fitted on the development cohort as in the evaluation -> their predictions for the second cohort, whose
    images, maps, biomarkers, quality and splits come last."""
    from octa_kedro.external.judging import Features, second_floors

    return second_floors(Features(images, maps, biomarkers, quality, splits), Features(*second))


@node_function
def pool_models(
    floor: pd.DataFrame, metrics: pd.DataFrame, calibration: pd.DataFrame, **tables: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All models' predictions, one per eye and one per network and eye, with the threshold and temperature that the
    evaluation of the development cohort has settled; keywords are those of `keyword`."""
    from octa_kedro.external.judging import pool_second

    numbers = sorted((seed_of(key), model_of(key)) for key in tables)
    named = [table.assign(model=model_of(key)) for key, table in tables.items()]
    return pool_second(named, floor, metrics, calibration, {model: number for number, model in numbers})


@node_function
def compare_cohorts(
    splits: pd.DataFrame,
    quality: pd.DataFrame,
    images: Mapping[str, Stored],
    maps: Mapping[str, Stored],
    second_splits: pd.DataFrame,
    second_quality: pd.DataFrame,
    second_images: Mapping[str, Stored],
    second_maps: Mapping[str, Stored],
    config: EvaluationConfig,
) -> tuple[pd.DataFrame, Figure]:
    """Case mix, scans, quality and grey levels of both cohorts -> how they differ, as a table and as a figure."""
    from octa_kedro.external.shift import Eyes, compared_variables, shift_table
    from octa_kedro.external.shift_figure import shift_figure

    first, second = (
        Eyes(splits, quality, images, maps),
        Eyes(second_splits, second_quality, second_images, second_maps),
    )
    variables = compared_variables(first, second)
    table = shift_table(variables, config.level)
    return table, shift_figure(variables, table, config.level)


@node_function
def write_report(
    flow: pd.DataFrame,
    splits: pd.DataFrame,
    metrics: pd.DataFrame,
    comparisons: pd.DataFrame,
    calibration: pd.DataFrame,
    permutation: pd.DataFrame,
    biomarkers: pd.DataFrame,
    predictions: pd.DataFrame,
    shift: pd.DataFrame,
    development: pd.DataFrame,
    processing_settings: ProcessingConfig,
    config: EvaluationConfig,
    external: ExternalConfig,
    **found: Any,
) -> tuple[ReportPage, str]:
    """Tables, networks and figures of the second cohort, beside the metrics of the development cohort -> the report,
    and the same as Markdown."""
    from octa_kedro.pipelines.reporting.nodes import by_model, named, origin_of
    from octa_kedro.report.markdown import page_as_markdown
    from octa_kedro.report.second_cohort import second_cohort_page
    from octa_kedro.report.study_data import Tables

    figures: dict[str, Path] = named(found, FIGURE)
    more = named(found, TABLE)
    tables = Tables(flow, splits, metrics, comparisons, calibration, permutation, biomarkers, more)
    read = [flow, splits, metrics, comparisons, calibration, permutation, biomarkers, predictions, shift, development]
    origin = origin_of([*read, *more.values()], figures.values(), predictions, processing_settings)
    facts = by_model(named(found, FACTS))
    compared = external.same_names == "refuse"
    page = second_cohort_page(
        tables, facts, figures, shift, development, origin=origin, config=config, names_compared=compared
    )
    root = next(iter(figures.values())).parents[2]
    return page, page_as_markdown(page, root / "report.md" / "version")

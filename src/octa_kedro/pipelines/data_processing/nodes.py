"""Nodes from a source of scans to network inputs and splits. Results of eyes are jobs, done when they are saved."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from octa_kedro.cohort.config import CohortConfig, SplitConfig
from octa_kedro.explain.config import ExplainConfig
from octa_kedro.pipelines.node_function import node_function
from octa_kedro.preprocessing.config import ProcessingConfig
from octa_kedro.preprocessing.quality_config import QualityConfig
from octa_kedro.results.config import ExecutionConfig

if TYPE_CHECKING:
    import pandas as pd

    from octa_kedro.io.source import Source
    from octa_kedro.results.recipe import Job
    from octa_kedro.results.stored import Manifest, Stored

log = logging.getLogger(__name__)


@node_function
def read_cohort(source: Source, config: CohortConfig, execution: ExecutionConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Label table and file checks -> one row per usable eye, and what became of all eyes so far."""
    from octa_kedro.cohort.table import select_eyes

    selection = select_eyes(source, config, on_error=execution.on_error)
    return selection.table, selection.flow


@node_function
def read_labelled_cohort(
    source: Source, config: CohortConfig, execution: ExecutionConfig, explanation: ExplainConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """As `read_cohort`; a class to explain that the cohort does not have is refused before anything else is done."""
    from octa_kedro.cohort.columns import class_names
    from octa_kedro.explain.target import class_index, tell_number

    table, flow = read_cohort(source, config, execution)
    if config.labelled:
        class_index(explanation.target_class, class_names(table))
        tell_number(explanation.target_class, class_names(table))
    return table, flow


@node_function
def inspect_eyes(
    source: Source, cohort: pd.DataFrame, who: CohortConfig, config: ProcessingConfig, execution: ExecutionConfig
) -> tuple[Job, ...]:
    """Scans -> each eye's surfaces with the measures of its quality, and a small picture of it."""
    from octa_kedro.preprocessing import recipes
    from octa_kedro.preprocessing.inspection import INSPECTED
    from octa_kedro.results.recipe import jobs

    eyes = cohort["subject"].astype(str)
    inspections = recipes.inspections(source, eyes, config, who.modalities, on_error=execution.on_error)
    return jobs(inspections, INSPECTED, execution)


@node_function
def judge_quality(surfaces: Manifest, config: QualityConfig) -> pd.DataFrame:
    """Measures -> one row per eye, with the reasons for which one is not good enough."""
    from octa_kedro.preprocessing.inspection import tabulate_quality

    return tabulate_quality(surfaces, config)


@node_function
def screen_eyes(
    cohort: pd.DataFrame, quality: pd.DataFrame, surfaces: Manifest, flow: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cohort, quality and what could not be inspected -> the eyes that are processed, and the flow after this step."""
    from octa_kedro.cohort.flow import leave
    from octa_kedro.preprocessing.quality import reasons_in

    reasons = reasons_in(quality)
    after = leave(leave(flow, "files", surfaces.failed), "quality", reasons)
    kept = cohort[~cohort["subject"].astype(str).isin([*reasons, *surfaces.failed])]
    return kept.reset_index(drop=True), after


@node_function
def draw_splits(cohort: pd.DataFrame, config: SplitConfig) -> pd.DataFrame:
    """Draw the hold-out and the folds, before anything is fitted to any eye."""
    from octa_kedro.cohort.splits import make_splits

    return make_splits(cohort, config)


@node_function
def settle_processing(
    source: Source, cohort: pd.DataFrame, config: ProcessingConfig, execution: ExecutionConfig
) -> ProcessingConfig:
    """Processing parameters -> the same with a grid in numbers, where the scans are to settle it."""
    from octa_kedro.preprocessing import grid_choice

    eyes = cohort["subject"].astype(str)
    return grid_choice.settle_processing(source, eyes, config, on_error=execution.on_error)


@node_function
def measure_heights(
    surfaces: Manifest, cohort: pd.DataFrame, config: ProcessingConfig, execution: ExecutionConfig
) -> pd.DataFrame:
    """Where the slab lies in depth, eye by eye, and whether it fits into the depth that is kept."""
    from octa_kedro.preprocessing.heights import describe_misfits, tabulate_heights

    found = {subject: surfaces[subject] for subject in cohort["subject"].astype(str) if subject in surfaces}
    table = tabulate_heights(
        found,
        config.depth_slab,
        field_mm=config.field_mm,
        depth_mm=config.depth_mm,
        on_error=execution.on_error,
    )
    if config.depth_mm is not None and (warning := describe_misfits(table, config.depth_mm)):
        log.warning("processing.depth_mm: %s", warning)
    return table


@node_function
def choose_references(
    source: Source,
    surfaces: Manifest,
    cohort: pd.DataFrame,
    splits: pd.DataFrame,
    config: ProcessingConfig,
    execution: ExecutionConfig,
) -> Job:
    """Development eyes -> the one per field of view that others are registered to; nothing without registration."""
    from octa_kedro.preprocessing import recipes
    from octa_kedro.results.recipe import Job

    eligible = splits[~splits["held_out"].astype(bool)] if len(splits) else cohort
    chosen = recipes.references(source, surfaces, eligible, config, on_error=execution.on_error)
    return Job(chosen, None, execution, needed=recipes.OTHER_REFERENCE)


@node_function
def process_eyes(
    source: Source,
    cohort: pd.DataFrame,
    surfaces: Manifest,
    references: Manifest,
    config: ProcessingConfig,
    execution: ExecutionConfig,
) -> tuple[Job, ...]:
    """Scans -> volumes, en-face maps, surfaces, lesions, OCT volumes and flattening of each eye on one grid.

    A job each; the first that is saved makes all parts of an eye that are missing.
    """
    from octa_kedro.preprocessing import recipes
    from octa_kedro.preprocessing.config import PARTS
    from octa_kedro.results.recipe import jobs

    processing = recipes.processing(source, cohort, surfaces, references, config, on_error=execution.on_error)
    return jobs(processing, PARTS, execution)


@node_function
def measure_biomarkers(
    source: Source, cohort: pd.DataFrame, surfaces: Manifest, config: ProcessingConfig, execution: ExecutionConfig
) -> Job:
    """Scans at their own sampling -> each eye's biomarkers, with masks of what was measured."""
    from octa_kedro.biomarkers.making import MASKS, biomarker_recipes
    from octa_kedro.results.recipe import Job

    eyes = cohort["subject"].astype(str).tolist()
    recipes = biomarker_recipes(source, eyes, surfaces, config, on_error=execution.on_error)
    return Job(recipes, MASKS, execution)


@node_function
def tabulate_biomarkers(measured: Manifest) -> pd.DataFrame:
    """One row per eye, a column for each biomarker, and the reasons for which some are empty."""
    from octa_kedro.biomarkers.making import tabulate_biomarkers

    return tabulate_biomarkers(measured)


@node_function
def collect_transforms(images: Mapping[str, Stored]) -> dict[str, Any]:
    """How each eye was placed: its transform and how well it was registered."""
    from octa_kedro.preprocessing.placement_record import read_placement

    return {
        subject: {
            "transform": read_placement(stored).transform.to_json(),
            "registration": stored.meta["registration"],
        }
        for subject, stored in images.items()
    }


@node_function
def admit_eyes(
    splits: pd.DataFrame, flow: pd.DataFrame, images: Manifest, *beside: Manifest
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, str]:
    """Splits -> those of the eyes that could be processed, with all that is made `beside` the image; what became of
    every eye, counted, and as text (logged), with near copies among them."""
    from octa_kedro.cohort.flow import flow_table, flow_text, leave_unless
    from octa_kedro.cohort.splits import admit_subjects
    from octa_kedro.preprocessing.copies import admit_images

    failed = {eye: reason for made in (*beside, images) for eye, reason in made.failed.items()}
    admitted = {eye: stored for eye, stored in images.items() if eye not in failed}
    after = leave_unless(flow, admitted, "processing", failed)
    counted = flow_table(after)
    text = flow_text(counted) + admit_images(admitted, splits)
    log.info("flow of eyes:\n%s", text)
    return admit_subjects(splits, admitted.keys()), after, counted, text


@node_function
def tabulate_folds(splits: pd.DataFrame, config: SplitConfig) -> list[pd.DataFrame]:
    """One table per fold that says what each subject is in it."""
    from octa_kedro.cohort.splits import fold_tables

    return fold_tables(splits, config)

"""Nodes from a source of scans to network inputs and splits. Per-eye results are recipes, made when saved."""

import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from octa_kedro.cohort.flow import flow_table, flow_text, leave
from octa_kedro.cohort.splits import SplitConfig, admit_subjects, fold_tables, make_splits
from octa_kedro.cohort.table import CohortConfig, select_eyes
from octa_kedro.io.source import Source
from octa_kedro.preprocessing import recipes
from octa_kedro.preprocessing.config import PARTS, ProcessingConfig
from octa_kedro.preprocessing.contact_sheet import Card, contact_sheet
from octa_kedro.preprocessing.heights import describe_misfits, tabulate_heights
from octa_kedro.preprocessing.inspection import INSPECTED, QUALITY, read_thumbnail
from octa_kedro.preprocessing.quality import MEASURES, QualityConfig, judge_table
from octa_kedro.preprocessing.steps_figure import steps_figure
from octa_kedro.results.store import Batch, ExecutionConfig
from octa_kedro.results.stored import Stored, StoredSet

log = logging.getLogger(__name__)


def read_cohort(source: Source, config: CohortConfig, execution: ExecutionConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Label table and file checks -> one row per usable eye, and what became of all eyes so far."""
    selection = select_eyes(source, config, on_error=execution.on_error)
    return selection.table, selection.flow


def inspect_eyes(
    source: Source, cohort: pd.DataFrame, who: CohortConfig, config: ProcessingConfig, execution: ExecutionConfig
) -> tuple[Batch, ...]:
    """Scans -> each eye's surfaces with the measures of its quality, and a small picture of it."""
    found = recipes.inspections(source, cohort["subject"].astype(str), config, who.modalities)
    return tuple(Batch(found[part], execution) for part in INSPECTED)


def judge_quality(surfaces: StoredSet, config: QualityConfig) -> pd.DataFrame:
    """Measures -> one row per eye, with the reasons for which one is not good enough."""
    rows = [{"subject": subject, **stored.meta[QUALITY]} for subject, stored in surfaces.items()]
    table = pd.DataFrame(rows, columns=None if rows else ["subject", *MEASURES])
    return table.assign(reasons=judge_table(table, config))


def screen_eyes(
    cohort: pd.DataFrame, quality: pd.DataFrame, surfaces: StoredSet, flow: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cohort, quality and what could not be inspected -> the eyes that are processed, and the flow after this step."""
    reasons = _reasons(quality)
    after = leave(leave(flow, "files", surfaces.failed), "quality", reasons)
    kept = cohort[~cohort["subject"].astype(str).isin([*reasons, *surfaces.failed])]
    return kept.reset_index(drop=True), after


def _reasons(quality: pd.DataFrame) -> dict[str, str]:
    """Why eyes are left out, by subject; a CSV file has turned empty text into NaN."""
    texts = zip(quality["subject"].astype(str), quality["reasons"], strict=True)
    return {subject: text for subject, text in texts if isinstance(text, str) and text}


def draw_splits(cohort: pd.DataFrame, config: SplitConfig) -> pd.DataFrame:
    """Draw the hold-out and the folds, before anything is fitted to any eye."""
    return make_splits(cohort, config)


def measure_heights(surfaces: StoredSet, cohort: pd.DataFrame, config: ProcessingConfig) -> pd.DataFrame:
    """Where the slab lies in depth, eye by eye, and whether it fits into the depth that is kept."""
    found = recipes.read_surfaces(surfaces, cohort["subject"])
    table = tabulate_heights(found, config.depth_slab, field_mm=config.field_mm, depth_mm=config.depth_mm)
    if config.depth_mm is not None and (warning := describe_misfits(table, config.depth_mm)):
        log.warning("processing.depth_mm: %s", warning)
    return table


def choose_references(
    source: Source,
    surfaces: StoredSet,
    cohort: pd.DataFrame,
    splits: pd.DataFrame,
    config: ProcessingConfig,
    execution: ExecutionConfig,
) -> Batch:
    """Development eyes -> the one per field of view that others are registered to; nothing without registration."""
    eligible = splits[~splits["held_out"].astype(bool)] if len(splits) else cohort
    return Batch(recipes.references(source, surfaces, eligible, config), execution)


def process_eyes(
    source: Source,
    cohort: pd.DataFrame,
    surfaces: StoredSet,
    references: StoredSet,
    config: ProcessingConfig,
    execution: ExecutionConfig,
) -> tuple[Batch, ...]:
    """Scans -> volumes, en-face maps, surfaces, lesions, OCT volumes and flattening on one grid, made together."""
    made = recipes.processed(source, cohort, surfaces, references, config)
    return tuple(Batch(made[part], execution) for part in PARTS)


def collect_transforms(images: Mapping[str, Stored]) -> dict[str, Any]:
    """How each eye was placed: its transform and how well it was registered."""
    return {s: {name: stored.meta[name] for name in ("transform", "registration")} for s, stored in images.items()}


def admit_eyes(
    splits: pd.DataFrame, flow: pd.DataFrame, images: StoredSet
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, str]:
    """Splits -> those of the eyes that could be processed; what became of every eye, counted, and as text (logged)."""
    after = leave(flow, "processing", images.failed)
    counted = flow_table(after)
    text = flow_text(counted)
    log.info("flow of eyes:\n%s", text)
    return admit_subjects(splits, images.keys()), after, counted, text


def tabulate_folds(splits: pd.DataFrame, config: SplitConfig) -> list[pd.DataFrame]:
    """One table per fold that says what each subject is in it."""
    return fold_tables(splits, config)


def draw_contact_sheets(
    thumbnails: Mapping[str, Stored], cohort: pd.DataFrame, quality: pd.DataFrame
) -> dict[str, Figure]:
    """Every eye as a small picture with what it is and, if it was left out for its quality, why."""
    reasons = {subject: tuple(text.split("; ")) for subject, text in _reasons(quality).items()}
    words = cohort["disease"] if "disease" in cohort else pd.Series("", index=cohort.index)
    cards = [
        Card(subject, str(word), stored.meta["laterality"], read_thumbnail(stored), reasons.get(subject, ()))
        for subject, word in zip(cohort["subject"].astype(str), words, strict=True)
        if (stored := thumbnails.get(subject)) is not None
    ]
    return {f"page_{number}.png": page for number, page in enumerate(contact_sheet(cards), start=1)}


def draw_steps(
    source: Source,
    cohort: pd.DataFrame,
    surfaces: Mapping[str, Stored],
    references: Mapping[str, Stored],
    config: ProcessingConfig,
) -> dict[str, Figure]:
    """One eye of each field of view, step by step."""
    figures = {}
    for field_mm, subjects in recipes.by_field(cohort).items():
        own = surfaces[subjects[0]]() if subjects[0] in surfaces else None
        reference = recipes.read_reference(references, field_mm)
        figure = steps_figure(source, subjects[0], own, config, reference)
        figures[f"{recipes.field_name(field_mm)}.png"] = figure
    return figures

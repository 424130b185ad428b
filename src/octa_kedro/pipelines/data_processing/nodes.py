"""Nodes from a source of scans to network inputs and splits. Per-eye results are recipes, made when saved."""

from collections.abc import Mapping
from functools import partial

import pandas as pd

from octa_kedro.cohort.splits import SplitConfig, fold_table, make_splits
from octa_kedro.cohort.table import CohortConfig, make_cohort_table
from octa_kedro.io.hashing import code_fingerprint, recipe_key
from octa_kedro.io.source import Source
from octa_kedro.io.store import Recipe, Stored
from octa_kedro.io.volume import PlaneStack, Volume
from octa_kedro.preprocessing import eye
from octa_kedro.preprocessing.eye import PROCESSING_KEY, ProcessingConfig
from octa_kedro.preprocessing.retina import surfaces_of

READING = ("octa_kedro.io",)
PROCESSING = ("octa_kedro.io", "octa_kedro.preprocessing")


def read_cohort(source: Source, config: CohortConfig) -> pd.DataFrame:
    """Label table and file checks -> one row per usable eye."""
    return make_cohort_table(source, config)


def convert_volumes(source: Source, cohort: pd.DataFrame, config: ProcessingConfig) -> dict[str, Recipe]:
    """Release files -> one NIfTI volume per eye with true spacing."""
    code = code_fingerprint(*READING)
    return {
        subject: Recipe(
            recipe_key(step="volume", bytes=source.fingerprint(subject, config.modality), code=code),
            partial(source.volume, subject, config.modality),
        )
        for subject in cohort["subject"]
    }


def find_surfaces(source: Source, cohort: pd.DataFrame, config: ProcessingConfig) -> dict[str, Recipe]:
    """Supplied surfaces, or an estimate from the OCT volume; nothing where no step needs them."""
    code = code_fingerprint(*PROCESSING)
    subjects = cohort["subject"].tolist() if config.needs_surfaces else []
    return {
        subject: Recipe(
            recipe_key(step="surfaces", bytes=source.fingerprint(subject, *_needed_scans(source, subject)), code=code),
            partial(surfaces_of, source, subject),
        )
        for subject in subjects
    }


def _needed_scans(source: Source, subject: str) -> tuple[str, ...]:
    """The volumes that an eye's surfaces come from: none where they are supplied."""
    return ("OCT",) if source.surfaces(subject) is None else ()


def process_volumes(
    volumes: Mapping[str, Stored], surfaces: Mapping[str, Stored], config: ProcessingConfig
) -> dict[str, Recipe]:
    """Crop, resample, clip and scale every volume."""
    return {s: _recipe("process_volume", config, volumes[s], surfaces.get(s)) for s in volumes}


def make_enface_maps(
    volumes: Mapping[str, Stored], surfaces: Mapping[str, Stored], config: ProcessingConfig
) -> dict[str, Recipe]:
    """Project the slabs of every volume."""
    return {s: _recipe("make_enface_maps", config, volumes[s], surfaces[s]) for s in volumes if config.slabs}


def process_surfaces(
    volumes: Mapping[str, Stored], surfaces: Mapping[str, Stored], config: ProcessingConfig
) -> dict[str, Recipe]:
    """Bring every eye's surfaces to the processed grid."""
    return {s: _recipe("process_surfaces", config, volumes[s], surfaces[s]) for s in surfaces}


def process_lesions(
    source: Source, volumes: Mapping[str, Stored], surfaces: Mapping[str, Stored], config: ProcessingConfig
) -> dict[str, Recipe]:
    """Bring the lesion masks of those eyes that have one to the processed grid."""
    recipes = {}
    for subject, volume in volumes.items():
        lesion = source.lesion(subject)
        if lesion is not None:
            make = partial(_process_lesion, source, subject, volume, surfaces.get(subject), config)
            key = _key("process_lesion", config, volume, surfaces.get(subject), source.fingerprint(subject))
            recipes[subject] = Recipe(key, make)
    return recipes


def split_subjects(cohort: pd.DataFrame, config: SplitConfig) -> pd.DataFrame:
    """Draw the hold-out and the folds."""
    return make_splits(cohort, config)


def tabulate_folds(splits: pd.DataFrame, config: SplitConfig) -> list[pd.DataFrame]:
    """One table per fold that says what each subject is in it."""
    return [fold_table(splits, fold) for fold in range(1, config.folds + 1)]


def _recipe(step: str, config: ProcessingConfig, volume: Stored, surfaces: Stored | None) -> Recipe:
    made = partial(_apply, step, config, volume, surfaces)
    return Recipe(_key(step, config, volume, surfaces), made, {PROCESSING_KEY: config.model_dump(mode="json")})


def _key(step: str, config: ProcessingConfig, volume: Stored, surfaces: Stored | None, extra: str = "") -> str:
    return recipe_key(
        step=step,
        config=config,
        volume=volume.sha256,
        surfaces=surfaces.sha256 if surfaces else None,
        extra=extra,
        code=code_fingerprint(*PROCESSING),
    )


def _apply(step: str, config: ProcessingConfig, volume: Stored, surfaces: Stored | None) -> Volume | PlaneStack:
    return getattr(eye, step)(volume(), surfaces() if surfaces else None, config)


def _process_lesion(
    source: Source, subject: str, volume: Stored, surfaces: Stored | None, config: ProcessingConfig
) -> Volume:
    lesion = source.lesion(subject)
    assert lesion is not None
    return eye.process_lesion(volume(), lesion, surfaces() if surfaces else None, config)
